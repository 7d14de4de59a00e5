package fault_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestTheKindIsFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("read group: %w", fault.Missing("group", "sig-1"))
	if !fault.Is(err, fault.NotFound) || fault.KindOf(err) != fault.NotFound || fault.As(err).Noun != "group" {
		t.Errorf("%v is %s", err, fault.KindOf(err))
	}
	if fault.Is(nil, fault.NotFound) || fault.KindOf(nil) != "" || fault.As(nil) != nil {
		t.Error("nothing has a kind")
	}
}

func TestAnUnknownErrorIsOurOwnFaultAndShowsNothing(t *testing.T) {
	f := fault.As(errors.New("password=hunter2"))
	if f.Kind != fault.Internal || strings.Contains(f.Message, "hunter2") || !strings.Contains(f.Error(), "hunter2") {
		t.Errorf("shown %q, logged %q", f.Message, f.Error())
	}
}

func TestTheCauseIsKept(t *testing.T) {
	err := fault.Of(fault.Unavailable, "cloud", "It does not answer.").With(io.ErrUnexpectedEOF)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}

func TestSeveralFaultsAreOneErrorThatNamesThemAll(t *testing.T) {
	if fault.All(nil) != nil {
		t.Error("no fault is an error")
	}
	first, second := fault.Field("a", "is wrong"), fault.Field("b", "is missing")
	lead := fault.As(fault.All([]*fault.Error{first, second}))
	if lead.Field != "a" || len(lead.Others) != 1 || lead.Others[0].Field != "b" {
		t.Errorf("%+v", lead)
	}
	if len(first.Others) != 0 {
		t.Error("the first fault was changed")
	}
}

func TestEveryKindIsListedOnce(t *testing.T) {
	kinds := fault.Kinds()
	slices.Sort(kinds)
	if len(slices.Compact(kinds)) != 9 {
		t.Errorf("%v", kinds)
	}
}

func TestAMessageThatGoesOnFromTheFieldBecomesASentence(t *testing.T) {
	for want, f := range map[string]*fault.Error{
		"target is required.":               fault.Field("group.capacity.target", "is required"),
		"spot[1] must be text, got 7.":      fault.Field("group.compute.instanceTypes.spot[1]", "must be text, got 7"),
		"limit must be at most 1000.":       fault.Field("limit", "must be at most 1000"),
		"There is no region \"us-east-9\".": fault.Field("group.region", "There is no region %q.", "us-east-9"),
		"it ends too early":                 fault.Of(fault.Invalid, "body", "it ends too early"),
	} {
		if got := f.Sentence(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
