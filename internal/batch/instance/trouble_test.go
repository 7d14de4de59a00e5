package instance

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/runtime"
)

func TestALaunchWhoseAnswerIsLostStartsOneInstance(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.cloud.LoseReply(sim.LaunchCall, errors.New("the line went dead"))
	w.runs(spec("a", "acc-1"))
	asked := w.launches.all()
	if len(asked) < 2 || len(w.made()) != 1 {
		t.Fatalf("%d launches were asked for, and %d instances made", len(asked), len(w.made()))
	}
	for _, l := range asked[1:] {
		if l.Token != asked[0].Token || l.Template.UserData != asked[0].Template.UserData {
			t.Error("it was repeated otherwise than it was asked for first")
		}
	}
}

func TestACloudThatShowsNothingHasEndedNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	task := w.runs(spec("a", "acc-1"))
	w.runs(spec("b", "acc-1"))
	w.cloud.EmptyDescribe("us-east-1", w.clock.Now().Add(5*time.Minute))
	w.quiet(8 * time.Minute)
	if now := w.task("a"); now.State != runtime.Running || now.Instance != task.Instance || len(w.made()) != 2 {
		t.Errorf("%+v of %d instances", now, len(w.made()))
	}
}

func TestATaskIsNotLostBeforeTheCloudSaysSo(t *testing.T) {
	t.Parallel()
	w := begin(t)
	task := w.runs(spec("a", "acc-1"))
	w.interrupt("acc-1", task.Instance)
	silent := w.clock.Now().Add(6 * time.Minute)
	w.cloud.Outage("us-east-1", silent)
	w.until("it is lost", 20*time.Minute, w.in("a", runtime.Lost))
	if w.clock.Now().Before(silent) {
		t.Errorf("said at %s, when the cloud had been silent since before its end", w.clock.Now())
	}
	if now := w.task("a"); now.Reason != interrupted || len(w.made()) != 1 {
		t.Errorf("%+v of %d instances", now, len(w.made()))
	}
}

func TestNobodyDetachesResizesOrRewritesTheInstanceOfATask(t *testing.T) {
	t.Parallel()
	w := begin(t)
	task := w.runs(spec("a", "acc-1"))
	two, group := 2, GroupOf("a")
	_, scaled := w.Fleet.SetCapacity(t.Context(), "acc-1", "x", group, &two, nil, nil)
	_, rewritten := w.Fleet.Update(t.Context(), "acc-1", "x", group, func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(`{}`), nil })
	for what, err := range map[string]error{
		"detaching": w.Fleet.Detach(t.Context(), "acc-1", "x", group, fleet.Detach{Instances: []string{task.Instance}}), "resizing": scaled, "rewriting": rewritten,
	} {
		if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := w.Fleet.Detach(t.Context(), "acc-1", "x", group, fleet.Detach{Instances: []string{task.Instance}, Terminate: true}); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 5*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("a"); now.Exit.Reason != fromOutside || len(w.made()) != 1 {
		t.Errorf("%+v", now)
	}
}

func TestDeletingTheGroupOfATaskEndsItAsFromOutside(t *testing.T) {
	t.Parallel()
	w := begin(t, func(o *options) { o.hold = time.Hour })
	w.runs(spec("a", "acc-1"))
	if err := w.Fleet.Delete(t.Context(), "acc-1", "somebody", GroupOf("a")); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 5*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("a"); now.Exit != (runtime.Exit{Code: 1, Reason: fromOutside}) || len(w.alive()) != 0 {
		t.Errorf("%+v, alive %v", now, w.alive())
	}
}

func TestAProtectedGroupSaysWhyItsTaskDoesNotEnd(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := spec("a", "acc-1")
	s.Timeout = time.Minute
	w.runs(s)
	if _, err := w.Fleet.Protect(t.Context(), "acc-1", "somebody", GroupOf("a"), true); err != nil {
		t.Fatal(err)
	}
	w.until("it says why it goes on", 5*time.Minute, func() bool { return strings.HasPrefix(w.task("a").Reason, "It is to end, and can't: ") })
	if _, err := w.Fleet.Protect(t.Context(), "acc-1", "somebody", GroupOf("a"), false); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 5*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("a"); !now.Exit.TimedOut {
		t.Errorf("%+v", now)
	}
}
