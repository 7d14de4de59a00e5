// Package call is how a fleet speaks with its cloud: how urgent a call is, and what a refusal means.
//
// It must not know stores, nor make any call itself. Start reading at ProvesNothing.
package call

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// Urgency is how soon a call is made when calls wait for one another, by the reason of what it does.
func Urgency(r plan.Reason) budget.Priority {
	switch {
	case breaker.IsVoluntary(r):
		return budget.Saving
	case slices.Contains([]plan.Reason{plan.ReasonInterruption, plan.ReasonRebalance, plan.ReasonUnhealthy, plan.ReasonLost}, r):
		return budget.Healing
	}
	return budget.Scaling
}

// UnlessUnknown is err, except that an id which the cloud does not know leads to otherwise.
func UnlessUnknown(err error, otherwise func() error) error {
	if refusal, ok := errors.AsType[*cloud.Refusal](err); ok && refusal.Kind == cloud.Unknown {
		return otherwise()
	}
	return err
}

// ProvesNothing reports whether a refusal leaves open what an earlier attempt of the same call did: the cloud has refused the question, not answered it.
func ProvesNothing(r *cloud.Refusal) bool { return r.Kind == cloud.Throttled || r.Kind == cloud.Denied }

// Denied finds the refusal of a cloud that does not let the account in, or not do what it asked for; nil when err is none.
func Denied(err error) *cloud.Refusal {
	if refusal, ok := errors.AsType[*cloud.Refusal](err); ok && refusal.Kind == cloud.Denied {
		return refusal
	}
	return nil
}

const mend = "The account's credentials are no longer good, or lack a permission: set good ones, or grant what is missing."

// Shut is what to tell people of a group whose turns a cloud denies.
func Shut(r *cloud.Refusal, group, place string, every time.Duration) string {
	return fmt.Sprintf("The cloud denies what group %s needs in %s: %s (%s). %s Until then nothing is given up for it; Neap asks again every %s.",
		group, place, r.Message, r.Code, mend, every)
}

// Sentences are what the breaker has to say, for people.
func Sentences(trips []breaker.Trip) (text string) {
	for n, t := range trips {
		if n > 0 {
			text += " "
		}
		text += t.String()
	}
	return text
}
