package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Volumes is cloud.Volumes'.
func (a *Account) Volumes(ctx context.Context, q cloud.AttachedQuery) ([]cloud.Volume, error) {
	r := a.in(q.Region)
	return selected(q.Query, "volume-id", attachedTo(q.Instance), func(filters []types.Filter, token *string) ([]types.Volume, *string, error) {
		page, err := r.ec2.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{Filters: filters, NextToken: token, MaxResults: awssdk.Int32(resourcePage)})
		if err != nil {
			return nil, nil, refused("DescribeVolumes", r.name, err)
		}
		return page.Volumes, page.NextToken, nil
	}, func(v types.Volume) (string, cloud.Volume) { return awssdk.ToString(v.VolumeId), volume(v) })
}

func volume(v types.Volume) cloud.Volume {
	shown := cloud.Volume{
		ID: awssdk.ToString(v.VolumeId), State: cloud.VolumeState(v.State), CreatedAt: awssdk.ToTime(v.CreateTime),
		VolumeSpec: cloud.VolumeSpec{
			Zone: awssdk.ToString(v.AvailabilityZone), GiB: number(v.Size), Type: string(v.VolumeType), IOPS: number(v.Iops), Throughput: number(v.Throughput),
			Snapshot: awssdk.ToString(v.SnapshotId), Encrypted: awssdk.ToBool(v.Encrypted), Key: awssdk.ToString(v.KmsKeyId), Tags: tagsOf(v.Tags),
		},
	}
	for _, t := range v.Attachments {
		if t.State != types.VolumeAttachmentStateDetached {
			shown.Attachments = append(shown.Attachments, cloud.Attachment{
				Instance: awssdk.ToString(t.InstanceId), Device: awssdk.ToString(t.Device), Settled: t.State == types.VolumeAttachmentStateAttached,
				Kept: !awssdk.ToBool(t.DeleteOnTermination),
			})
		}
	}
	return shown
}

// oneVolume is a volume that has to be there.
func (a *Account) oneVolume(ctx context.Context, region, id string) (cloud.Volume, error) {
	found, err := a.Volumes(ctx, cloud.AttachedQuery{Query: cloud.Query{Region: region, IDs: []string{id}}})
	if err == nil && len(found) == 0 {
		err = absent("InvalidVolume.NotFound", region, "volume", id)
	}
	if err != nil {
		return cloud.Volume{}, err
	}
	return found[0], nil
}

// CreateVolume is cloud.Volumes'.
func (a *Account) CreateVolume(ctx context.Context, region string, spec cloud.VolumeSpec) (cloud.Volume, error) {
	r := a.in(region)
	made, err := r.ec2.CreateVolume(ctx, &ec2.CreateVolumeInput{
		ClientToken: given(tokenOf(spec.Token)), AvailabilityZone: &spec.Zone, Size: givenNumber(spec.GiB), VolumeType: types.VolumeType(spec.Type),
		Iops: givenNumber(spec.IOPS), Throughput: givenNumber(spec.Throughput), SnapshotId: given(spec.Snapshot), Encrypted: givenTrue(spec.Encrypted),
		KmsKeyId: given(spec.Key), TagSpecifications: tagged(spec.Tags, types.ResourceTypeVolume),
	})
	if err != nil {
		return cloud.Volume{}, refused("CreateVolume", region, err)
	}
	return volume(types.Volume{
		VolumeId: made.VolumeId, State: made.State, CreateTime: made.CreateTime, AvailabilityZone: made.AvailabilityZone, Size: made.Size, VolumeType: made.VolumeType,
		Iops: made.Iops, Throughput: made.Throughput, SnapshotId: made.SnapshotId, Encrypted: made.Encrypted, KmsKeyId: made.KmsKeyId, Tags: made.Tags,
		Attachments: made.Attachments,
	}), nil
}

// givenTrue is nil for false: said out loud, EC2 refuses it of what comes from an encrypted snapshot.
func givenTrue(is bool) *bool {
	if !is {
		return nil
	}
	return &is
}

// AttachVolume is cloud.Volumes'.
func (a *Account) AttachVolume(ctx context.Context, region, id, instance, device string) error {
	_, err := a.in(region).ec2.AttachVolume(ctx, &ec2.AttachVolumeInput{VolumeId: &id, InstanceId: &instance, Device: &device})
	return unless(refused("AttachVolume", region, err), func() (bool, error) {
		v, err := a.oneVolume(ctx, region, id)
		for _, at := range v.Attachments {
			if at.Instance == instance && at.Device == device {
				return true, err
			}
		}
		return false, err
	})
}

// DetachVolume is cloud.Volumes'.
func (a *Account) DetachVolume(ctx context.Context, region, id string, force bool) error {
	v, err := a.oneVolume(ctx, region, id)
	if err != nil {
		return err
	}
	for _, at := range v.Attachments {
		_, err := a.in(region).ec2.DetachVolume(ctx, &ec2.DetachVolumeInput{VolumeId: &id, InstanceId: &at.Instance, Device: &at.Device, Force: &force})
		err = unless(refused("DetachVolume", region, err), func() (bool, error) {
			now, err := a.oneVolume(ctx, region, id)
			return len(now.Attachments) == 0, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteVolume is cloud.Volumes'.
func (a *Account) DeleteVolume(ctx context.Context, region, id string) error {
	_, err := a.in(region).ec2.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: &id})
	return refused("DeleteVolume", region, err)
}

// KeepVolumes is cloud.Volumes'.
func (a *Account) KeepVolumes(ctx context.Context, region, instance string, devices []string, keep bool) error {
	if len(devices) == 0 {
		return nil
	}
	ends := !keep
	in := &ec2.ModifyInstanceAttributeInput{InstanceId: &instance}
	for _, device := range devices {
		in.BlockDeviceMappings = append(in.BlockDeviceMappings, types.InstanceBlockDeviceMappingSpecification{
			DeviceName: &device, Ebs: &types.EbsInstanceBlockDeviceSpecification{DeleteOnTermination: &ends},
		})
	}
	_, err := a.in(region).ec2.ModifyInstanceAttribute(ctx, in)
	return refused("ModifyInstanceAttribute", region, err)
}

var _ cloud.Volumes = (*Account)(nil)
