// Package calls lists the operations of AWS that Neap calls: a table of functions for each service.
//
// It owns nothing but these tables. They stand in for the SDK's clients wherever something is kept: whatever holds a client, however deep inside, keeps every operation
// of its service in the binary once it is put into an interface, as the linker must assume that reflection finds them all. A table keeps what it lists. It must not know
// what a call is for. Start reading at EC2.
package calls

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// EC2 is what Neap asks of EC2.
type EC2 struct {
	AssociateAddress                ec2Call[ec2.AssociateAddressInput, ec2.AssociateAddressOutput]
	AttachNetworkInterface          ec2Call[ec2.AttachNetworkInterfaceInput, ec2.AttachNetworkInterfaceOutput]
	AttachVolume                    ec2Call[ec2.AttachVolumeInput, ec2.AttachVolumeOutput]
	CreateFleet                     ec2Call[ec2.CreateFleetInput, ec2.CreateFleetOutput]
	CreateImage                     ec2Call[ec2.CreateImageInput, ec2.CreateImageOutput]
	CreateLaunchTemplate            ec2Call[ec2.CreateLaunchTemplateInput, ec2.CreateLaunchTemplateOutput]
	CreateNetworkInterface          ec2Call[ec2.CreateNetworkInterfaceInput, ec2.CreateNetworkInterfaceOutput]
	CreateSnapshot                  ec2Call[ec2.CreateSnapshotInput, ec2.CreateSnapshotOutput]
	CreateTags                      ec2Call[ec2.CreateTagsInput, ec2.CreateTagsOutput]
	CreateVolume                    ec2Call[ec2.CreateVolumeInput, ec2.CreateVolumeOutput]
	DeleteFleets                    ec2Call[ec2.DeleteFleetsInput, ec2.DeleteFleetsOutput]
	DeleteLaunchTemplate            ec2Call[ec2.DeleteLaunchTemplateInput, ec2.DeleteLaunchTemplateOutput]
	DeleteNetworkInterface          ec2Call[ec2.DeleteNetworkInterfaceInput, ec2.DeleteNetworkInterfaceOutput]
	DeleteSnapshot                  ec2Call[ec2.DeleteSnapshotInput, ec2.DeleteSnapshotOutput]
	DeleteTags                      ec2Call[ec2.DeleteTagsInput, ec2.DeleteTagsOutput]
	DeleteVolume                    ec2Call[ec2.DeleteVolumeInput, ec2.DeleteVolumeOutput]
	DeregisterImage                 ec2Call[ec2.DeregisterImageInput, ec2.DeregisterImageOutput]
	DescribeAddresses               ec2Call[ec2.DescribeAddressesInput, ec2.DescribeAddressesOutput]
	DescribeFleets                  ec2Call[ec2.DescribeFleetsInput, ec2.DescribeFleetsOutput]
	DescribeImages                  ec2Call[ec2.DescribeImagesInput, ec2.DescribeImagesOutput]
	DescribeInstanceStatus          ec2Call[ec2.DescribeInstanceStatusInput, ec2.DescribeInstanceStatusOutput]
	DescribeInstanceTypeOfferings   ec2Call[ec2.DescribeInstanceTypeOfferingsInput, ec2.DescribeInstanceTypeOfferingsOutput]
	DescribeInstanceTypes           ec2Call[ec2.DescribeInstanceTypesInput, ec2.DescribeInstanceTypesOutput]
	DescribeInstances               ec2Call[ec2.DescribeInstancesInput, ec2.DescribeInstancesOutput]
	DescribeKeyPairs                ec2Call[ec2.DescribeKeyPairsInput, ec2.DescribeKeyPairsOutput]
	DescribeLaunchTemplateVersions  ec2Call[ec2.DescribeLaunchTemplateVersionsInput, ec2.DescribeLaunchTemplateVersionsOutput]
	DescribeLaunchTemplates         ec2Call[ec2.DescribeLaunchTemplatesInput, ec2.DescribeLaunchTemplatesOutput]
	DescribeNetworkInterfaces       ec2Call[ec2.DescribeNetworkInterfacesInput, ec2.DescribeNetworkInterfacesOutput]
	DescribeSecurityGroups          ec2Call[ec2.DescribeSecurityGroupsInput, ec2.DescribeSecurityGroupsOutput]
	DescribeSnapshots               ec2Call[ec2.DescribeSnapshotsInput, ec2.DescribeSnapshotsOutput]
	DescribeSpotInstanceRequests    ec2Call[ec2.DescribeSpotInstanceRequestsInput, ec2.DescribeSpotInstanceRequestsOutput]
	DescribeSpotPriceHistory        ec2Call[ec2.DescribeSpotPriceHistoryInput, ec2.DescribeSpotPriceHistoryOutput]
	DescribeSubnets                 ec2Call[ec2.DescribeSubnetsInput, ec2.DescribeSubnetsOutput]
	DescribeTags                    ec2Call[ec2.DescribeTagsInput, ec2.DescribeTagsOutput]
	DescribeVolumes                 ec2Call[ec2.DescribeVolumesInput, ec2.DescribeVolumesOutput]
	DetachNetworkInterface          ec2Call[ec2.DetachNetworkInterfaceInput, ec2.DetachNetworkInterfaceOutput]
	DetachVolume                    ec2Call[ec2.DetachVolumeInput, ec2.DetachVolumeOutput]
	DisassociateAddress             ec2Call[ec2.DisassociateAddressInput, ec2.DisassociateAddressOutput]
	GetConsoleOutput                ec2Call[ec2.GetConsoleOutputInput, ec2.GetConsoleOutputOutput]
	ModifyInstanceAttribute         ec2Call[ec2.ModifyInstanceAttributeInput, ec2.ModifyInstanceAttributeOutput]
	ModifyNetworkInterfaceAttribute ec2Call[ec2.ModifyNetworkInterfaceAttributeInput, ec2.ModifyNetworkInterfaceAttributeOutput]
	RebootInstances                 ec2Call[ec2.RebootInstancesInput, ec2.RebootInstancesOutput]
	RegisterImage                   ec2Call[ec2.RegisterImageInput, ec2.RegisterImageOutput]
	RunInstances                    ec2Call[ec2.RunInstancesInput, ec2.RunInstancesOutput]
	StartInstances                  ec2Call[ec2.StartInstancesInput, ec2.StartInstancesOutput]
	StopInstances                   ec2Call[ec2.StopInstancesInput, ec2.StopInstancesOutput]
	TerminateInstances              ec2Call[ec2.TerminateInstancesInput, ec2.TerminateInstancesOutput]
}

type ec2Call[In, Out any] = func(context.Context, *In, ...func(*ec2.Options)) (*Out, error)

// EC2Of is what a client does.
func EC2Of(c *ec2.Client) *EC2 {
	return &EC2{
		AssociateAddress:                c.AssociateAddress,
		AttachNetworkInterface:          c.AttachNetworkInterface,
		AttachVolume:                    c.AttachVolume,
		CreateFleet:                     c.CreateFleet,
		CreateImage:                     c.CreateImage,
		CreateLaunchTemplate:            c.CreateLaunchTemplate,
		CreateNetworkInterface:          c.CreateNetworkInterface,
		CreateSnapshot:                  c.CreateSnapshot,
		CreateTags:                      c.CreateTags,
		CreateVolume:                    c.CreateVolume,
		DeleteFleets:                    c.DeleteFleets,
		DeleteLaunchTemplate:            c.DeleteLaunchTemplate,
		DeleteNetworkInterface:          c.DeleteNetworkInterface,
		DeleteSnapshot:                  c.DeleteSnapshot,
		DeleteTags:                      c.DeleteTags,
		DeleteVolume:                    c.DeleteVolume,
		DeregisterImage:                 c.DeregisterImage,
		DescribeAddresses:               c.DescribeAddresses,
		DescribeFleets:                  c.DescribeFleets,
		DescribeImages:                  c.DescribeImages,
		DescribeInstanceStatus:          c.DescribeInstanceStatus,
		DescribeInstanceTypeOfferings:   c.DescribeInstanceTypeOfferings,
		DescribeInstanceTypes:           c.DescribeInstanceTypes,
		DescribeInstances:               c.DescribeInstances,
		DescribeKeyPairs:                c.DescribeKeyPairs,
		DescribeLaunchTemplateVersions:  c.DescribeLaunchTemplateVersions,
		DescribeLaunchTemplates:         c.DescribeLaunchTemplates,
		DescribeNetworkInterfaces:       c.DescribeNetworkInterfaces,
		DescribeSecurityGroups:          c.DescribeSecurityGroups,
		DescribeSnapshots:               c.DescribeSnapshots,
		DescribeSpotInstanceRequests:    c.DescribeSpotInstanceRequests,
		DescribeSpotPriceHistory:        c.DescribeSpotPriceHistory,
		DescribeSubnets:                 c.DescribeSubnets,
		DescribeTags:                    c.DescribeTags,
		DescribeVolumes:                 c.DescribeVolumes,
		DetachNetworkInterface:          c.DetachNetworkInterface,
		DetachVolume:                    c.DetachVolume,
		DisassociateAddress:             c.DisassociateAddress,
		GetConsoleOutput:                c.GetConsoleOutput,
		ModifyInstanceAttribute:         c.ModifyInstanceAttribute,
		ModifyNetworkInterfaceAttribute: c.ModifyNetworkInterfaceAttribute,
		RebootInstances:                 c.RebootInstances,
		RegisterImage:                   c.RegisterImage,
		RunInstances:                    c.RunInstances,
		StartInstances:                  c.StartInstances,
		StopInstances:                   c.StopInstances,
		TerminateInstances:              c.TerminateInstances,
	}
}

// AutoScaling is what Neap asks of Auto Scaling.
type AutoScaling struct {
	DescribeAutoScalingGroups    autoscalingCall[autoscaling.DescribeAutoScalingGroupsInput, autoscaling.DescribeAutoScalingGroupsOutput]
	DescribeLaunchConfigurations autoscalingCall[autoscaling.DescribeLaunchConfigurationsInput, autoscaling.DescribeLaunchConfigurationsOutput]
	DetachInstances              autoscalingCall[autoscaling.DetachInstancesInput, autoscaling.DetachInstancesOutput]
	ResumeProcesses              autoscalingCall[autoscaling.ResumeProcessesInput, autoscaling.ResumeProcessesOutput]
	SuspendProcesses             autoscalingCall[autoscaling.SuspendProcessesInput, autoscaling.SuspendProcessesOutput]
	UpdateAutoScalingGroup       autoscalingCall[autoscaling.UpdateAutoScalingGroupInput, autoscaling.UpdateAutoScalingGroupOutput]
}

type autoscalingCall[In, Out any] = func(context.Context, *In, ...func(*autoscaling.Options)) (*Out, error)

// AutoScalingOf is what a client does.
func AutoScalingOf(c *autoscaling.Client) *AutoScaling {
	return &AutoScaling{
		DescribeAutoScalingGroups:    c.DescribeAutoScalingGroups,
		DescribeLaunchConfigurations: c.DescribeLaunchConfigurations,
		DetachInstances:              c.DetachInstances,
		ResumeProcesses:              c.ResumeProcesses,
		SuspendProcesses:             c.SuspendProcesses,
		UpdateAutoScalingGroup:       c.UpdateAutoScalingGroup,
	}
}

// CloudWatch is what Neap asks of CloudWatch.
type CloudWatch struct {
	GetMetricData cloudwatchCall[cloudwatch.GetMetricDataInput, cloudwatch.GetMetricDataOutput]
}

type cloudwatchCall[In, Out any] = func(context.Context, *In, ...func(*cloudwatch.Options)) (*Out, error)

// CloudWatchOf is what a client does.
func CloudWatchOf(c *cloudwatch.Client) *CloudWatch {
	return &CloudWatch{
		GetMetricData: c.GetMetricData,
	}
}

// Classic is what Neap asks of classic load balancers.
type Classic struct {
	DeregisterInstancesFromLoadBalancer elasticloadbalancingCall[elasticloadbalancing.DeregisterInstancesFromLoadBalancerInput, elasticloadbalancing.DeregisterInstancesFromLoadBalancerOutput]
	DescribeInstanceHealth              elasticloadbalancingCall[elasticloadbalancing.DescribeInstanceHealthInput, elasticloadbalancing.DescribeInstanceHealthOutput]
	DescribeLoadBalancers               elasticloadbalancingCall[elasticloadbalancing.DescribeLoadBalancersInput, elasticloadbalancing.DescribeLoadBalancersOutput]
	RegisterInstancesWithLoadBalancer   elasticloadbalancingCall[elasticloadbalancing.RegisterInstancesWithLoadBalancerInput, elasticloadbalancing.RegisterInstancesWithLoadBalancerOutput]
}

type elasticloadbalancingCall[In, Out any] = func(context.Context, *In, ...func(*elasticloadbalancing.Options)) (*Out, error)

// ClassicOf is what a client does.
func ClassicOf(c *elasticloadbalancing.Client) *Classic {
	return &Classic{
		DeregisterInstancesFromLoadBalancer: c.DeregisterInstancesFromLoadBalancer,
		DescribeInstanceHealth:              c.DescribeInstanceHealth,
		DescribeLoadBalancers:               c.DescribeLoadBalancers,
		RegisterInstancesWithLoadBalancer:   c.RegisterInstancesWithLoadBalancer,
	}
}

// Balancer is what Neap asks of load balancers with target groups.
type Balancer struct {
	DeregisterTargets    elasticloadbalancingv2Call[elasticloadbalancingv2.DeregisterTargetsInput, elasticloadbalancingv2.DeregisterTargetsOutput]
	DescribeTargetGroups elasticloadbalancingv2Call[elasticloadbalancingv2.DescribeTargetGroupsInput, elasticloadbalancingv2.DescribeTargetGroupsOutput]
	DescribeTargetHealth elasticloadbalancingv2Call[elasticloadbalancingv2.DescribeTargetHealthInput, elasticloadbalancingv2.DescribeTargetHealthOutput]
	RegisterTargets      elasticloadbalancingv2Call[elasticloadbalancingv2.RegisterTargetsInput, elasticloadbalancingv2.RegisterTargetsOutput]
}

type elasticloadbalancingv2Call[In, Out any] = func(context.Context, *In, ...func(*elasticloadbalancingv2.Options)) (*Out, error)

// BalancerOf is what a client does.
func BalancerOf(c *elasticloadbalancingv2.Client) *Balancer {
	return &Balancer{
		DeregisterTargets:    c.DeregisterTargets,
		DescribeTargetGroups: c.DescribeTargetGroups,
		DescribeTargetHealth: c.DescribeTargetHealth,
		RegisterTargets:      c.RegisterTargets,
	}
}

// SQS is what Neap asks of SQS.
type SQS struct {
	DeleteMessageBatch sqsCall[sqs.DeleteMessageBatchInput, sqs.DeleteMessageBatchOutput]
	GetQueueUrl        sqsCall[sqs.GetQueueUrlInput, sqs.GetQueueUrlOutput]
	ReceiveMessage     sqsCall[sqs.ReceiveMessageInput, sqs.ReceiveMessageOutput]
}

type sqsCall[In, Out any] = func(context.Context, *In, ...func(*sqs.Options)) (*Out, error)

// SQSOf is what a client does.
func SQSOf(c *sqs.Client) *SQS {
	return &SQS{
		DeleteMessageBatch: c.DeleteMessageBatch,
		GetQueueUrl:        c.GetQueueUrl,
		ReceiveMessage:     c.ReceiveMessage,
	}
}

// Pricing is what Neap asks of the price list.
type Pricing struct {
	GetProducts pricingCall[pricing.GetProductsInput, pricing.GetProductsOutput]
}

type pricingCall[In, Out any] = func(context.Context, *In, ...func(*pricing.Options)) (*Out, error)

// PricingOf is what a client does.
func PricingOf(c *pricing.Client) *Pricing {
	return &Pricing{
		GetProducts: c.GetProducts,
	}
}

// Batch is what Neap asks of AWS Batch.
type Batch struct {
	DescribeJobDefinitions batchCall[batch.DescribeJobDefinitionsInput, batch.DescribeJobDefinitionsOutput]
	DescribeJobQueues      batchCall[batch.DescribeJobQueuesInput, batch.DescribeJobQueuesOutput]
	DescribeJobs           batchCall[batch.DescribeJobsInput, batch.DescribeJobsOutput]
	ListJobs               batchCall[batch.ListJobsInput, batch.ListJobsOutput]
	RegisterJobDefinition  batchCall[batch.RegisterJobDefinitionInput, batch.RegisterJobDefinitionOutput]
	SubmitJob              batchCall[batch.SubmitJobInput, batch.SubmitJobOutput]
	TerminateJob           batchCall[batch.TerminateJobInput, batch.TerminateJobOutput]
}

type batchCall[In, Out any] = func(context.Context, *In, ...func(*batch.Options)) (*Out, error)

// BatchOf is what a client does.
func BatchOf(c *batch.Client) *Batch {
	return &Batch{
		DescribeJobDefinitions: c.DescribeJobDefinitions,
		DescribeJobQueues:      c.DescribeJobQueues,
		DescribeJobs:           c.DescribeJobs,
		ListJobs:               c.ListJobs,
		RegisterJobDefinition:  c.RegisterJobDefinition,
		SubmitJob:              c.SubmitJob,
		TerminateJob:           c.TerminateJob,
	}
}

// Logs is what Neap asks of CloudWatch Logs.
type Logs struct {
	GetLogEvents logsCall[cloudwatchlogs.GetLogEventsInput, cloudwatchlogs.GetLogEventsOutput]
}

type logsCall[In, Out any] = func(context.Context, *In, ...func(*cloudwatchlogs.Options)) (*Out, error)

// LogsOf is what a client does.
func LogsOf(c *cloudwatchlogs.Client) *Logs {
	return &Logs{
		GetLogEvents: c.GetLogEvents,
	}
}
