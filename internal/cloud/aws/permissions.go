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
	}
}
