package aws

import (
	"context"
	"errors"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

var (
	_ cloud.Tagger  = (*Account)(nil)
	_ cloud.Powerer = (*Account)(nil)
)

// changed is how many instances one call changes; EC2 advises fewer than it takes, because it may lose its patience with more.
const changed = 100

// inChunks makes a call for each so many ids. A call for none is none.
func inChunks(call, region string, ids []string, do func(ids []string) error) error {
	for chunk := range slices.Chunk(ids, changed) {
		if err := do(chunk); err != nil {
			return refused(call, region, err)
		}
	}
	return nil
}

// Terminate ends instances. EC2 refuses a whole call for one id that it doesn't know; of more than 100 the earlier ones are ended by then.
func (a *Account) Terminate(ctx context.Context, region string, ids []string) error {
	return inChunks("TerminateInstances", region, ids, func(ids []string) error {
		_, err := a.in(region).ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
		return err
	})
}

// Stop is cloud.Powerer's.
func (a *Account) Stop(ctx context.Context, region string, ids []string, force bool) error {
	return inChunks("StopInstances", region, ids, func(ids []string) error {
		_, err := a.in(region).ec2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids, Force: awssdk.Bool(force)})
		return err
	})
}

// Start is cloud.Powerer's. A dry pool refuses it like a launch, but EC2 doesn't say which pool.
func (a *Account) Start(ctx context.Context, region string, ids []string) error {
	return inChunks("StartInstances", region, ids, func(ids []string) error {
		_, err := a.in(region).ec2.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids})
		return err
	})
}

// Reboot is cloud.Powerer's.
func (a *Account) Reboot(ctx context.Context, region string, ids []string) error {
	return inChunks("RebootInstances", region, ids, func(ids []string) error {
		_, err := a.in(region).ec2.RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: ids})
		return err
	})
}

// Tag sets tags, and removes those whose value is empty.
func (a *Account) Tag(ctx context.Context, region string, ids []string, tags map[string]string) error {
	set, removed := map[string]string{}, []types.Tag(nil)
	for key, value := range tags {
		if value == "" {
			removed = append(removed, types.Tag{Key: &key})
		} else {
			set[key] = value
		}
	}
	if len(set) > 0 {
		err := inChunks("CreateTags", region, ids, func(ids []string) error {
			_, err := a.in(region).ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: ids, Tags: tagList(set)})
			return err
		})
		if err != nil {
			return unknownTagged(err)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	return unknownTagged(inChunks("DeleteTags", region, ids, func(ids []string) error {
		_, err := a.in(region).ec2.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: ids, Tags: removed})
		return err
	}))
}

// unknownTagged mends the word for an id that tags cannot be put on: of resources of any kind EC2 calls it invalid, not unknown.
func unknownTagged(err error) error {
	var refusal *cloud.Refusal
	if errors.As(err, &refusal) && refusal.Code == "InvalidID" {
		refusal.Kind = cloud.Unknown
	}
	return err
}
