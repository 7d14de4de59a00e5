package aws

import "slices"

// permission is one action that Neap's role needs in a user's account, and what for.
type permission struct{ action, why string }

// permissions are the actions that this package takes in an account, in the words of IAM; how far each reaches is told in policy.go.
var permissions = []permission{
	{"ec2:RunInstances", "to start instances; fleets and templates start them with it too"},
	{"ec2:CreateFleet", "to start instances in several subnets or markets at once"},
	{"ec2:DescribeFleets", "to find the fleets that Neap made and no longer needs"},
	{"ec2:DeleteFleets", "to remove them"},
	{"ec2:CreateLaunchTemplate", "to tell a fleet what to start"},
	{"ec2:DescribeLaunchTemplates", "to find the templates that Neap made and no longer needs"},
	{"ec2:DeleteLaunchTemplate", "to remove them"},
	{"ec2:CreateTags", "to tag instances as they start and later"},
	{"ec2:DeleteTags", "to take tags away when an instance leaves Neap"},
	{"ec2:DescribeTags", "to find the fleets that Neap made"},
	{"ec2:DescribeInstances", "to see instances"},
	{"ec2:DescribeInstanceStatus", "to see how they pass AWS's own checks"},
	{"ec2:TerminateInstances", "to end instances"},
	{"ec2:StopInstances", "to stop instances in place"},
	{"ec2:StartInstances", "to start stopped ones again"},
	{"ec2:RebootInstances", "to reboot them"},
	{"ec2:GetConsoleOutput", "to read what a job's instance wrote to its console"},
	{"ec2:ModifyInstanceAttribute", "to change one attribute of an instance"},
	{"ec2:DescribeImages", "to check an image before anything is started"},
	{"ec2:DescribeKeyPairs", "to check a key pair before anything is started"},
	{"ec2:DescribeSecurityGroups", "to check security groups, and to find them by name"},
	{"ec2:DescribeSubnets", "to check subnets, and to know their zones"},
	{"iam:PassRole", "to start instances with an instance profile"},
	{"iam:CreateServiceLinkedRole", "once per account, for its first spot instance and its first fleet"},
	{"ec2:DescribeSpotPriceHistory", "to know current spot prices"},
	{"ec2:DescribeInstanceTypes", "to know what types of instances there are"},
	{"ec2:DescribeInstanceTypeOfferings", "to know in which zones they are sold"},
	{"pricing:GetProducts", "to know on-demand prices that are newer than the built-in ones"},
	{"ec2:DescribeSpotInstanceRequests", "to see interruptions, also without a queue"},
	{"sqs:GetQueueUrl", "to find the queue of notices"},
	{"sqs:ReceiveMessage", "to hear interruption warnings and rebalance recommendations"},
	{"sqs:DeleteMessage", "to take a notice off the queue once it has been acted on"},
}

// granted are all of them.
func granted() []permission { return slices.Concat(permissions, resourcePermissions, jobPermissions) }

// resourcePermissions are the actions that it calls for what instances use: disks, addresses, load balancers, measurements, scaling groups.
var resourcePermissions = []permission{
	{"autoscaling:DescribeAutoScalingGroups", "to see Auto Scaling groups"},
	{"autoscaling:DescribeLaunchConfigurations", "to see what they launch"},
	{"ec2:DescribeLaunchTemplateVersions", "likewise"},
	{"autoscaling:UpdateAutoScalingGroup", "to resize a group whose work Neap takes over"},
	{"autoscaling:SuspendProcesses", "to keep it from starting and ending instances meanwhile"},
	{"autoscaling:ResumeProcesses", "to let it do so again"},
	{"autoscaling:DetachInstances", "to take its instances over"},
	{"ec2:DescribeVolumes", "to see volumes"},
	{"ec2:CreateVolume", "to give an instance that keeps its data its volumes back"},
	{"ec2:AttachVolume", "likewise"},
	{"ec2:DetachVolume", "to take them off before it ends"},
	{"ec2:DeleteVolume", "to remove those that nobody needs any more"},
	{"ec2:DescribeSnapshots", "to see how far snapshots are"},
	{"ec2:CreateSnapshot", "to save volumes of instances that keep their data"},
	{"ec2:DeleteSnapshot", "to remove the older ones"},
	{"ec2:CreateImage", "to save an instance as an image"},
	{"ec2:RegisterImage", "to make an image of a root volume's snapshot"},
	{"ec2:DeregisterImage", "to remove images that Neap made"},
	{"ec2:DescribeNetworkInterfaces", "to see network interfaces"},
	{"ec2:CreateNetworkInterface", "to keep a private address for an instance"},
	{"ec2:AttachNetworkInterface", "to give it to the instance"},
	{"ec2:DetachNetworkInterface", "to take it back"},
	{"ec2:ModifyNetworkInterfaceAttribute", "to let it outlive the instance"},
	{"ec2:DeleteNetworkInterface", "to remove it"},
	{"ec2:DescribeAddresses", "to see the account's public addresses"},
	{"ec2:AssociateAddress", "to give one to an instance"},
	{"ec2:DisassociateAddress", "to take it back"},
	{"elasticloadbalancing:DescribeLoadBalancers", "to check that a load balancer is there"},
	{"elasticloadbalancing:DescribeTargetGroups", "to check that a target group is there"},
	{"elasticloadbalancing:RegisterInstancesWithLoadBalancer", "to give instances their traffic"},
	{"elasticloadbalancing:RegisterTargets", "likewise"},
	{"elasticloadbalancing:DeregisterInstancesFromLoadBalancer", "to drain them before they end"},
	{"elasticloadbalancing:DeregisterTargets", "likewise"},
	{"elasticloadbalancing:DescribeInstanceHealth", "to replace instances that a load balancer finds unhealthy"},
	{"elasticloadbalancing:DescribeTargetHealth", "likewise"},
	{"cloudwatch:GetMetricData", "to scale groups by what CloudWatch measures"},
}

// jobPermissions are the actions that it calls for jobs in queues of AWS Batch.
var jobPermissions = []permission{
	{"batch:DescribeJobQueues", "to check that a queue is there"},
	{"batch:DescribeJobDefinitions", "to find what Neap registered before"},
	{"batch:RegisterJobDefinition", "to describe a container to AWS Batch"},
	{"batch:SubmitJob", "to run it"},
	{"batch:TagResource", "to tag both as they are made"},
	{"batch:ListJobs", "to find a job whose answer was lost"},
	{"batch:DescribeJobs", "to see how jobs stand"},
	{"batch:TerminateJob", "to end them"},
	{"logs:GetLogEvents", "to read what they write"},
}
