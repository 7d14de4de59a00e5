package aws

import (
	"context"
	"errors"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

var _ cloud.Tidier = (*Account)(nil)

// What Neap leaves behind for a while: a template serves the next launch of its group, and of a young fleet EC2 may not show the instances yet.
const (
	keepTemplate = 24 * time.Hour
	keepFleet    = time.Hour // as long as EC2 shows what has ended
	fleetsAtOnce = 25        // of instant fleets, in one call
)

// Tidy removes the launch templates and fleets that Neap made in a region and that nothing needs any more. Deleting an instant fleet ends its instances, so one goes
// only when all of them have ended. It is to be called now and then, once an hour or so; it finds things by their tags, and what it leaves it takes the next time.
func (a *Account) Tidy(ctx context.Context, region string) error {
	return a.tidy(ctx, region, a.feeds.Clock.Now())
}

func (a *Account) tidy(ctx context.Context, region string, now time.Time) error {
	r := a.in(region)
	return errors.Join(r.tidyFleets(ctx, now), r.tidyTemplates(ctx, now))
}

func (r *region) tidyFleets(ctx context.Context, now time.Time) error {
	made, err := r.fleetsMade(ctx)
	if err != nil {
		return err
	}
	var over []string
	for chunk := range slices.Chunk(made, fleetsAtOnce) {
		some, err := r.fleetsOver(ctx, chunk, now)
		if err != nil {
			return err
		}
		over = append(over, some...)
	}
	for chunk := range slices.Chunk(over, fleetsAtOnce) {
		out, err := r.ec2.DeleteFleets(ctx, &ec2.DeleteFleetsInput{FleetIds: chunk, TerminateInstances: awssdk.Bool(true)}) // EC2 takes instant fleets no other way
		if err != nil {
			return refused("DeleteFleets", r.name, err)
		}
		for _, kept := range out.UnsuccessfulFleetDeletions {
			if kept.Error != nil && kept.Error.Code != types.DeleteFleetErrorCodeFleetIdDoesNotExist {
				return &cloud.Refusal{Kind: cloud.BadRequest, Key: awssdk.ToString(kept.FleetId), Code: string(kept.Error.Code), Message: awssdk.ToString(kept.Error.Message)}
			}
		}
	}
	return nil
}

// fleetsMade are the fleets with Neap's tag. EC2 lists instant fleets only to who knows their ids; their tags are listed to everybody.
func (r *region) fleetsMade(ctx context.Context) (ids []string, err error) {
	in := &ec2.DescribeTagsInput{MaxResults: awssdk.Int32(pageSize), Filters: []types.Filter{
		{Name: awssdk.String("resource-type"), Values: []string{string(types.ResourceTypeFleet)}}, {Name: awssdk.String("key"), Values: []string{madeBy}},
	}}
	for {
		out, err := r.ec2.DescribeTags(ctx, in)
		if err != nil {
			return nil, refused("DescribeTags", r.name, err)
		}
		for _, tag := range out.Tags {
			ids = append(ids, awssdk.ToString(tag.ResourceId))
		}
		if awssdk.ToString(out.NextToken) == "" {
			return ids, nil
		}
		in.NextToken = out.NextToken
	}
}

// fleetsOver are those of the fleets whose instances have all ended. A fleet that is older than what EC2 remembers of the dead has ended when it shows none of them.
func (r *region) fleetsOver(ctx context.Context, ids []string, now time.Time) (over []string, err error) {
	out, err := r.ec2.DescribeFleets(ctx, &ec2.DescribeFleetsInput{FleetIds: ids})
	if err != nil {
		return nil, refused("DescribeFleets", r.name, err)
	}
	for _, fleet := range out.Fleets {
		if fleet.FleetState != types.FleetStateCodeActive {
			continue
		}
		ended, err := r.haveEnded(ctx, fleet)
		if err != nil {
			return nil, err
		}
		if ended && now.Sub(awssdk.ToTime(fleet.CreateTime)) > keepFleet {
			over = append(over, awssdk.ToString(fleet.FleetId))
		}
	}
	return over, nil
}

// haveEnded looks for living instances by what the fleet says and by the tag that EC2 puts on what it starts: neither alone is told to be whole.
func (r *region) haveEnded(ctx context.Context, fleet types.FleetData) (bool, error) {
	ids := []string{}
	for _, some := range fleet.Instances {
		ids = append(ids, some.InstanceIds...)
	}
	named, err := r.find(ctx, ids, nil)
	if err != nil {
		return false, err
	}
	tagged, err := r.list(ctx, types.Filter{Name: awssdk.String("tag:aws:ec2:fleet-id"), Values: []string{awssdk.ToString(fleet.FleetId)}})
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(append(named, tagged...), func(i cloud.Instance) bool { return i.State != cloud.Terminated && i.State != cloud.ShuttingDown }), nil
}

func (r *region) tidyTemplates(ctx context.Context, now time.Time) error {
	in := &ec2.DescribeLaunchTemplatesInput{Filters: []types.Filter{{Name: awssdk.String("tag-key"), Values: []string{madeBy}}}}
	for {
		out, err := r.ec2.DescribeLaunchTemplates(ctx, in)
		if err != nil {
			return refused("DescribeLaunchTemplates", r.name, err)
		}
		for _, template := range out.LaunchTemplates {
			if now.Sub(awssdk.ToTime(template.CreateTime)) <= keepTemplate {
				continue
			}
			_, err := r.ec2.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: template.LaunchTemplateId})
			isGone := code(err) == "InvalidLaunchTemplateId.NotFound" || code(err) == "InvalidLaunchTemplateName.NotFoundException" // another installation was faster
			if err != nil && !isGone {
				return refused("DeleteLaunchTemplate", r.name, err)
			}
		}
		if awssdk.ToString(out.NextToken) == "" {
			return nil
		}
		in.NextToken = out.NextToken
	}
}
