package aws

import (
	"cmp"
	"context"
	"errors"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	balancersAtOnce = 20
	targetsAtOnce   = 100
	notRegistered   = "Target.NotRegistered" // AWS's word for target groups, used for classic ones too
)

// balancerNames is how people call each kind, and the code that AWS has for one that is not there.
var balancerNames = map[cloud.BalancerKind]struct{ name, missing string }{
	cloud.ClassicBalancer: {"load balancer", "LoadBalancerNotFound"},
	cloud.TargetGroup:     {"target group", "TargetGroupNotFound"},
}

// balancerKind refuses what is no kind.
func balancerKind(ref cloud.BalancerRef) error {
	if _, is := balancerNames[ref.Kind]; !is {
		return unasked("InvalidParameterValue", "kind", "A balancer is of the kind %s or %s, not %q.", cloud.ClassicBalancer, cloud.TargetGroup, ref.Kind)
	}
	return nil
}

// noBalancer is the refusal for a balancer that is not there.
func noBalancer(region string, ref cloud.BalancerRef) *cloud.Refusal {
	return absent(balancerNames[ref.Kind].missing, region, balancerNames[ref.Kind].name, ref.Key)
}

// balancerRefused is refused for a call about one balancer; AWS's own words name it only now and then.
func balancerRefused(call, region string, ref cloud.BalancerRef, err error) error {
	err = refused(call, region, err)
	if isCode(err, balancerNames[ref.Kind].missing) {
		return noBalancer(region, ref)
	}
	return err
}

// Balancers is cloud.Balancers'.
func (a *Account) Balancers(ctx context.Context, region string, refs []cloud.BalancerRef) ([]cloud.Balancer, error) {
	r := a.in(region)
	keys := map[cloud.BalancerKind][]string{}
	for _, ref := range refs {
		if err := balancerKind(ref); err != nil {
			return nil, err
		}
		keys[ref.Kind] = append(keys[ref.Kind], ref.Key)
	}
	there := map[cloud.BalancerRef]cloud.Balancer{}
	for kind, list := range map[cloud.BalancerKind]func(context.Context, []string) ([]cloud.Balancer, error){
		cloud.ClassicBalancer: r.classicBalancers, cloud.TargetGroup: r.targetGroups,
	} {
		for chunk := range slices.Chunk(once(keys[kind]), balancersAtOnce) {
			found, err := known(chunk, func(keys []string) ([]cloud.Balancer, error) { return list(ctx, keys) })
			if err != nil {
				return nil, err
			}
			for _, b := range found {
				there[b.BalancerRef] = b
			}
		}
	}
	var found []cloud.Balancer
	var missing error
	for _, ref := range refs {
		if b, is := there[ref]; is {
			found = append(found, b)
		} else {
			missing = errors.Join(missing, noBalancer(region, ref))
		}
	}
	return found, missing
}

func (r *region) classicBalancers(ctx context.Context, names []string) ([]cloud.Balancer, error) {
	found, err := pages(func(token *string) ([]classic.LoadBalancerDescription, *string, error) {
		page, err := r.classic.DescribeLoadBalancers(ctx, &elasticloadbalancing.DescribeLoadBalancersInput{LoadBalancerNames: names, Marker: token})
		if err != nil {
			return nil, nil, refused("DescribeLoadBalancers", r.name, err)
		}
		return page.LoadBalancerDescriptions, page.NextMarker, nil
	})
	var shown []cloud.Balancer
	for _, b := range found {
		name := awssdk.ToString(b.LoadBalancerName)
		shown = append(shown, cloud.Balancer{
			BalancerRef: cloud.BalancerRef{Kind: cloud.ClassicBalancer, Key: name}, Name: name, Takes: string(types.TargetTypeEnumInstance), Network: awssdk.ToString(b.VPCId),
		})
	}
	return shown, err
}

func (r *region) targetGroups(ctx context.Context, arns []string) ([]cloud.Balancer, error) {
	found, err := pages(func(token *string) ([]types.TargetGroup, *string, error) {
		page, err := r.balancer.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{TargetGroupArns: arns, Marker: token})
		if err != nil {
			return nil, nil, refused("DescribeTargetGroups", r.name, err)
		}
		return page.TargetGroups, page.NextMarker, nil
	})
	var shown []cloud.Balancer
	for _, g := range found {
		shown = append(shown, cloud.Balancer{
			BalancerRef: cloud.BalancerRef{Kind: cloud.TargetGroup, Key: awssdk.ToString(g.TargetGroupArn)}, Name: awssdk.ToString(g.TargetGroupName), Port: number(g.Port),
			Takes: string(g.TargetType), Network: awssdk.ToString(g.VpcId), Fronts: g.LoadBalancerArns,
		})
	}
	return shown, err
}

// RegisterTargets is cloud.Balancers'.
func (a *Account) RegisterTargets(ctx context.Context, region string, ref cloud.BalancerRef, targets []cloud.Target) error {
	if err := balancerKind(ref); err != nil {
		return err
	}
	r := a.in(region)
	for chunk := range slices.Chunk(targets, targetsAtOnce) {
		call, err := "RegisterTargets", error(nil)
		if ref.Kind == cloud.ClassicBalancer {
			call = "RegisterInstancesWithLoadBalancer"
			_, err = r.classic.RegisterInstancesWithLoadBalancer(ctx, &elasticloadbalancing.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &ref.Key, Instances: classicTargets(chunk)})
		} else {
			_, err = r.balancer.RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: &ref.Key, Targets: groupTargets(chunk)})
		}
		if err != nil {
			return balancerRefused(call, region, ref, err)
		}
	}
	return nil
}

// DeregisterTargets is cloud.Balancers'. Of a target that no longer is an instance AWS refuses the whole call: then only those that it does list are deregistered.
func (a *Account) DeregisterTargets(ctx context.Context, region string, ref cloud.BalancerRef, targets []cloud.Target) error {
	if err := balancerKind(ref); err != nil {
		return err
	}
	r := a.in(region)
	for chunk := range slices.Chunk(targets, targetsAtOnce) {
		err := r.deregister(ctx, ref, chunk)
		if isCode(err, "InvalidTarget", "InvalidInstance") {
			err = r.deregisterListed(ctx, ref, chunk)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *region) deregister(ctx context.Context, ref cloud.BalancerRef, targets []cloud.Target) error {
	if ref.Kind == cloud.ClassicBalancer {
		in := &elasticloadbalancing.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &ref.Key, Instances: classicTargets(targets)}
		_, err := r.classic.DeregisterInstancesFromLoadBalancer(ctx, in)
		return balancerRefused("DeregisterInstancesFromLoadBalancer", r.name, ref, err)
	}
	_, err := r.balancer.DeregisterTargets(ctx, &elasticloadbalancingv2.DeregisterTargetsInput{TargetGroupArn: &ref.Key, Targets: groupTargets(targets)})
	return balancerRefused("DeregisterTargets", r.name, ref, err)
}

func (r *region) deregisterListed(ctx context.Context, ref cloud.BalancerRef, targets []cloud.Target) error {
	listed, err := r.health(ctx, ref)
	if err != nil {
		return err
	}
	targets = slices.DeleteFunc(slices.Clone(targets), func(t cloud.Target) bool {
		return !slices.ContainsFunc(listed, func(h cloud.TargetHealth) bool { return same(t, h.Target) })
	})
	if len(targets) == 0 {
		return nil
	}
	return r.deregister(ctx, ref, targets)
}

// TargetHealth is cloud.Balancers'. It asks for all that is registered, in one call, and picks: of a target that no longer is an instance AWS refuses to tell.
func (a *Account) TargetHealth(ctx context.Context, region string, ref cloud.BalancerRef, targets []cloud.Target) ([]cloud.TargetHealth, error) {
	if err := balancerKind(ref); err != nil {
		return nil, err
	}
	listed, err := a.in(region).health(ctx, ref)
	if err != nil || targets == nil {
		return listed, err
	}
	byID := map[string][]cloud.TargetHealth{}
	for _, h := range listed {
		byID[h.Target.ID] = append(byID[h.Target.ID], h)
	}
	all := make([]cloud.TargetHealth, len(targets))
	for n, t := range targets {
		all[n] = cloud.TargetHealth{Target: t, State: cloud.TargetUnused, Reason: notRegistered}
		if at := slices.IndexFunc(byID[t.ID], func(h cloud.TargetHealth) bool { return same(t, h.Target) }); at >= 0 {
			all[n] = byID[t.ID][at]
		}
	}
	return all, nil
}

// same reports whether a target that was asked for is the one that is registered, on whatever port unless it says one.
func same(asked, registered cloud.Target) bool {
	return asked.ID == registered.ID && (asked.Port == 0 || registered.Port == 0 || asked.Port == registered.Port)
}

// health is of all targets, by id and port.
func (r *region) health(ctx context.Context, ref cloud.BalancerRef) (all []cloud.TargetHealth, err error) {
	if ref.Kind == cloud.ClassicBalancer {
		all, err = r.classicHealth(ctx, ref)
	} else {
		all, err = r.groupHealth(ctx, ref)
	}
	slices.SortFunc(all, func(a, b cloud.TargetHealth) int {
		return cmp.Or(cmp.Compare(a.Target.ID, b.Target.ID), cmp.Compare(a.Target.Port, b.Target.Port))
	})
	return all, err
}

func (r *region) classicHealth(ctx context.Context, ref cloud.BalancerRef) (all []cloud.TargetHealth, err error) {
	found, err := r.classic.DescribeInstanceHealth(ctx, &elasticloadbalancing.DescribeInstanceHealthInput{LoadBalancerName: &ref.Key})
	if err != nil {
		return nil, balancerRefused("DescribeInstanceHealth", r.name, ref, err)
	}
	for _, s := range found.InstanceStates {
		all = append(all, cloud.TargetHealth{
			Target: cloud.Target{ID: awssdk.ToString(s.InstanceId)}, State: classicState(s), Reason: awssdk.ToString(s.ReasonCode), Text: awssdk.ToString(s.Description),
		})
	}
	return all, nil
}

// classicState is what a classic load balancer says of an instance. Out of service for the balancer's own reasons, it is just being taken in.
func classicState(s classic.InstanceState) cloud.TargetState {
	switch awssdk.ToString(s.State) {
	case "InService":
		return cloud.TargetHealthy
	case "OutOfService":
		if awssdk.ToString(s.ReasonCode) == "ELB" {
			return cloud.TargetInitial
		}
		return cloud.TargetUnhealthy
	}
	return cloud.TargetUnknown
}

func (r *region) groupHealth(ctx context.Context, ref cloud.BalancerRef) (all []cloud.TargetHealth, err error) {
	found, err := r.balancer.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: &ref.Key})
	if err != nil {
		return nil, balancerRefused("DescribeTargetHealth", r.name, ref, err)
	}
	for _, d := range found.TargetHealthDescriptions {
		shown := cloud.TargetHealth{State: cloud.TargetUnknown}
		if t := d.Target; t != nil {
			shown.Target = cloud.Target{ID: awssdk.ToString(t.Id), Port: number(t.Port), Zone: awssdk.ToString(t.AvailabilityZone)}
		}
		if h := d.TargetHealth; h != nil {
			shown.State, shown.Reason, shown.Text = groupState(h.State), string(h.Reason), awssdk.ToString(h.Description)
		}
		all = append(all, shown)
	}
	return all, nil
}

func groupState(s types.TargetHealthStateEnum) cloud.TargetState {
	switch s {
	case types.TargetHealthStateEnumHealthy, types.TargetHealthStateEnumUnhealthy, types.TargetHealthStateEnumInitial, types.TargetHealthStateEnumDraining, types.TargetHealthStateEnumUnused:
		return cloud.TargetState(s)
	case types.TargetHealthStateEnumUnhealthyDraining:
		return cloud.TargetDraining
	}
	return cloud.TargetUnknown
}

func classicTargets(targets []cloud.Target) []classic.Instance {
	all := make([]classic.Instance, len(targets))
	for n, t := range targets {
		all[n] = classic.Instance{InstanceId: &t.ID}
	}
	return all
}

func groupTargets(targets []cloud.Target) []types.TargetDescription {
	all := make([]types.TargetDescription, len(targets))
	for n, t := range targets {
		all[n] = types.TargetDescription{Id: &t.ID, Port: givenNumber(t.Port), AvailabilityZone: given(t.Zone)}
	}
	return all
}

var _ cloud.Balancers = (*Account)(nil)
