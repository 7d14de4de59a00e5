package aws

import (
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// subnet is what never changes about one.
type subnet struct{ id, zone, network string }

// candidates are the subnets that a template names, in its order. Where it names none but minds public addresses, they are the zones' default subnets: only on a
// subnet's network card can the wish be said.
func (r *region) candidates(ctx context.Context, t cloud.Template) ([]subnet, error) {
	if len(t.Subnets) == 0 && t.PublicIP == nil {
		return nil, nil
	}
	if len(t.Subnets) == 0 {
		return r.subnets(ctx, types.Filter{Name: awssdk.String("default-for-az"), Values: []string{"true"}})
	}
	known := r.knownSubnets(t.Subnets)
	if len(known) < len(t.Subnets) {
		var err error
		if known, err = r.subnets(ctx, types.Filter{Name: awssdk.String("subnet-id"), Values: t.Subnets}); err != nil {
			return nil, err
		}
		r.learn(known)
	}
	var found []subnet
	for _, id := range t.Subnets {
		n := slices.IndexFunc(known, func(s subnet) bool { return s.id == id })
		if n < 0 {
			return nil, noSubnet(id, r.name)
		}
		found = append(found, known[n])
	}
	return found, nil
}

func noSubnet(id, region string) *cloud.Refusal {
	return unasked("InvalidSubnetID.NotFound", id, "There is no subnet %s in %s that this account may use.", id, region)
}

func (r *region) subnets(ctx context.Context, filter types.Filter) ([]subnet, error) {
	found, err := r.describeSubnets(ctx, filter)
	var all []subnet
	for _, s := range found {
		all = append(all, subnet{awssdk.ToString(s.SubnetId), awssdk.ToString(s.AvailabilityZone), awssdk.ToString(s.VpcId)})
	}
	slices.SortFunc(all, func(a, b subnet) int { return strings.Compare(a.id, b.id) })
	return all, err
}

func (r *region) describeSubnets(ctx context.Context, filter types.Filter) (found []types.Subnet, err error) {
	in := &ec2.DescribeSubnetsInput{Filters: []types.Filter{filter}}
	for {
		out, err := r.ec2.DescribeSubnets(ctx, in)
		if err != nil {
			return nil, refused("DescribeSubnets", r.name, err)
		}
		found = append(found, out.Subnets...)
		if awssdk.ToString(out.NextToken) == "" {
			return found, nil
		}
		in.NextToken = out.NextToken
	}
}

// knownSubnets are those that were looked up before. A subnet's zone and network are for life, so nothing is lost when this is forgotten.
func (r *region) knownSubnets(ids []string) (known []subnet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if s, is := r.seen[id]; is {
			known = append(known, s)
		}
	}
	return known
}

func (r *region) learn(subnets []subnet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]subnet{}
	}
	for _, s := range subnets {
		r.seen[s.id] = s
	}
}

// groupsOf replaces names of security groups with the ids that they have in a network.
func (r *region) groupsOf(ctx context.Context, network string, groups []string) ([]string, error) {
	ids, names := idsAndNames(groups)
	if len(names) == 0 {
		return ids, nil
	}
	found, err := r.securityGroups(ctx, types.Filter{Name: awssdk.String("vpc-id"), Values: []string{network}}, types.Filter{Name: awssdk.String("group-name"), Values: literal(names)})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		n := slices.IndexFunc(found, func(g types.SecurityGroup) bool { return awssdk.ToString(g.GroupName) == name })
		if n < 0 {
			return nil, unasked("InvalidGroup.NotFound", name, "There is no security group named %q in the network %s of the subnets.", name, network)
		}
		ids = append(ids, awssdk.ToString(found[n].GroupId))
	}
	return ids, nil
}

func (r *region) securityGroups(ctx context.Context, filters ...types.Filter) (found []types.SecurityGroup, err error) {
	in := &ec2.DescribeSecurityGroupsInput{Filters: filters}
	for {
		out, err := r.ec2.DescribeSecurityGroups(ctx, in)
		if err != nil {
			return nil, refused("DescribeSecurityGroups", r.name, err)
		}
		found = append(found, out.SecurityGroups...)
		if awssdk.ToString(out.NextToken) == "" {
			return found, nil
		}
		in.NextToken = out.NextToken
	}
}
