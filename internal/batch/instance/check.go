package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
)

// What AWS takes.
const (
	userDataMost = 16 << 10 // bytes, before encoding
	tagsMost     = 40       // of the 50 of an instance; Neap puts on some of its own
	tagKeyMost   = 128
	tagValueMost = 256
)

const (
	taskShape  = `^[A-Za-z0-9.-]{1,64}$`
	imageShape = `^ami-([0-9a-f]{8}|[0-9a-f]{17})$`
)

// Check says what about a task can never work. Whether the image exists only Start finds out, from the cloud.
func (r *Runtime) Check(_ context.Context, spec runtime.Spec) error {
	_, err := r.asking(spec)
	return err
}

// asking is what a spec asks the fleet room for, or why it can't.
func (r *Runtime) asking(spec runtime.Spec) (document, error) {
	place, name := spec.Place, cmp.Or(spec.InstanceType, r.Type)
	offer, sold := r.Catalog.Offer(place.Region, catalog.Linux, name)
	for _, c := range []struct {
		wrong bool
		why   string
	}{
		{!matches(taskShape, spec.ID), fmt.Sprintf("The task id %q is not made of 1 to 64 letters, digits, \"-\" and \".\".", spec.ID)},
		{place.Account == "", "A task needs an account."},
		{place.Cloud != "" && place.Cloud != "aws", fmt.Sprintf("Instances are run on aws only, not on %q.", place.Cloud)},
		{len(spec.Command) > 0, "An instance runs what its image and its user data say; it takes no command."},
		{!matches(imageShape, spec.Image), fmt.Sprintf("The image %q is not written like one: give an id such as ami-0abcdef1234567890.", spec.Image)},
		{len(r.Catalog.Zones(place.Region)) == 0, fmt.Sprintf("There is no region %q.", place.Region)},
		{!sold || len(offer.Zones) == 0, fmt.Sprintf("The instance type %q is not sold in %s.", name, place.Region)},
		{offer.Spot == 0 && !spec.OnDemand && !spec.FallBack, fmt.Sprintf("The instance type %q is not sold on spot in %s; let it run on demand, or choose another type.", name, place.Region)},
		{len(spec.UserData) > userDataMost, fmt.Sprintf("The user data are %d bytes long, and %d are taken; fetch the rest from within them.", len(spec.UserData), userDataMost)},
	} {
		if c.wrong {
			return document{}, &runtime.Refusal{Kind: runtime.Never, Message: c.why}
		}
	}
	if why := cmp.Or(tooSmall(offer.Type, spec.Resources), wrongTag(spec.Labels)); why != "" {
		return document{}, &runtime.Refusal{Kind: runtime.Never, Message: why}
	}
	return document{
		Task: spec.ID, Region: place.Region, Zones: slices.Clone(offer.Zones), Image: spec.Image, Type: name, OnDemand: spec.OnDemand, FallBack: spec.FallBack, Tags: tagsOf(spec.Labels),
	}, nil
}

func matches(shape, text string) bool { return regexp.MustCompile(shape).MatchString(text) }

// tooSmall says what a task asks for and a type does not have.
func tooSmall(t catalog.Type, r runtime.Resources) string {
	has := resourcesOf(t)
	if r.MilliCPU <= has.MilliCPU && r.MemoryMiB <= has.MemoryMiB && r.GPUs <= has.GPUs {
		return ""
	}
	return fmt.Sprintf("The instance type %s has %d vCPUs, %d MiB of memory and %d GPUs, which is less than asked for; name a larger one.", t.Name, t.VCPUs, t.MemoryMiB, t.GPUs)
}

// wrongTag says which label can be no tag of an instance. A value is not repeated: it may be anything.
func wrongTag(labels map[string]string) string {
	if len(labels) > tagsMost {
		return fmt.Sprintf("An instance takes %d tags, not %d.", tagsMost, len(labels))
	}
	for _, t := range tagsOf(labels) {
		switch low := strings.ToLower(t.Key); {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > tagKeyMost || strings.HasPrefix(low, "aws:") || strings.HasPrefix(low, "neap:"):
			return fmt.Sprintf("The tag %q has no key that an instance takes: 1 to %d characters, not beginning with aws: or neap:.", t.Key, tagKeyMost)
		case utf8.RuneCountInString(t.Value) > tagValueMost:
			return fmt.Sprintf("The value of the tag %q is longer than %d characters.", t.Key, tagValueMost)
		}
	}
	return ""
}

// sentence is what a failure tells people.
func sentence(err error) string {
	if known, is := errors.AsType[*fault.Error](err); is {
		return known.Sentence()
	}
	return err.Error()
}
