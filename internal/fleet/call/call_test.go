package call_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

func refusal(kind cloud.RefusalKind) *cloud.Refusal {
	return &cloud.Refusal{Kind: kind, Code: "Code", Message: "Message."}
}

func TestOnlyARefusalToAnswerProvesNothing(t *testing.T) {
	for kind, nothing := range map[cloud.RefusalKind]bool{
		cloud.NoCapacity: false, cloud.NoQuota: false, cloud.Throttled: true, cloud.Unknown: false, cloud.BadRequest: false, cloud.Denied: true,
	} {
		if call.ProvesNothing(refusal(kind)) != nothing {
			t.Errorf("%s proves nothing: %v", kind, !nothing)
		}
	}
}

func TestADenialIsFoundInsideOtherErrors(t *testing.T) {
	wrapped := errors.Join(errors.New("reset"), fmt.Errorf("describe: %w", refusal(cloud.Denied)))
	if r := call.Denied(wrapped); r == nil || r.Code != "Code" {
		t.Errorf("found %v", r)
	}
	for _, err := range []error{nil, errors.New("denied"), refusal(cloud.Throttled)} {
		if r := call.Denied(err); r != nil {
			t.Errorf("%v is taken for %v", err, r)
		}
	}
}

func TestAnUnknownIdLeadsElsewhereAndNothingElseDoes(t *testing.T) {
	elsewhere := errors.New("elsewhere")
	otherwise := func() error { return elsewhere }
	if err := call.UnlessUnknown(refusal(cloud.Unknown), otherwise); !errors.Is(err, elsewhere) {
		t.Errorf("it gave %v", err)
	}
	for _, err := range []error{nil, refusal(cloud.Denied), errors.New("reset")} {
		if got := call.UnlessUnknown(err, otherwise); !errors.Is(got, err) || errors.Is(got, elsewhere) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestAGroupThatIsShutOutIsToldWhatToMend(t *testing.T) {
	text := call.Shut(refusal(cloud.Denied), "sig-1", "act-1/us-east-1", time.Minute)
	if !strings.Contains(text, "set good ones, or grant what is missing") || !strings.Contains(text, "again every 1m0s") {
		t.Errorf("it only says %q", text)
	}
}

func TestWhatHealsGoesBeforeWhatSaves(t *testing.T) {
	for reason, want := range map[plan.Reason]budget.Priority{
		plan.ReasonInterruption: budget.Healing, plan.ReasonLost: budget.Healing, plan.ReasonCapacity: budget.Scaling, plan.ReasonDelete: budget.Scaling, plan.ReasonCheaper: budget.Saving,
	} {
		if got := call.Urgency(reason); got != want {
			t.Errorf("%s is %s, want %s", reason, got, want)
		}
	}
}

func TestTheBreakersSentencesFollowOneAnother(t *testing.T) {
	trip := breaker.Trip{Class: "launches", Left: 1}
	if text := call.Sentences([]breaker.Trip{trip, trip}); text != trip.String()+" "+trip.String() || call.Sentences(nil) != "" {
		t.Errorf("it says %q", text)
	}
}
