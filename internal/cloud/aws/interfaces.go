package aws

import (
	"context"
	"errors"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Interfaces is cloud.Interfaces'.
func (a *Account) Interfaces(ctx context.Context, q cloud.AttachedQuery) ([]cloud.Interface, error) {
	r := a.in(q.Region)
	return selected(q.Query, "network-interface-id", attachedTo(q.Instance), func(filters []types.Filter, token *string) ([]types.NetworkInterface, *string, error) {
		page, err := r.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: filters, NextToken: token, MaxResults: awssdk.Int32(resourcePage)})
		if err != nil {
			return nil, nil, refused("DescribeNetworkInterfaces", r.name, err)
		}
		return page.NetworkInterfaces, page.NextToken, nil
	}, func(i types.NetworkInterface) (string, cloud.Interface) {
		return awssdk.ToString(i.NetworkInterfaceId), networkInterface(i)
	})
}

func networkInterface(i types.NetworkInterface) cloud.Interface {
	shown := cloud.Interface{
		ID: awssdk.ToString(i.NetworkInterfaceId), Zone: awssdk.ToString(i.AvailabilityZone), State: interfaceState(i.Status),
		InterfaceSpec: cloud.InterfaceSpec{
			Subnet: awssdk.ToString(i.SubnetId), PrivateIP: awssdk.ToString(i.PrivateIpAddress), Description: awssdk.ToString(i.Description), Tags: tagsOf(i.TagSet),
		},
	}
	for _, g := range i.Groups {
		shown.Groups = append(shown.Groups, awssdk.ToString(g.GroupId))
	}
	if i.Association != nil {
		shown.PublicIP = awssdk.ToString(i.Association.PublicIp)
	}
	if t := i.Attachment; t != nil && t.Status != types.AttachmentStatusDetached {
		shown.Attachment = &cloud.Attachment{
			ID: awssdk.ToString(t.AttachmentId), Instance: awssdk.ToString(t.InstanceId), Device: strconv.Itoa(number(t.DeviceIndex)),
			Settled: t.Status == types.AttachmentStatusAttached, Kept: !awssdk.ToBool(t.DeleteOnTermination),
		}
	}
	return shown
}

func interfaceState(s types.NetworkInterfaceStatus) cloud.InterfaceState {
	switch s {
	case types.NetworkInterfaceStatusAvailable:
		return cloud.InterfaceAvailable
	case types.NetworkInterfaceStatusInUse, types.NetworkInterfaceStatusAssociated, types.NetworkInterfaceStatusAttaching, types.NetworkInterfaceStatusDetaching:
		return cloud.InterfaceInUse
	}
	return cloud.InterfacePending
}

// oneInterface is an interface that has to be there.
func (a *Account) oneInterface(ctx context.Context, region, id string) (cloud.Interface, error) {
	found, err := a.Interfaces(ctx, cloud.AttachedQuery{Query: cloud.Query{Region: region, IDs: []string{id}}})
	if err == nil && len(found) == 0 {
		err = absent("InvalidNetworkInterfaceID.NotFound", region, "network interface", id)
	}
	if err != nil {
		return cloud.Interface{}, err
	}
	return found[0], nil
}

// CreateInterface is cloud.Interfaces'.
func (a *Account) CreateInterface(ctx context.Context, region string, spec cloud.InterfaceSpec) (cloud.Interface, error) {
	made, err := a.in(region).ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{
		ClientToken: given(tokenOf(spec.Token)), SubnetId: &spec.Subnet, Groups: spec.Groups, PrivateIpAddress: given(spec.PrivateIP), Description: given(spec.Description),
		TagSpecifications: tagged(spec.Tags, types.ResourceTypeNetworkInterface),
	})
	err = refused("CreateNetworkInterface", region, err)
	var refusal *cloud.Refusal
	if errors.As(err, &refusal) && refusal.Scope == cloud.ScopeSubnet {
		refusal.Key = spec.Subnet
	}
	if err != nil {
		return cloud.Interface{}, err
	}
	return networkInterface(*made.NetworkInterface), nil
}

// AttachInterface is cloud.Interfaces'.
func (a *Account) AttachInterface(ctx context.Context, region, id, instance string, index int) error {
	_, err := a.in(region).ec2.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{
		NetworkInterfaceId: &id, InstanceId: &instance, DeviceIndex: awssdk.Int32(int32(index)),
	})
	return unless(refused("AttachNetworkInterface", region, err), func() (bool, error) {
		now, err := a.oneInterface(ctx, region, id)
		return now.Attachment != nil && now.Attachment.Instance == instance && now.Attachment.Device == strconv.Itoa(index), err
	})
}

// DetachInterface is cloud.Interfaces'.
func (a *Account) DetachInterface(ctx context.Context, region, id string, force bool) error {
	is, err := a.oneInterface(ctx, region, id)
	if err != nil || is.Attachment == nil {
		return err
	}
	_, err = a.in(region).ec2.DetachNetworkInterface(ctx, &ec2.DetachNetworkInterfaceInput{AttachmentId: &is.Attachment.ID, Force: &force})
	return unless(refused("DetachNetworkInterface", region, err), func() (bool, error) {
		now, err := a.oneInterface(ctx, region, id)
		return now.Attachment == nil, err
	})
}

// DeleteInterface is cloud.Interfaces'.
func (a *Account) DeleteInterface(ctx context.Context, region, id string) error {
	_, err := a.in(region).ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id})
	return refused("DeleteNetworkInterface", region, err)
}

// KeepInterface is cloud.Interfaces'.
func (a *Account) KeepInterface(ctx context.Context, region, id string, keep bool) error {
	is, err := a.oneInterface(ctx, region, id)
	if err != nil {
		return err
	}
	if is.Attachment == nil {
		return unasked("IncorrectState", "id", "The network interface %s is attached to nothing that it could outlive.", id)
	}
	ends := !keep
	_, err = a.in(region).ec2.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &id, Attachment: &types.NetworkInterfaceAttachmentChanges{AttachmentId: &is.Attachment.ID, DeleteOnTermination: &ends},
	})
	return refused("ModifyNetworkInterfaceAttribute", region, err)
}

// Addresses is cloud.Addresses'.
func (a *Account) Addresses(ctx context.Context, q cloud.Query) ([]cloud.Address, error) {
	found, err := a.in(q.Region).addresses(ctx, q)
	if err != nil {
		return nil, err
	}
	return inOrder(found, func(at types.Address) (string, cloud.Address) {
		id := awssdk.ToString(at.AllocationId)
		return id, cloud.Address{
			ID: id, IP: awssdk.ToString(at.PublicIp), Instance: awssdk.ToString(at.InstanceId), Interface: awssdk.ToString(at.NetworkInterfaceId), Tags: tagsOf(at.Tags),
		}
	}), nil
}

// addresses are those that a query selects. EC2 lists them without pages.
func (r *region) addresses(ctx context.Context, q cloud.Query) (found []types.Address, err error) {
	for ids := range chunks(q.IDs, resourceIDs) {
		filters := byTags(q.Tags)
		if ids != nil {
			filters = append(filters, filter("allocation-id", ids...))
		}
		listed, err := r.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{Filters: filters})
		if err != nil {
			return nil, refused("DescribeAddresses", r.name, err)
		}
		found = append(found, listed.Addresses...)
	}
	return found, nil
}

// oneAddress is an address that has to be there.
func (r *region) oneAddress(ctx context.Context, id string) (types.Address, error) {
	found, err := r.addresses(ctx, cloud.Query{IDs: []string{id}})
	if err == nil && len(found) == 0 {
		err = absent("InvalidAllocationID.NotFound", r.name, "address", id)
	}
	if err != nil {
		return types.Address{}, err
	}
	return found[0], nil
}

// AssociateAddress is cloud.Addresses'.
func (a *Account) AssociateAddress(ctx context.Context, region, id, instance string, move bool) error {
	r := a.in(region)
	_, err := r.ec2.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: &id, InstanceId: &instance, AllowReassociation: &move})
	return unless(refused("AssociateAddress", region, err), func() (bool, error) {
		now, err := r.oneAddress(ctx, id)
		return awssdk.ToString(now.InstanceId) == instance, err
	})
}

// DisassociateAddress is cloud.Addresses'.
func (a *Account) DisassociateAddress(ctx context.Context, region, id string) error {
	r := a.in(region)
	is, err := r.oneAddress(ctx, id)
	if err != nil || awssdk.ToString(is.AssociationId) == "" {
		return err
	}
	_, err = r.ec2.DisassociateAddress(ctx, &ec2.DisassociateAddressInput{AssociationId: is.AssociationId})
	return refused("DisassociateAddress", region, err)
}

var (
	_ cloud.Interfaces = (*Account)(nil)
	_ cloud.Addresses  = (*Account)(nil)
)
