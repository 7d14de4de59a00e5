package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

// madeBy is the tag that Neap's own templates and fleets carry; Tidy goes by it.
const madeBy = "neap:made-for"

// fleet starts instances in whichever of the places has room, by a fleet that does so once and then is no more than a record. Its template holds what all have in
// common and is named by that, so that launches of a group share one.
func (r *region) fleet(ctx context.Context, o order) ([]cloud.Instance, error) {
	name, err := r.template(ctx, o)
	if err != nil {
		return nil, err
	}
	in := &ec2.CreateFleetInput{
		ClientToken: awssdk.String(tokenOf(o.Token)), Type: types.FleetTypeInstant,
		LaunchTemplateConfigs: []types.FleetLaunchTemplateConfigRequest{{
			LaunchTemplateSpecification: &types.FleetLaunchTemplateSpecificationRequest{LaunchTemplateName: &name, Version: awssdk.String("1")},
			Overrides:                   o.overrides(),
		}},
		TargetCapacitySpecification: &types.TargetCapacitySpecificationRequest{TotalTargetCapacity: awssdk.Int32(int32(o.Count))},
		TagSpecifications: append(tagged(o.Tags, types.ResourceTypeInstance, types.ResourceTypeVolume),
			tagged(map[string]string{madeBy: "launch"}, types.ResourceTypeFleet)...),
	}
	var least *int32
	var oneZone, oneType *bool
	if o.Least > 1 { // EC2 keeps a minimum only inside one zone or for one type
		least, oneZone, oneType = o.least()
	}
	if o.Market.Lifecycle == cloud.Spot {
		in.TargetCapacitySpecification.DefaultTargetCapacityType = types.DefaultTargetCapacityTypeSpot
		in.SpotOptions = &types.SpotOptionsRequest{
			AllocationStrategy: types.SpotAllocationStrategyCapacityOptimizedPrioritized, MinTargetCapacity: least, SingleAvailabilityZone: oneZone, SingleInstanceType: oneType,
		}
	} else {
		in.TargetCapacitySpecification.DefaultTargetCapacityType = types.DefaultTargetCapacityTypeOnDemand
		in.OnDemandOptions = &types.OnDemandOptionsRequest{
			AllocationStrategy: types.FleetOnDemandAllocationStrategyPrioritized, MinTargetCapacity: least, SingleAvailabilityZone: oneZone, SingleInstanceType: oneType,
		}
	}
	out, err := r.ec2.CreateFleet(ctx, in, afterAnswers)
	if code(err) == "InvalidLaunchTemplateName.NotFoundException" {
		return nil, fmt.Errorf("aws: %w; it was removed this moment, and will be made anew", cause("CreateFleet", err))
	}
	if err != nil {
		return nil, o.refused("CreateFleet", o.places[0], err)
	}
	return r.fleetStarted(ctx, o, out)
}

// least says how a minimum is kept: in one zone, where all places lie in one or are of several types, and else by the one type.
func (o order) least() (least *int32, oneZone, oneType *bool) {
	kinds := map[string]bool{}
	zones := map[string]bool{}
	for _, p := range o.places {
		kinds[p.market.Type], zones[p.market.Zone] = true, true
	}
	least = awssdk.Int32(int32(o.Least))
	if len(kinds) == 1 && len(zones) > 1 {
		return least, nil, awssdk.Bool(true)
	}
	return least, awssdk.Bool(true), nil
}

// overrides are the places, the preferred ones with the lower number.
func (o order) overrides() []types.FleetLaunchTemplateOverridesRequest {
	var all []types.FleetLaunchTemplateOverridesRequest
	for n, p := range o.places {
		one := types.FleetLaunchTemplateOverridesRequest{InstanceType: types.InstanceType(p.market.Type), Priority: awssdk.Float64(float64(n))}
		if p.subnet != "" {
			one.SubnetId = &p.subnet
		} else {
			one.AvailabilityZone = &p.market.Zone
		}
		all = append(all, one)
	}
	return all
}

// template makes the launch template of an order, unless it is there.
func (r *region) template(ctx context.Context, o order) (string, error) {
	common := o.Template
	common.Subnets, common.SecurityGroups = nil, o.groups
	text, err := json.Marshal(common)
	if err != nil {
		return "", fmt.Errorf("aws: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(text, "%s %t", o.Market.Lifecycle, o.places[0].subnet != ""))
	name := "neap-" + hex.EncodeToString(sum[:16])
	_, err = r.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: &name, LaunchTemplateData: o.templateData(), TagSpecifications: tagged(map[string]string{madeBy: "launch"}, types.ResourceTypeLaunchTemplate),
	})
	if code(err) == "InvalidLaunchTemplateName.AlreadyExistsException" {
		return name, nil
	}
	return name, refused("CreateLaunchTemplate", r.name, err)
}

func (o order) templateData() *types.RequestLaunchTemplateData {
	t := o.Template
	data := &types.RequestLaunchTemplateData{
		ImageId: &t.Image, KeyName: given(t.KeyPair), UserData: given(t.UserData),
	}
	if o.Market.Lifecycle == cloud.OnDemand {
		data.InstanceInitiatedShutdownBehavior = types.ShutdownBehavior(t.Shutdown)
	}
	if t.Tenancy != "" || t.PlacementGroup != "" {
		data.Placement = &types.LaunchTemplatePlacementRequest{Tenancy: types.Tenancy(t.Tenancy), GroupName: given(t.PlacementGroup)}
	}
	if name, arn := profile(t.Role); t.Role != "" {
		data.IamInstanceProfile = &types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: name, Arn: arn}
	}
	if t.Monitoring {
		data.Monitoring = &types.LaunchTemplatesMonitoringRequest{Enabled: &t.Monitoring}
	}
	if t.EBSOptimized {
		data.EbsOptimized = &t.EBSOptimized
	}
	if t.PublicIP != nil && o.places[0].subnet != "" {
		data.NetworkInterfaces = []types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{{
			DeviceIndex: awssdk.Int32(0), Groups: o.groups, AssociatePublicIpAddress: t.PublicIP, DeleteOnTermination: awssdk.Bool(true),
		}}
		return data
	}
	data.SecurityGroupIds, data.SecurityGroups = idsAndNames(o.groups)
	return data
}

// fleetStarted reads what a fleet has started. The fleet names ids only; one that EC2 doesn't describe yet is told from what the fleet says of it.
func (r *region) fleetStarted(ctx context.Context, o order, out *ec2.CreateFleetOutput) ([]cloud.Instance, error) {
	var ids []string
	told := map[string]cloud.Instance{}
	for _, some := range out.Instances {
		for _, id := range some.InstanceIds {
			ids = append(ids, id)
			told[id] = o.barely(id, some)
		}
	}
	if len(ids) > 0 {
		found, err := r.find(ctx, ids, nil)
		if err != nil {
			return nil, unheard(err)
		}
		for _, i := range found {
			told[i.ID] = i
		}
	}
	var started []cloud.Instance
	for _, id := range ids {
		started = append(started, told[id])
	}
	if len(started) < o.Count && len(out.Errors) > 0 {
		return started, o.worst(out.Errors)
	}
	return o.started(started)
}

// unheard hides from the caller that a look was refused: the instances run, so the launch itself was not, and is to be repeated with its token. That is why the
// refusal is told and not wrapped.
func unheard(err error) error {
	return fmt.Errorf("aws: the fleet has started instances, but they can't be seen: %v", err)
}

// barely is an instance as far as the fleet that started it tells.
func (o order) barely(id string, some types.CreateFleetInstance) cloud.Instance {
	i := cloud.Instance{ID: id, Market: o.Market, State: cloud.Pending, Image: o.Template.Image, KeyPair: o.Template.KeyPair, Tags: maps.Clone(o.Tags), LaunchedAt: clock.Wall{}.Now()}
	i.Market.Type = string(some.InstanceType)
	p := o.placeOf(some.LaunchTemplateAndOverrides)
	i.Market.Zone, i.Subnet = p.market.Zone, p.subnet
	return i
}

// placeOf is the place that EC2 speaks of; the first when it doesn't say.
func (o order) placeOf(spoken *types.LaunchTemplateAndOverridesResponse) place {
	if spoken == nil || spoken.Overrides == nil {
		return o.places[0]
	}
	by := spoken.Overrides
	n := slices.IndexFunc(o.places, func(p place) bool {
		return p.market.Type == string(by.InstanceType) && (by.SubnetId == nil || p.subnet == *by.SubnetId) && (by.AvailabilityZone == nil || p.market.Zone == *by.AvailabilityZone)
	})
	return o.places[max(n, 0)]
}

// worst is the one of a fleet's errors that says most: what somebody has to mend first, then limits, then pools, and the pool that was asked for before the others.
// That a request will never work is believed only when every place says so.
func (o order) worst(errs []types.CreateFleetError) error {
	ranks := []cloud.RefusalKind{cloud.Denied, cloud.NoQuota, cloud.Throttled, cloud.NoCapacity, cloud.BadRequest}
	var worst *cloud.Refusal
	rank := func(r *cloud.Refusal) int {
		n := 2 * slices.Index(ranks, r.Kind)
		if r.Scope == cloud.ScopePool && r.Key != o.Market.PoolKey() || r.Scope == cloud.ScopeSubnet {
			n++
		}
		return n
	}
	var failed error
	for _, e := range errs {
		at := o.placeOf(e.LaunchTemplateAndOverrides)
		err := o.refused("CreateFleet", at, &smithy.GenericAPIError{Code: awssdk.ToString(e.ErrorCode), Message: awssdk.ToString(e.ErrorMessage)})
		var refusal *cloud.Refusal
		if !errors.As(err, &refusal) {
			failed = err
		} else if worst == nil || rank(refusal) < rank(worst) {
			worst = refusal
		}
	}
	if worst == nil {
		return failed
	}
	return worst
}
