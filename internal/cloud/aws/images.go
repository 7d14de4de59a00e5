package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

const imageIDs = 100 // in one call

// Images is cloud.Images'. Ids are not given as a filter, as for other things: without an owner EC2 would go through every public image.
func (a *Account) Images(ctx context.Context, q cloud.Query) ([]cloud.Image, error) {
	found, err := a.in(q.Region).images(ctx, q)
	if err != nil {
		return nil, err
	}
	return inOrder(found, func(i types.Image) (string, cloud.Image) { return awssdk.ToString(i.ImageId), machineImage(i) }), nil
}

func (r *region) images(ctx context.Context, q cloud.Query, also ...types.Filter) (found []types.Image, err error) {
	in := ec2.DescribeImagesInput{Filters: append(byTags(q.Tags), also...)}
	if q.IDs == nil {
		in.Owners, in.MaxResults = []string{ownThings}, awssdk.Int32(resourcePage)
		return r.readImages(ctx, in)
	}
	for chunk := range chunks(q.IDs, imageIDs) {
		part, err := known(chunk, func(ids []string) ([]types.Image, error) {
			in.ImageIds = ids
			return r.readImages(ctx, in)
		})
		if err != nil {
			return nil, err
		}
		found = append(found, part...)
	}
	return found, nil
}

func (r *region) readImages(ctx context.Context, in ec2.DescribeImagesInput) ([]types.Image, error) {
	return pages(func(token *string) ([]types.Image, *string, error) {
		in.NextToken = token
		page, err := r.ec2.DescribeImages(ctx, &in)
		if err != nil {
			return nil, nil, imageRefused("DescribeImages", r.name, err)
		}
		return page.Images, page.NextToken, nil
	})
}

// imageRefused is refused for a call about an image: of a launch an image that is not there is a bad request, here it is what the call is about.
func imageRefused(call, region string, err error) error {
	err = refused(call, region, err)
	var refusal *cloud.Refusal
	if errors.As(err, &refusal) && slices.Contains([]string{"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"}, refusal.Code) {
		refusal.Kind = cloud.Unknown
	}
	return err
}

func machineImage(i types.Image) cloud.Image {
	shown := cloud.Image{
		ID: awssdk.ToString(i.ImageId), State: imageState(i.State), Architecture: string(i.Architecture), Root: awssdk.ToString(i.RootDeviceName),
		ImageSpec: cloud.ImageSpec{Name: awssdk.ToString(i.Name), Description: awssdk.ToString(i.Description), Tags: tagsOf(i.Tags)},
		Snapshots: map[string]string{},
	}
	if at, err := time.Parse(time.RFC3339, awssdk.ToString(i.CreationDate)); err == nil { // some old images have none
		shown.CreatedAt = at
	}
	for _, m := range i.BlockDeviceMappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != nil {
			shown.Snapshots[awssdk.ToString(m.DeviceName)] = *m.Ebs.SnapshotId
		}
	}
	return shown
}

func imageState(s types.ImageState) cloud.ImageState {
	switch s {
	case types.ImageStateAvailable:
		return cloud.ImageAvailable
	case types.ImageStatePending, types.ImageStateTransient:
		return cloud.ImagePending
	}
	return cloud.ImageFailed // an error, or nobody can start from it
}

// CreateImage is cloud.Images'.
func (a *Account) CreateImage(ctx context.Context, region, instance string, spec cloud.ImageSpec, reboot bool) (string, error) {
	r, still := a.in(region), !reboot
	made, err := r.ec2.CreateImage(ctx, &ec2.CreateImageInput{
		InstanceId: &instance, Name: &spec.Name, Description: given(spec.Description), NoReboot: &still,
		TagSpecifications: tagged(spec.Tags, types.ResourceTypeImage, types.ResourceTypeSnapshot),
	})
	if err != nil {
		return r.madeBefore(ctx, spec, imageRefused("CreateImage", region, err))
	}
	return awssdk.ToString(made.ImageId), nil
}

// RegisterImage is cloud.Images'.
func (a *Account) RegisterImage(ctx context.Context, region, like string, spec cloud.ImageSpec, snapshots map[string]string) (string, error) {
	r := a.in(region)
	found, err := r.images(ctx, cloud.Query{IDs: []string{like}})
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", absent("InvalidAMIID.NotFound", region, "image", like)
	}
	in := registration(found[0], spec, snapshots)
	if root := awssdk.ToString(in.RootDeviceName); snapshots[root] == "" {
		return "", unasked("MissingParameter", "snapshots", "An image like %s needs a snapshot for its root device %s.", like, root)
	}
	made, err := r.ec2.RegisterImage(ctx, in)
	if err != nil {
		return r.madeBefore(ctx, spec, imageRefused("RegisterImage", region, err))
	}
	return awssdk.ToString(made.ImageId), nil
}

// registration is an image that starts the same machines as another does, from other snapshots.
func registration(like types.Image, spec cloud.ImageSpec, snapshots map[string]string) *ec2.RegisterImageInput {
	in := &ec2.RegisterImageInput{
		Name: &spec.Name, Description: given(spec.Description), TagSpecifications: tagged(spec.Tags, types.ResourceTypeImage), RootDeviceName: like.RootDeviceName,
		Architecture: like.Architecture, BootMode: like.BootMode, EnaSupport: like.EnaSupport, SriovNetSupport: like.SriovNetSupport, ImdsSupport: like.ImdsSupport,
		TpmSupport: like.TpmSupport, VirtualizationType: given(string(like.VirtualizationType)),
	}
	devices := map[string]types.EbsBlockDevice{}
	for _, m := range like.BlockDeviceMappings {
		if m.Ebs != nil {
			devices[awssdk.ToString(m.DeviceName)] = *m.Ebs
		}
	}
	for _, device := range slices.Sorted(maps.Keys(snapshots)) {
		was := devices[device] // its size is left out: the volume may have grown since
		in.BlockDeviceMappings = append(in.BlockDeviceMappings, types.BlockDeviceMapping{DeviceName: &device, Ebs: &types.EbsBlockDevice{
			SnapshotId: awssdk.String(snapshots[device]), VolumeType: was.VolumeType, Iops: was.Iops, Throughput: was.Throughput, DeleteOnTermination: was.DeleteOnTermination,
		}})
	}
	return in
}

// madeBefore finds the image that an earlier call of the same spec made, when EC2 refuses its name.
func (r *region) madeBefore(ctx context.Context, spec cloud.ImageSpec, err error) (string, error) {
	if !isCode(err, "InvalidAMIName.Duplicate") {
		return "", err
	}
	found, failed := r.images(ctx, cloud.Query{}, filter("name", literal([]string{spec.Name})...))
	if failed != nil || len(found) != 1 {
		return "", err
	}
	has := tagsOf(found[0].Tags)
	for key, value := range spec.Tags {
		if got, is := has[key]; !is || got != value {
			return "", err
		}
	}
	return awssdk.ToString(found[0].ImageId), nil
}

// DeregisterImage is cloud.Images'. EC2 leaves a snapshot alone that another image is made of too, and that is right.
func (a *Account) DeregisterImage(ctx context.Context, region, image string, withSnapshots bool) error {
	done, err := a.in(region).ec2.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: &image, DeleteAssociatedSnapshots: &withSnapshots})
	if err != nil {
		return imageRefused("DeregisterImage", region, err)
	}
	for _, s := range done.DeleteSnapshotResults {
		switch s.ReturnCode {
		case types.SnapshotReturnCodesSuccess, types.SnapshotReturnCodesWarnSkipped:
		case types.SnapshotReturnCodesErrorMissingPermissions:
			return &cloud.Refusal{
				Kind: cloud.Denied, Scope: cloud.ScopeAccount, Key: region, Code: string(s.ReturnCode),
				Message: fmt.Sprintf("The image %s is gone, but Neap's role may not delete its snapshot %s; give the role ec2:DeleteSnapshot.", image, awssdk.ToString(s.SnapshotId)),
			}
		default:
			err = errors.Join(err, fmt.Errorf("aws: DeregisterImage: the image %s is gone, but its snapshot %s is still there (%s)", image, awssdk.ToString(s.SnapshotId), s.ReturnCode))
		}
	}
	return err
}

var _ cloud.Images = (*Account)(nil)
