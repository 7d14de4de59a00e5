package aws

import (
	"context"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

const ownThings = "self" // the account's own, in EC2's words

// Snapshots is cloud.Snapshots'.
func (a *Account) Snapshots(ctx context.Context, q cloud.Query) ([]cloud.Snapshot, error) {
	r := a.in(q.Region)
	return selected(q, "snapshot-id", nil, func(filters []types.Filter, token *string) ([]types.Snapshot, *string, error) {
		page, err := r.ec2.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{
			OwnerIds: []string{ownThings}, Filters: filters, NextToken: token, MaxResults: awssdk.Int32(resourcePage),
		})
		if err != nil {
			return nil, nil, refused("DescribeSnapshots", r.name, err)
		}
		return page.Snapshots, page.NextToken, nil
	}, func(s types.Snapshot) (string, cloud.Snapshot) { return awssdk.ToString(s.SnapshotId), snapshot(s) })
}

func snapshot(s types.Snapshot) cloud.Snapshot {
	shown := cloud.Snapshot{
		ID: awssdk.ToString(s.SnapshotId), Volume: awssdk.ToString(s.VolumeId), State: cloud.SnapshotState(s.State), GiB: number(s.VolumeSize),
		Description: awssdk.ToString(s.Description), Encrypted: awssdk.ToBool(s.Encrypted), Tags: tagsOf(s.Tags), CreatedAt: awssdk.ToTime(s.StartTime),
	}
	if done, err := strconv.Atoi(strings.TrimSuffix(awssdk.ToString(s.Progress), "%")); err == nil { // at first there is none
		shown.Percent = done
	}
	return shown
}

// CreateSnapshot is cloud.Snapshots'.
func (a *Account) CreateSnapshot(ctx context.Context, region, volume, description string, tags map[string]string) (cloud.Snapshot, error) {
	made, err := a.in(region).ec2.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{
		VolumeId: &volume, Description: given(description), TagSpecifications: tagged(tags, types.ResourceTypeSnapshot),
	})
	if err != nil {
		return cloud.Snapshot{}, refused("CreateSnapshot", region, err)
	}
	return snapshot(types.Snapshot{
		SnapshotId: made.SnapshotId, VolumeId: made.VolumeId, State: made.State, Progress: made.Progress, VolumeSize: made.VolumeSize, Description: made.Description,
		Encrypted: made.Encrypted, Tags: made.Tags, StartTime: made.StartTime,
	}), nil
}

// DeleteSnapshot is cloud.Snapshots'.
func (a *Account) DeleteSnapshot(ctx context.Context, region, id string) error {
	_, err := a.in(region).ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id})
	return refused("DeleteSnapshot", region, err)
}

var _ cloud.Snapshots = (*Account)(nil)
