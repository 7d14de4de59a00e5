package aws

// permission is one action that Neap's role needs in a user's account, and what for.
type permission struct{ action, why string }

// permissions are the actions that this package calls for instances, in the words of IAM.
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
	{"ec2:ModifyInstanceAttribute", "to change one attribute of an instance"},
	{"ec2:DescribeImages", "to check an image before anything is started"},
	{"ec2:DescribeKeyPairs", "to check a key pair before anything is started"},
	{"ec2:DescribeSecurityGroups", "to check security groups, and to find them by name"},
	{"ec2:DescribeSubnets", "to check subnets, and to know their zones"},
	{"iam:PassRole", "to start instances with an instance profile"},
	{"iam:CreateServiceLinkedRole", "once per account, for its first spot instance and its first fleet"},
}
