package single

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
)

// Refused is a failure of the cloud: its own code, and what a person may know of it.
type Refused struct {
	Code   string
	Detail string
	cause  error
}

// Error is for the log.
func (r *Refused) Error() string {
	if r.cause == nil {
		return r.Code
	}
	return r.cause.Error()
}

// Unwrap leads to what the provider said.
func (r *Refused) Unwrap() error { return r.cause }

// Codes of failures that no cloud has given one.
const (
	timedOut    = "RequestTimeout"
	unavailable = "Unavailable"
)

// kinds says what a caller can do about each kind of refusal. What a cloud calls unknown is not this room's object unless its code says so: see tell.
var kinds = map[cloud.RefusalKind]fault.Kind{
	cloud.NoCapacity: fault.Unavailable, cloud.NoQuota: fault.Limit, cloud.Throttled: fault.Limit, cloud.Unknown: fault.Invalid, cloud.BadRequest: fault.Invalid,
	cloud.Denied: fault.Denied,
}

// tell makes a fault of a call's failure. values are what the call named, by what they are: a refusal of one of them says which.
func tell(err error, values map[string]string) error {
	if err == nil || fault.Is(err, fault.NotFound) {
		return err
	}
	refusal, is := errors.AsType[*cloud.Refusal](err)
	switch {
	case !is:
		return silent(err)
	case strings.HasPrefix(refusal.Code, "InvalidInstanceID"):
		return fault.Of(fault.NotFound, "instance", "There is no such instance here; check the id and the account.").With(err)
	}
	kind := kinds[refusal.Kind]
	if refusal.Code == "IncorrectInstanceState" {
		kind = fault.Conflict
	}
	detail := detailOf(refusal, values)
	return fault.Of(kind, "cloud", "%s", detail).With(&Refused{refusal.Code, detail, err})
}

// silent is a failure without a refusal: nobody knows whether the cloud has acted.
func silent(err error) error {
	refused := &Refused{Code: unavailable, Detail: "The cloud gave no answer that makes sense; whether it acted is not known. Look before you ask again.", cause: err}
	if known, is := errors.AsType[*fault.Error](err); is && known.Kind != fault.Internal {
		refused.Detail = known.Message
	}
	if errors.Is(err, context.DeadlineExceeded) {
		refused.Code = timedOut
		refused.Detail = fmt.Sprintf("The cloud gave no answer within %s; whether it acted is not known. Look before you ask again, or repeat a launch with its Client-Token.", patience)
	}
	return fault.Of(fault.Unavailable, "cloud", "%s", refused.Detail).With(refused)
}

// values are what an order names that may not exist.
func (o Order) values() map[string]string {
	return map[string]string{
		"image": o.Image, "key pair": o.KeyPair, "placement group": o.PlacementGroup, "instance type": o.Type, "zone": o.Zone,
		"security group": strings.Join(o.SecurityGroups, ", "),
	}
}

// detailOf says in plain words what was refused. Clouds name what was wrong in most of their messages; where they don't, or hide it behind an encoded text, the order does.
func detailOf(r *cloud.Refusal, values map[string]string) string {
	switch r.Kind {
	case cloud.Denied:
		said, _, _ := strings.Cut(r.Message, "Encoded authorization failure message") // which is for nobody's eyes
		return strings.TrimSpace(fmt.Sprintf("The account's credentials do not permit this (%s): have the permission added, or the credentials renewed. %s", r.Code, said))
	case cloud.NoQuota:
		return "The account's limit is reached: " + r.Message
	case cloud.NoCapacity:
		return "There is no capacity for this now: " + r.Message
	case cloud.Throttled:
		return "The cloud takes no more requests of this account for the moment: " + r.Message
	}
	for prefix, noun := range map[string]string{
		"InvalidAMIID": "image", "InvalidKeyPair": "key pair", "InvalidPlacementGroup": "placement group", "InvalidGroup": "security group",
	} {
		if value := values[noun]; value != "" && strings.HasPrefix(r.Code, prefix) {
			return fmt.Sprintf("The %s %s is not there for this account: %s", noun, value, r.Message)
		}
	}
	if r.Code == "InvalidParameterValue" || r.Code == "Unsupported" {
		if kind, zone := values["instance type"], values["zone"]; kind != "" {
			return fmt.Sprintf("The instance type %s, the zone %s, or another value is refused: %s", kind, zone, r.Message)
		}
	}
	return r.Message
}
