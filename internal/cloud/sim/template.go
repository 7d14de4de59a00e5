package sim

import (
	"context"
	"regexp"

	"github.com/neap-cloud/neap/internal/cloud"
)

// The simulated cloud has no images, groups, subnets or keys of its own: it takes any id of the right form for an existing one.
var (
	imageForm  = regexp.MustCompile(`^ami-[0-9A-Za-z]{2,32}$`)
	groupForm  = regexp.MustCompile(`^sg-[0-9A-Za-z]{2,32}$`)
	subnetForm = regexp.MustCompile(`^subnet-[0-9A-Za-z]{2,32}$`)
	keyForm    = regexp.MustCompile(`^[ -~]{1,255}$`)
)

// Check reports every id of the template that is malformed.
func (a *Account) Check(ctx context.Context, region string, template cloud.Template) ([]*cloud.Refusal, error) {
	return do(ctx, a, CheckCall, region, func() ([]*cloud.Refusal, error) {
		a.cloud.reads.add(CheckCall)
		return checkTemplate(template), nil
	})
}

const userDataMost = 16 << 10 // bytes, as on EC2

func checkTemplate(t cloud.Template) []*cloud.Refusal {
	var faults []*cloud.Refusal
	fault := func(code, key, format string, args ...any) {
		refusal := bad(code, format, args...)
		refusal.Key = key
		faults = append(faults, refusal)
	}
	if t.Image == "" {
		fault("MissingParameter", "image", "An image is needed, such as ami-0abcdef1234567890.")
	} else if !imageForm.MatchString(t.Image) {
		fault("InvalidAMIID.Malformed", t.Image, "%q is not an image id; it looks like ami-0abcdef1234567890.", t.Image)
	}
	for _, group := range t.SecurityGroups {
		if !groupForm.MatchString(group) {
			fault("InvalidGroupId.Malformed", group, "%q is not a security group id; it looks like sg-0abcdef1234567890.", group)
		}
	}
	for _, subnet := range t.Subnets {
		if !subnetForm.MatchString(subnet) {
			fault("InvalidSubnetID.Malformed", subnet, "%q is not a subnet id; it looks like subnet-0abcdef1234567890.", subnet)
		}
	}
	if t.KeyPair != "" && !keyForm.MatchString(t.KeyPair) {
		fault("InvalidKeyPair.Format", t.KeyPair, "The key pair's name %q has more than 255 or unprintable characters.", t.KeyPair)
	}
	if len(t.UserData) > userDataMost*4/3+4 { // it travels in base64
		fault("InvalidUserData.Malformed", "userData", "The user data are longer than %d bytes.", userDataMost)
	}
	return faults
}
