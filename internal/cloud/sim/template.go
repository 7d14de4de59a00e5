package sim

import (
	"context"
	"regexp"
	"strings"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
)

// The simulated cloud has no images, groups, subnets or keys of its own: it takes any id and any name of the right form for an existing one, but for ids of zeros
// alone, which no cloud ever gives.
var (
	imageForm = regexp.MustCompile(`^ami-[0-9A-Za-z]{2,32}$`)
	// Azure names an image of its market by publisher, offer, plan and version, and any other by its resource.
	azureImageForm = regexp.MustCompile(`^([\w.-]{1,80}(:[\w.-]{1,80}){3}|/(subscriptions|communityGalleries|sharedGalleries)(/[\w.()-]{1,90})+)$`)
	groupForm      = regexp.MustCompile(`^sg-[0-9A-Za-z]{2,32}$`)
	subnetForm     = regexp.MustCompile(`^subnet-[0-9A-Za-z]{2,32}$`)
	keyForm        = regexp.MustCompile(`^[ -~]{1,255}$`)
	nameForm       = regexp.MustCompile(`^[0-9A-Za-z._-]{1,255}$`) // of groups, for security and for placement
	neverGiven     = regexp.MustCompile(`^[a-z]+-0+$`)
)

// Check reports every id of the template that is malformed.
func (a *Account) Check(ctx context.Context, region string, template cloud.Template) ([]*cloud.Refusal, error) {
	return do(ctx, a, CheckCall, region, func() ([]*cloud.Refusal, error) {
		a.cloud.reads.add(CheckCall)
		return checkTemplate(template, a.cloud.catalog.Vendor(region)), nil
	})
}

const userDataMost = 16 << 10 // bytes, as on EC2

func checkTemplate(t cloud.Template, vendor string) []*cloud.Refusal {
	var faults []*cloud.Refusal
	fault := func(code, key, format string, args ...any) {
		refusal := bad(code, format, args...)
		refusal.Key = key
		faults = append(faults, refusal)
	}
	if t.Image == "" {
		fault("MissingParameter", "image", "An image is needed, such as ami-0abcdef1234567890.")
	} else if vendor == catalog.VendorAzure && azureImageForm.MatchString(t.Image) {
		// It is as good as any.
	} else if !imageForm.MatchString(t.Image) {
		fault("InvalidAMIID.Malformed", t.Image, "%q is not an image id; it looks like ami-0abcdef1234567890.", t.Image)
	} else if neverGiven.MatchString(t.Image) {
		fault("InvalidAMIID.NotFound", t.Image, "The image id %q does not exist (simulated).", t.Image)
	}
	for _, group := range t.SecurityGroups {
		if refusal := checkGroup(group); refusal != nil {
			faults = append(faults, refusal)
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
	if t.PlacementGroup != "" && !nameForm.MatchString(t.PlacementGroup) {
		fault("InvalidPlacementGroup.Unknown", t.PlacementGroup, "%q cannot be the name of a placement group.", t.PlacementGroup)
	}
	if t.Shutdown != "" && t.Shutdown != cloud.ShutdownStops && t.Shutdown != cloud.ShutdownTerminates {
		fault("InvalidParameterValue", "shutdown", "The shutdown behaviour %q is neither %q nor %q.", t.Shutdown, cloud.ShutdownStops, cloud.ShutdownTerminates)
	}
	if len(t.UserData) > userDataMost*4/3+4 { // it travels in base64
		fault("InvalidUserData.Malformed", "userData", "The user data are longer than %d bytes.", userDataMost)
	}
	return faults
}

// checkGroup takes a security group's id, or its name.
func checkGroup(group string) *cloud.Refusal {
	var refusal *cloud.Refusal
	switch isID := strings.HasPrefix(group, "sg-"); {
	case isID && !groupForm.MatchString(group):
		refusal = bad("InvalidGroupId.Malformed", "%q is not a security group id; it looks like sg-0abcdef1234567890.", group)
	case neverGiven.MatchString(group) || !isID && !nameForm.MatchString(group):
		refusal = bad("InvalidGroup.NotFound", "The security group %q does not exist (simulated).", group)
	default:
		return nil
	}
	refusal.Key = group
	return refusal
}
