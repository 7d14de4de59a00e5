package call_test

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/call"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func TestEachKindOfRefusalSaysWhatComesNext(t *testing.T) {
	for _, c := range []struct {
		r    cloud.Refusal
		wait time.Duration
		want string
	}{
		{cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: "m5.large/us-east-1a/spot"}, 5 * time.Minute,
			"This market is left alone until 12:05:00Z; another that the group allows is tried at once."},
		{cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopeSubnet, Key: "subnet-1"}, 10 * time.Minute,
			"The subnet subnet-1 is left alone until 12:10:00Z; another that the group allows is tried at once."},
		{cloud.Refusal{Kind: cloud.NoQuota, Scope: cloud.ScopeQuota, Key: "Standard/on-demand"}, 15 * time.Minute,
			"No more on-demand of class Standard until 12:15:00Z; have the account's limit raised (AWS: in Service Quotas), or end what nobody needs."},
		{cloud.Refusal{Kind: cloud.NoQuota, Scope: cloud.ScopeAccount, Key: "us-east-1"}, 15 * time.Minute,
			"Nothing more is launched in this region until 12:15:00Z; have the account's limit raised (AWS: in Service Quotas), or end what nobody needs."},
		{cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount}, 5 * time.Second, "Neap is slower now, and asks again in 5s."},
		{cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount}, 10 * time.Millisecond, "Neap is slower now, and asks again in 1s."},
		{cloud.Refusal{Kind: cloud.Denied, Scope: cloud.ScopeAccount}, 61500 * time.Millisecond,
			"The account's credentials are no longer good, or lack a permission: set good ones, or grant what is missing. Neap tries again in 1m2s."},
		{cloud.Refusal{Kind: cloud.BadRequest}, call.HopelessWait, "No other market would take it: it is asked again in 5m, or as soon as the group is changed."},
		{cloud.Refusal{Kind: cloud.Unknown}, 0, "What it named is gone; the plan is made anew at once."},
	} {
		if got := call.Outlook(&c.r, noon, c.wait); got != c.want {
			t.Errorf("%s: %q, want %q", c.r.Kind, got, c.want)
		}
	}
}

func TestARefusedLaunchSaysWhatWasAskedWhatWasSaidAndWhatComesNext(t *testing.T) {
	l := &cloud.Launch{Count: 3, Market: cloud.Market{Zone: "us-east-1a", Type: "m5.large", Lifecycle: cloud.Spot}}
	told := call.Refused(l, 1, refusal(cloud.Throttled), noon, time.Second)
	if want := "Can't launch 2 spot m5.large in us-east-1a: Message. (Code). Neap is slower now, and asks again in 1s."; told != want {
		t.Errorf("%q, want %q", told, want)
	}
	for given, want := range map[string]string{"3 of 3 started": "3 × m5.large spot in us-east-1a: 3 of 3 started.", "1 of 3 started. So.": "3 × m5.large spot in us-east-1a: 1 of 3 started. So."} {
		if got := call.Outcome(l, given); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
