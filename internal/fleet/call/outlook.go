package call

import (
	"fmt"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// HopelessWait is how long a group whose launches the cloud finds faulty is left alone, unless somebody changes it.
const HopelessWait = 5 * time.Minute

// Refused is what people are told of a launch that was refused, all of it or what started had left over: what was asked for, what the cloud said, and what comes next.
func Refused(l *cloud.Launch, started int, r *cloud.Refusal, now time.Time, wait time.Duration) string {
	m := l.Market
	return fmt.Sprintf("Can't launch %d %s %s in %s: %s (%s). %s", l.Count-started, m.Lifecycle, m.Type, m.Zone, r.Message, r.Code, Outlook(r, now, wait))
}

// Outcome is what became of a launch, for people.
func Outcome(l *cloud.Launch, told string) string {
	return fmt.Sprintf("%d × %s %s in %s: %s.", l.Count, l.Market.Type, l.Market.Lifecycle, l.Market.Zone, strings.TrimSuffix(told, "."))
}

// Outlook is what Neap does after a refused launch, and what a person can do about it. wait is how long nothing is asked for that the refusal speaks of; of a
// launch that the cloud finds faulty it says nothing.
func Outlook(r *cloud.Refusal, now time.Time, wait time.Duration) string {
	until := now.Add(wait).UTC().Format("15:04:05Z")
	const elsewhere = "another that the group allows is tried at once"
	switch r.Kind {
	case cloud.NoCapacity:
		if r.Scope == cloud.ScopeSubnet {
			return fmt.Sprintf("The subnet %s is left alone until %s; %s.", r.Key, until, elsewhere)
		}
		return fmt.Sprintf("This market is left alone until %s; %s.", until, elsewhere)
	case cloud.NoQuota:
		return fmt.Sprintf("%s until %s; have the account's limit raised (AWS: in Service Quotas), or end what nobody needs.", limited(r), until)
	case cloud.Throttled:
		return fmt.Sprintf("Neap is slower now, and asks again in %s.", span(wait))
	case cloud.Denied:
		return fmt.Sprintf("%s Neap tries again in %s.", mend, span(wait))
	case cloud.BadRequest:
		return fmt.Sprintf("No other market would take it: it is asked again in %s, or as soon as the group is changed.", span(HopelessWait))
	}
	return "What it named is gone; the plan is made anew at once."
}

// limited is what a quota keeps from being launched.
func limited(r *cloud.Refusal) string {
	if class, lifecycle, of := strings.Cut(r.Key, "/"); r.Scope == cloud.ScopeQuota && of {
		return fmt.Sprintf("No more %s of class %s", lifecycle, class)
	}
	return "Nothing more is launched in this region"
}

// span is a time to wait, without seconds where there are none.
func span(wait time.Duration) string {
	text := max(time.Second, wait.Round(time.Second)).String()
	if strings.HasSuffix(text, "m0s") {
		return strings.TrimSuffix(text, "0s")
	}
	return text
}
