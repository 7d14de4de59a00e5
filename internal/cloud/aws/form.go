package aws

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Ids have eight hexadecimal digits, and seventeen since 2016.
var (
	imageForm  = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	groupForm  = regexp.MustCompile(`^sg-([0-9a-f]{8}|[0-9a-f]{17})$`)
	subnetForm = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

const userDataMost = 16 << 10 // bytes, before they are encoded

// checkLaunch refuses what will never work, without a call.
func checkLaunch(l cloud.Launch) *cloud.Refusal {
	m := l.Market
	switch {
	case l.Token == "":
		return unasked("MissingParameter", "token", "A launch needs a token, so that it can be repeated safely.")
	case l.Count < 1 || l.Least > l.Count:
		return unasked("InvalidParameterValue", "count", "The count is %d, and %d is the least; at least one instance is needed, and no more than are asked for.", l.Count, max(l.Least, 1))
	case m.Lifecycle != cloud.Spot && m.Lifecycle != cloud.OnDemand:
		return unasked("InvalidParameterValue", "lifecycle", "The lifecycle %q is neither %q nor %q.", m.Lifecycle, cloud.Spot, cloud.OnDemand)
	case !slices.Contains(products, productOf(m)):
		return unasked("InvalidParameterValue", "product", "The product %q is none of %s.", m.Product, strings.Join(products, ", "))
	case m.Region == "" || !strings.HasPrefix(m.Zone, m.Region):
		return unasked("InvalidParameterValue", "zone", "The zone %q does not lie in the region %q.", m.Zone, m.Region)
	}
	for _, other := range l.Alternatives {
		if other.Region != m.Region || productOf(other) != productOf(m) || other.Lifecycle != m.Lifecycle {
			return unasked("InvalidParameterValue", "alternatives", "The alternative %s is of another region, product or lifecycle than %s.", other.PoolKey(), m.PoolKey())
		}
	}
	if faults := checkForms(l.Template); len(faults) > 0 {
		return faults[0]
	}
	return nil
}

// checkForms reports what is malformed in a template. Names that are no ids may be anything.
func checkForms(t cloud.Template) []*cloud.Refusal {
	var faults []*cloud.Refusal
	fault := func(code, key, format string, args ...any) {
		faults = append(faults, unasked(code, key, format, args...))
	}
	if t.Image == "" {
		fault("MissingParameter", "image", "An image is needed, such as ami-0abcdef1234567890.")
	} else if !imageForm.MatchString(t.Image) {
		fault("InvalidAMIID.Malformed", t.Image, "%q is not an image id; it looks like ami-0abcdef1234567890.", t.Image)
	}
	for _, group := range t.SecurityGroups {
		if isGroupID(group) && !groupForm.MatchString(group) {
			fault("InvalidGroupId.Malformed", group, "%q is not a security group id; it looks like sg-0abcdef1234567890.", group)
		}
	}
	for _, subnet := range t.Subnets {
		if !subnetForm.MatchString(subnet) {
			fault("InvalidSubnetID.Malformed", subnet, "%q is not a subnet id; it looks like subnet-0abcdef1234567890.", subnet)
		}
	}
	raw, err := base64.StdEncoding.DecodeString(t.UserData)
	if err != nil {
		fault("InvalidUserData.Malformed", "userData", "The user data are not base64; encode the script, for instance with base64 -w0.")
	} else if len(raw) > userDataMost {
		fault("InvalidUserData.Malformed", "userData", "The user data are %d bytes long, and AWS takes %d; fetch the rest from within them.", len(raw), userDataMost)
	}
	return faults
}
