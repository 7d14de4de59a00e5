package aws

// permission is one action that Neap's role needs in a user's account, and what for. How far it reaches is told in policy.go.
type permission struct{ action, why string }

// permissions are the actions that this package takes in an account, in the words of IAM; a test compares them with its calls.
func permissions() []permission {
	return []permission{
		// What is told without being changed.
		{"ec2:DescribeSpotPriceHistory", "to know current spot prices"},
		{"ec2:DescribeInstanceTypes", "to know what types of instances there are"},
		{"ec2:DescribeInstanceTypeOfferings", "to know in which zones they are sold"},
		{"pricing:GetProducts", "to know on-demand prices that are newer than the built-in ones"},
		{"ec2:DescribeSpotInstanceRequests", "to see interruptions, also without a queue"},
		{"sqs:GetQueueUrl", "to find the queue of notices"},
		{"sqs:ReceiveMessage", "to hear interruption warnings and rebalance recommendations"},
		{"sqs:DeleteMessage", "to take a notice off the queue once it has been acted on"},

		// Instances.
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
		{"ec2:ModifyInstanceAttribute", "to change one attribute of an instance"},
		{"ec2:DescribeImages", "to check an image before anything is started"},
		{"ec2:DescribeKeyPairs", "to check a key pair before anything is started"},
		{"ec2:DescribeSecurityGroups", "to check security groups, and to find them by name"},
		{"ec2:DescribeSubnets", "to check subnets, and to know their zones"},
		{"iam:PassRole", "to start instances with an instance profile"},
		{"iam:CreateServiceLinkedRole", "once per account, for its first spot instance and its first fleet"},
	}
}
