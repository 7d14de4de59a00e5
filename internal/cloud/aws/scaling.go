package aws

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// What Auto Scaling takes in one call.
const (
	scalingPage   = 100 // groups, or names of groups
	scalingNames  = 50  // names of launch configurations
	detachAtOnce  = 20
	allOnDemand   = 100               // percent
	oneByDefault  = "lowest-price"    // the strategy for spot of a policy that names none
	classicSource = "elb"             // a traffic source that is a classic load balancer
	targetSource  = "elbv2"           // and one that is a target group
	invalidInput  = "ValidationError" // also what Auto Scaling says of a group that is not there
)

// ScalingGroups is cloud.Scaler's. Beside the groups it reads their launch configurations, 50 a call, and their launch templates, one call each or one for all.
func (a *Account) ScalingGroups(ctx context.Context, region string, names []string) ([]cloud.ScalingGroup, error) {
	r := a.in(region)
	found, err := r.scalingGroups(ctx, names)
	if err != nil {
		return nil, err
	}
	configurations, err := r.launchConfigurations(ctx, found)
	if err != nil {
		return nil, err
	}
	templates, err := r.launchTemplates(ctx, templatesOf(found))
	if err != nil {
		return nil, err
	}
	groups := make([]cloud.ScalingGroup, 0, len(found))
	for _, g := range found {
		group := scalingGroup(region, g)
		if c, ok := configurations[awssdk.ToString(g.LaunchConfigurationName)]; ok {
			configured(&group, c)
		} else if t, ok := templates.version(launchTemplateOf(g)); ok {
			templated(&group, t)
		}
		group.Template.Subnets, group.Template.PlacementGroup = group.Subnets, cmp.Or(awssdk.ToString(g.PlacementGroup), group.Template.PlacementGroup)
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b cloud.ScalingGroup) int { return cmp.Compare(a.Name, b.Name) })
	return groups, nil
}

func (r *region) scalingGroups(ctx context.Context, names []string) (found []types.AutoScalingGroup, err error) {
	for chunk := range chunks(names, scalingPage) {
		part, err := pages(func(token *string) ([]types.AutoScalingGroup, *string, error) {
			in := &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: chunk, NextToken: token, MaxRecords: awssdk.Int32(scalingPage)}
			page, err := r.scaling.DescribeAutoScalingGroups(ctx, in)
			if err != nil {
				return nil, nil, refused("DescribeAutoScalingGroups", r.name, err)
			}
			return page.AutoScalingGroups, page.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
		found = append(found, part...)
	}
	return found, nil
}

// launchConfigurations are those that the groups name; one that is deleted is not there.
func (r *region) launchConfigurations(ctx context.Context, groups []types.AutoScalingGroup) (map[string]types.LaunchConfiguration, error) {
	var names []string
	for _, g := range groups {
		if g.LaunchConfigurationName != nil {
			names = append(names, *g.LaunchConfigurationName)
		}
	}
	found := map[string]types.LaunchConfiguration{}
	for chunk := range slices.Chunk(once(names), scalingNames) {
		part, err := pages(func(token *string) ([]types.LaunchConfiguration, *string, error) {
			page, err := r.scaling.DescribeLaunchConfigurations(ctx, &autoscaling.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: chunk, NextToken: token})
			if err != nil {
				return nil, nil, refused("DescribeLaunchConfigurations", r.name, err)
			}
			return page.LaunchConfigurations, page.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
		for _, c := range part {
			found[awssdk.ToString(c.LaunchConfigurationName)] = c
		}
	}
	return found, nil
}

// scalingGroup is all of a group but what its launch configuration or launch template says.
func scalingGroup(region string, g types.AutoScalingGroup) cloud.ScalingGroup {
	group := cloud.ScalingGroup{
		Name: awssdk.ToString(g.AutoScalingGroupName), Region: region,
		ScalingSize: cloud.ScalingSize{Min: number(g.MinSize), Max: number(g.MaxSize), Desired: number(g.DesiredCapacity)},
		Zones:       g.AvailabilityZones, Subnets: fields(awssdk.ToString(g.VPCZoneIdentifier)),
		Mix:       cloud.ScalingMix{OnDemandPercent: allOnDemand},
		Health:    cloud.ScalingHealth{Checks: fields(awssdk.ToString(g.HealthCheckType)), Grace: time.Duration(number(g.HealthCheckGracePeriod)) * time.Second},
		Balancers: slices.Clone(g.LoadBalancerNames), Targets: slices.Clone(g.TargetGroupARNs),
		Tags: map[string]string{},
	}
	for _, p := range g.SuspendedProcesses {
		group.Suspended = append(group.Suspended, awssdk.ToString(p.ProcessName))
	}
	slices.Sort(group.Suspended)
	for _, s := range g.TrafficSources { // which AWS may also have told by their older names
		switch awssdk.ToString(s.Type) {
		case classicSource:
			group.Balancers = append(group.Balancers, awssdk.ToString(s.Identifier))
		case targetSource:
			group.Targets = append(group.Targets, awssdk.ToString(s.Identifier))
		}
	}
	group.Balancers, group.Targets = once(group.Balancers), once(group.Targets)
	for _, i := range g.Instances {
		group.Members = append(group.Members, cloud.ScalingMember{
			Instance: awssdk.ToString(i.InstanceId), Zone: awssdk.ToString(i.AvailabilityZone), Type: awssdk.ToString(i.InstanceType),
			State: string(i.LifecycleState), Healthy: awssdk.ToString(i.HealthStatus) == "Healthy", Protected: awssdk.ToBool(i.ProtectedFromScaleIn),
		})
	}
	for _, t := range g.Tags {
		group.Tags[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	if g.MixedInstancesPolicy != nil {
		mixed(&group, *g.MixedInstancesPolicy)
	}
	return group
}

// mixed reads a group's policy of several types; the defaults are those that AWS documents.
func mixed(group *cloud.ScalingGroup, policy types.MixedInstancesPolicy) {
	group.Mix.Strategy = oneByDefault
	if d := policy.InstancesDistribution; d != nil {
		group.Mix.Base = number(d.OnDemandBaseCapacity)
		group.Mix.Strategy = cmp.Or(awssdk.ToString(d.SpotAllocationStrategy), oneByDefault)
		if d.OnDemandPercentageAboveBaseCapacity != nil {
			group.Mix.OnDemandPercent = number(d.OnDemandPercentageAboveBaseCapacity)
		}
	}
	if policy.LaunchTemplate == nil {
		return
	}
	for _, o := range policy.LaunchTemplate.Overrides {
		kind := awssdk.ToString(o.InstanceType)
		if kind == "" {
			group.Types = []string{} // picked by attributes; the template's type does not count
			continue
		}
		group.Types = append(group.Types, kind)
		if weight, err := strconv.Atoi(awssdk.ToString(o.WeightedCapacity)); err == nil {
			if group.Weights == nil {
				group.Weights = map[string]int{}
			}
			group.Weights[kind] = weight
		}
	}
}

// configured adds what a launch configuration says.
func configured(group *cloud.ScalingGroup, c types.LaunchConfiguration) {
	group.Types = []string{awssdk.ToString(c.InstanceType)}
	if c.SpotPrice != nil {
		group.Mix.OnDemandPercent = 0
	}
	group.Template = cloud.Template{
		Image: awssdk.ToString(c.ImageId), KeyPair: awssdk.ToString(c.KeyName), SecurityGroups: c.SecurityGroups, UserData: awssdk.ToString(c.UserData),
		Role: awssdk.ToString(c.IamInstanceProfile), Tenancy: awssdk.ToString(c.PlacementTenancy), EBSOptimized: awssdk.ToBool(c.EbsOptimized),
		Monitoring: c.InstanceMonitoring == nil || awssdk.ToBool(c.InstanceMonitoring.Enabled), PublicIP: c.AssociatePublicIpAddress,
	}
}

// ResizeScaling is cloud.Scaler's.
func (a *Account) ResizeScaling(ctx context.Context, region, name string, size cloud.ScalingSize) error {
	r := a.in(region)
	_, err := r.scaling.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &name, MinSize: awssdk.Int32(int32(size.Min)), MaxSize: awssdk.Int32(int32(size.Max)), DesiredCapacity: awssdk.Int32(int32(size.Desired)),
	})
	return r.scalingRefused(ctx, "UpdateAutoScalingGroup", name, err)
}

// SuspendScaling is cloud.Scaler's.
func (a *Account) SuspendScaling(ctx context.Context, region, name string, processes []string) error {
	r := a.in(region)
	_, err := r.scaling.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: &name, ScalingProcesses: processes})
	return r.scalingRefused(ctx, "SuspendProcesses", name, err)
}

// ResumeScaling is cloud.Scaler's.
func (a *Account) ResumeScaling(ctx context.Context, region, name string, processes []string) error {
	r := a.in(region)
	_, err := r.scaling.ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: &name, ScalingProcesses: processes})
	return r.scalingRefused(ctx, "ResumeProcesses", name, err)
}

// DetachScaling is cloud.Scaler's.
func (a *Account) DetachScaling(ctx context.Context, region, name string, instances []string, shrink bool) error {
	r := a.in(region)
	for chunk := range slices.Chunk(instances, detachAtOnce) {
		_, err := r.scaling.DetachInstances(ctx, &autoscaling.DetachInstancesInput{
			AutoScalingGroupName: &name, InstanceIds: chunk, ShouldDecrementDesiredCapacity: &shrink,
		})
		if err != nil {
			return r.scalingRefused(ctx, "DetachInstances", name, err)
		}
	}
	return nil
}

// scalingRefused is refused for a call about one group. Auto Scaling has one code for all that is wrong with a request, so whether the group is there has to be asked.
func (r *region) scalingRefused(ctx context.Context, call, name string, err error) error {
	err = refused(call, r.name, err)
	if !isCode(err, invalidInput) {
		return err
	}
	if found, failed := r.scalingGroups(ctx, []string{name}); failed == nil && len(found) == 0 {
		return absent(invalidInput, r.name, "Auto Scaling group", name)
	}
	return err
}

// fields are the parts of a list in one string.
func fields(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
}

// once keeps each of the names once, in order.
func once(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

var _ cloud.Scaler = (*Account)(nil)
