package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Check asks EC2 about everything that a template names: image, key pair, security groups, subnets. Malformed ids are told without asking. Instance profiles are
// IAM's, which Neap has no business in: that one is missing shows at the launch.
func (a *Account) Check(ctx context.Context, region string, t cloud.Template) ([]*cloud.Refusal, error) {
	r := a.in(region)
	faults := checkForms(t)
	for _, look := range []func(context.Context, cloud.Template) ([]*cloud.Refusal, error){r.checkImage, r.checkKeyPair, r.checkSubnets, r.checkGroups} {
		found, err := look(ctx, t)
		var refusal *cloud.Refusal
		switch {
		case errors.As(err, &refusal) && refusal.Kind == cloud.BadRequest: // EC2's own word on an id's form
			found = append(found, refusal)
		case err != nil:
			return nil, err
		}
		faults = append(faults, found...)
	}
	return faults, nil
}

// missing is the fault that a template names something which is not there for this account.
func (r *region) missing(code, what, name string) *cloud.Refusal {
	return unasked(code, name, "There is no %s %s in %s that this account may use.", what, name, r.name)
}

func (r *region) checkImage(ctx context.Context, t cloud.Template) ([]*cloud.Refusal, error) {
	if !imageForm.MatchString(t.Image) {
		return nil, nil
	}
	out, err := r.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{Filters: []types.Filter{{Name: awssdk.String("image-id"), Values: []string{t.Image}}}})
	switch {
	case err != nil:
		return nil, refused("DescribeImages", r.name, err)
	case len(out.Images) == 0:
		return []*cloud.Refusal{r.missing("InvalidAMIID.NotFound", "image", t.Image)}, nil
	case out.Images[0].State != types.ImageStateAvailable:
		return []*cloud.Refusal{unasked("InvalidAMIID.Unavailable", t.Image, "The image %s is %s; it has to be available.", t.Image, out.Images[0].State)}, nil
	}
	return nil, nil
}

func (r *region) checkKeyPair(ctx context.Context, t cloud.Template) ([]*cloud.Refusal, error) {
	if t.KeyPair == "" {
		return nil, nil
	}
	out, err := r.ec2.DescribeKeyPairs(ctx, &ec2.DescribeKeyPairsInput{Filters: []types.Filter{{Name: awssdk.String("key-name"), Values: literal([]string{t.KeyPair})}}})
	switch {
	case err != nil:
		return nil, refused("DescribeKeyPairs", r.name, err)
	case len(out.KeyPairs) == 0:
		return []*cloud.Refusal{unasked("InvalidKeyPair.NotFound", t.KeyPair, "There is no key pair named %q in %s.", t.KeyPair, r.name)}, nil
	}
	return nil, nil
}

func (r *region) checkSubnets(ctx context.Context, t cloud.Template) (faults []*cloud.Refusal, err error) {
	ids := slices.DeleteFunc(slices.Clone(t.Subnets), func(id string) bool { return !subnetForm.MatchString(id) })
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := r.describeSubnets(ctx, types.Filter{Name: awssdk.String("subnet-id"), Values: ids})
	if err != nil {
		return nil, err
	}
	networks := map[string]string{}
	for _, id := range ids {
		n := slices.IndexFunc(found, func(s types.Subnet) bool { return awssdk.ToString(s.SubnetId) == id })
		if n < 0 {
			faults = append(faults, r.missing("InvalidSubnetID.NotFound", "subnet", id))
			continue
		}
		if state := found[n].State; state != types.SubnetStateAvailable {
			faults = append(faults, unasked("InvalidSubnet.Unavailable", id, "The subnet %s is %s; it has to be available.", id, state))
		}
		networks[awssdk.ToString(found[n].VpcId)] = id
	}
	if len(networks) > 1 {
		faults = append(faults, unasked("InvalidSubnet.Network", ids[0], "The subnets lie in %d networks; instances of one group belong in one.", len(networks)))
	}
	return faults, nil
}

// checkGroups looks for the security groups. With subnets they have to be of the subnets' network, and names without any are looked for in the default network.
func (r *region) checkGroups(ctx context.Context, t cloud.Template) (faults []*cloud.Refusal, err error) {
	ids, names := idsAndNames(t.SecurityGroups)
	ids = slices.DeleteFunc(ids, func(id string) bool { return !groupForm.MatchString(id) })
	network, err := r.networkOf(ctx, t)
	if err != nil {
		return nil, err
	}
	var found []types.SecurityGroup
	for filter, values := range map[string][]string{"group-id": ids, "group-name": literal(names)} {
		if len(values) == 0 {
			continue
		}
		some, err := r.securityGroups(ctx, types.Filter{Name: &filter, Values: values})
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	for _, group := range t.SecurityGroups {
		own := slices.DeleteFunc(slices.Clone(found), func(g types.SecurityGroup) bool {
			return awssdk.ToString(g.GroupId) != group && awssdk.ToString(g.GroupName) != group
		})
		switch {
		case isGroupID(group) && !groupForm.MatchString(group):
		case len(own) == 0 && isGroupID(group):
			faults = append(faults, r.missing("InvalidGroup.NotFound", "security group", group))
		case len(own) == 0:
			faults = append(faults, r.missing("InvalidGroup.NotFound", "security group named", fmt.Sprintf("%q", group)))
		case network != "" && !slices.ContainsFunc(own, func(g types.SecurityGroup) bool { return awssdk.ToString(g.VpcId) == network }):
			faults = append(faults, unasked("InvalidGroup.Network", group, "The security group %s belongs to another network than the subnets, which lie in %s.", group, network))
		}
	}
	return faults, nil
}

// networkOf is the network of a template's subnets, "" while that is unknown.
func (r *region) networkOf(ctx context.Context, t cloud.Template) (string, error) {
	if len(t.Subnets) == 0 || len(t.SecurityGroups) == 0 || !subnetForm.MatchString(t.Subnets[0]) {
		return "", nil
	}
	found, err := r.candidates(ctx, cloud.Template{Subnets: t.Subnets[:1]})
	var refusal *cloud.Refusal
	if errors.As(err, &refusal) && refusal.Kind == cloud.BadRequest || len(found) == 0 {
		return "", nil // a missing subnet is told of already
	}
	return found[0].network, err
}
