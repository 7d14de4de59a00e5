package aws

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

var _ cloud.Modifier = (*Account)(nil)

// attribute puts a value where a call to change it has it; what is not a value of it is a refusal.
type attribute func(in *ec2.ModifyInstanceAttributeInput, value string) *cloud.Refusal

// attributes are those of EC2, by their names in lower case and without underscores: both spellings are in use.
func attributes() map[string]attribute {
	return map[string]attribute{
		"instancetype":    words(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeValue) { in.InstanceType = v }),
		"kernel":          words(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeValue) { in.Kernel = v }),
		"ramdisk":         words(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeValue) { in.Ramdisk = v }),
		"sriovnetsupport": words(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeValue) { in.SriovNetSupport = v }),
		"instanceinitiatedshutdownbehavior": words(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeValue) {
			in.InstanceInitiatedShutdownBehavior = v
		}),
		"disableapitermination": truth(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeBooleanValue) {
			in.DisableApiTermination = v
		}),
		"sourcedestcheck":    truth(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeBooleanValue) { in.SourceDestCheck = v }),
		"ebsoptimized":       truth(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeBooleanValue) { in.EbsOptimized = v }),
		"enasupport":         truth(func(in *ec2.ModifyInstanceAttributeInput, v *types.AttributeBooleanValue) { in.EnaSupport = v }),
		"groupset":           groupSet,
		"securitygroups":     groupSet,
		"userdata":           userData,
		"blockdevicemapping": deviceMapping,
		"rootdevicename":     rootDeviceName,
	}
}

// Modify changes one attribute. Values are the cloud's own words: true and false, ids of groups with commas between them, user data in base64, and of a block device
// whether its volume goes with the instance: "/dev/sda1=true".
func (a *Account) Modify(ctx context.Context, region, id, name, value string) error {
	put, known := attributes()[strings.ToLower(strings.ReplaceAll(name, "_", ""))]
	if !known {
		return unasked("InvalidParameterValue", name, "EC2 knows no attribute %q of an instance.", name)
	}
	in := &ec2.ModifyInstanceAttributeInput{InstanceId: &id}
	if refusal := put(in, value); refusal != nil {
		return refusal
	}
	_, err := a.in(region).ec2.ModifyInstanceAttribute(ctx, in)
	return refused("ModifyInstanceAttribute", region, err)
}

func words(put func(*ec2.ModifyInstanceAttributeInput, *types.AttributeValue)) attribute {
	return func(in *ec2.ModifyInstanceAttributeInput, value string) *cloud.Refusal {
		put(in, &types.AttributeValue{Value: &value})
		return nil
	}
}

func truth(put func(*ec2.ModifyInstanceAttributeInput, *types.AttributeBooleanValue)) attribute {
	return func(in *ec2.ModifyInstanceAttributeInput, value string) *cloud.Refusal {
		is, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil {
			return unasked("InvalidParameterValue", value, "%q is neither true nor false.", value)
		}
		put(in, &types.AttributeBooleanValue{Value: &is})
		return nil
	}
}

func groupSet(in *ec2.ModifyInstanceAttributeInput, value string) *cloud.Refusal {
	for group := range strings.SplitSeq(value, ",") {
		if group = strings.TrimSpace(group); group != "" {
			in.Groups = append(in.Groups, group)
		}
	}
	if len(in.Groups) == 0 {
		return unasked("InvalidParameterValue", "groupSet", "An instance needs at least one security group.")
	}
	return nil
}

func userData(in *ec2.ModifyInstanceAttributeInput, value string) *cloud.Refusal {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return unasked("InvalidUserData.Malformed", "userData", "The user data are not base64.")
	}
	in.UserData = &types.SecureBlobAttributeValue{Value: raw} // the SDK encodes them again
	return nil
}

func deviceMapping(in *ec2.ModifyInstanceAttributeInput, value string) *cloud.Refusal {
	for one := range strings.SplitSeq(value, ",") {
		device, ends, _ := strings.Cut(one, "=")
		is, err := strconv.ParseBool(strings.ToLower(ends))
		if device == "" || err != nil {
			return unasked("InvalidParameterValue", value, "%q does not say of a device whether its volume goes with the instance, as in /dev/sda1=true.", one)
		}
		in.BlockDeviceMappings = append(in.BlockDeviceMappings, types.InstanceBlockDeviceMappingSpecification{
			DeviceName: &device, Ebs: &types.EbsInstanceBlockDeviceSpecification{DeleteOnTermination: awssdk.Bool(is)},
		})
	}
	return nil
}

func rootDeviceName(*ec2.ModifyInstanceAttributeInput, string) *cloud.Refusal {
	return unasked("InvalidParameterValue", "rootDeviceName", "EC2 shows the root device's name, and lets nobody change it.")
}
