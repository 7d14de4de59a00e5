package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

var _ cloud.Provider = (*Account)(nil)

// Launch asks for all instances in one call: RunInstances where one market and one subnet are all there is, and else an instant fleet, which chooses among the
// places by itself. EC2 keeps the promise about the token; see again for what it does once instances have ended.
func (a *Account) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	if refusal := checkLaunch(l); refusal != nil {
		return nil, refusal
	}
	l.Market.Product = productOf(l.Market)
	r := a.in(l.Market.Region)
	o, err := r.order(ctx, l)
	if err != nil {
		return nil, err
	}
	if len(o.places) == 1 {
		return r.run(ctx, o)
	}
	return r.fleet(ctx, o)
}

// order is a launch with everything in it that had to be looked up.
type order struct {
	cloud.Launch
	places []place  // where it may start instances, the better places first
	groups []string // ids of security groups; names where no subnet says which network they belong to
}

// place is a market and, unless EC2 chooses it, the subnet.
type place struct {
	market cloud.Market
	subnet string
}

func (r *region) order(ctx context.Context, l cloud.Launch) (order, error) {
	o := order{Launch: l, groups: l.Template.SecurityGroups}
	subnets, err := r.candidates(ctx, l.Template)
	if err != nil {
		return o, err
	}
	network := ""
	for _, m := range append([]cloud.Market{l.Market}, l.Alternatives...) {
		if len(subnets) == 0 {
			o.places = append(o.places, place{market: m})
		}
		for _, s := range subnets {
			if s.zone == m.Zone {
				o.places, network = append(o.places, place{m, s.id}), s.network
			}
		}
	}
	if len(o.places) == 0 {
		return o, &cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: l.Market.PoolKey(), Code: "NoSubnetInZone",
			Message: fmt.Sprintf("None of the subnets %s lies in the zone %s.", strings.Join(l.Template.Subnets, ", "), l.Market.Zone)}
	}
	if network != "" {
		o.groups, err = r.groupsOf(ctx, network, o.groups)
	}
	return o, err
}

// run starts instances in the only place there is.
func (r *region) run(ctx context.Context, o order) ([]cloud.Instance, error) {
	at, t := o.places[0], o.Template
	in := &ec2.RunInstancesInput{
		ClientToken:       awssdk.String(tokenOf(o.Token)),
		MinCount:          awssdk.Int32(int32(max(o.Least, 1))),
		MaxCount:          awssdk.Int32(int32(o.Count)),
		ImageId:           &t.Image,
		InstanceType:      types.InstanceType(at.market.Type),
		KeyName:           given(t.KeyPair),
		UserData:          given(t.UserData),
		Placement:         &types.Placement{Tenancy: types.Tenancy(t.Tenancy), GroupName: given(t.PlacementGroup)},
		TagSpecifications: tagged(o.Tags, types.ResourceTypeInstance, types.ResourceTypeVolume),
	}
	if at.market.Lifecycle == cloud.Spot {
		in.InstanceMarketOptions = &types.InstanceMarketOptionsRequest{MarketType: types.MarketTypeSpot, SpotOptions: &types.SpotMarketOptions{
			SpotInstanceType: types.SpotInstanceTypeOneTime, InstanceInterruptionBehavior: types.InstanceInterruptionBehaviorTerminate,
		}}
		in.TagSpecifications = append(in.TagSpecifications, tagged(o.Tags, types.ResourceTypeSpotInstancesRequest)...)
	} else {
		in.InstanceInitiatedShutdownBehavior = types.ShutdownBehavior(t.Shutdown) // one-time spot ends in any case
	}
	if name, arn := profile(t.Role); t.Role != "" {
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: name, Arn: arn}
	}
	if t.Monitoring {
		in.Monitoring = &types.RunInstancesMonitoringEnabled{Enabled: &t.Monitoring}
	}
	if t.EBSOptimized {
		in.EbsOptimized = &t.EBSOptimized
	}
	o.connect(at, in)
	out, err := r.ec2.RunInstances(ctx, in, afterAnswers)
	if code(err) == "IdempotentInstanceTerminated" {
		return r.again(ctx, o)
	}
	if err != nil {
		return nil, o.refused("RunInstances", at, err)
	}
	return o.started(r.showAll(out.Instances))
}

// connect says where the instances are plugged in. A wish about public addresses is the network card's, and then so are the subnet and the groups.
func (o order) connect(at place, in *ec2.RunInstancesInput) {
	switch {
	case at.subnet == "":
		in.Placement.AvailabilityZone = &at.market.Zone
		in.SecurityGroupIds, in.SecurityGroups = idsAndNames(o.groups)
	case o.Template.PublicIP != nil:
		in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{
			DeviceIndex: awssdk.Int32(0), SubnetId: &at.subnet, Groups: o.groups, AssociatePublicIpAddress: o.Template.PublicIP, DeleteOnTermination: awssdk.Bool(true),
		}}
	default:
		in.SubnetId, in.SecurityGroupIds = &at.subnet, o.groups
	}
}

// again finds what a launch has started whose instances have ended: EC2 then only says that they have, where it would repeat its answer before.
func (r *region) again(ctx context.Context, o order) ([]cloud.Instance, error) {
	found, err := r.list(ctx, types.Filter{Name: awssdk.String("client-token"), Values: []string{tokenOf(o.Token)}})
	if err == nil && len(found) == 0 {
		err = &cloud.Refusal{Kind: cloud.Unknown, Key: o.Token, Code: "IdempotentInstanceTerminated", Message: "The instances of this launch ended so long ago that AWS no longer shows them."}
	}
	if err != nil {
		return nil, err
	}
	return o.started(found)
}

// started is the answer to a launch: what runs, and a refusal for the rest. Of an answer that holds too few EC2 doesn't say why; it is nearly always the pool.
func (o order) started(instances []cloud.Instance) ([]cloud.Instance, error) {
	if len(instances) >= o.Count {
		return instances, nil
	}
	m := o.Market
	return instances, &cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: m.PoolKey(), Code: "InsufficientInstanceCapacity",
		Message: fmt.Sprintf("AWS started %d of %d %s instances (%s) in %s; it has no room for more.", len(instances), o.Count, m.Type, m.Lifecycle, m.Zone)}
}

// refused words what EC2 answered to a launch, and says how far it reaches.
func (o order) refused(call string, at place, err error) error {
	err = refused(call, o.Market.Region, err)
	var refusal *cloud.Refusal
	if errors.As(err, &refusal) {
		refusal.Key = at.key(refusal)
		if refusal.Scope == cloud.ScopeSubnet && refusal.Key == "" {
			refusal.Scope, refusal.Key = cloud.ScopePool, at.market.PoolKey() // EC2 chose the subnet, and doesn't say which
		}
	}
	return err
}

var subnetInText = regexp.MustCompile(`subnet-[0-9a-f]{8,17}`)

// key is what a refusal at a place is about, within its scope.
func (p place) key(r *cloud.Refusal) string {
	switch r.Scope {
	case cloud.ScopePool:
		return p.market.PoolKey()
	case cloud.ScopeQuota:
		return p.market.QuotaKey()
	case cloud.ScopeSubnet:
		if p.subnet == "" {
			return subnetInText.FindString(r.Message)
		}
		return p.subnet
	}
	return p.market.Region
}

// tokenOf is a token as EC2 takes it: at most 64 characters of ASCII.
func tokenOf(token string) string {
	isLong := len(token) > 64 || strings.ContainsFunc(token, func(c rune) bool { return c < '!' || c > '~' })
	if !isLong {
		return token
	}
	sum := sha256.Sum256([]byte(token))
	return "neap-" + hex.EncodeToString(sum[:24])
}

// tagged are the same tags for resources of several kinds, in order of their keys: a repeated launch is to look like the first.
func tagged(tags map[string]string, kinds ...types.ResourceType) []types.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	list := tagList(tags)
	var all []types.TagSpecification
	for _, kind := range kinds {
		all = append(all, types.TagSpecification{ResourceType: kind, Tags: list})
	}
	return all
}

func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: &key, Value: awssdk.String(tags[key])})
	}
	return list
}

// profile tells a name of an instance profile from an ARN.
func profile(role string) (name, arn *string) {
	if strings.HasPrefix(role, "arn:") {
		return nil, &role
	}
	return &role, nil
}

func isGroupID(group string) bool { return strings.HasPrefix(group, "sg-") }

func idsAndNames(groups []string) (ids, names []string) {
	for _, group := range groups {
		if isGroupID(group) {
			ids = append(ids, group)
		} else {
			names = append(names, group)
		}
	}
	return ids, names
}

// given is nil for what is left out.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
