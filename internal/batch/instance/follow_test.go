package instance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

func drawCourse(r *rapid.T) fleet.Course {
	c := fleet.Course{}
	switch rapid.IntRange(0, 2).Draw(r, "group") {
	case 0:
		c.IsKept = true
	case 1:
		c.IsGone = true
	}
	if rapid.Bool().Draw(r, "instance") {
		phases := plan.Alive()
		if c.IsGone {
			phases = []plan.Phase{plan.Terminated}
		}
		i := fleet.Instance{Cloud: rapid.SampledFrom([]cloud.State{cloud.Running, cloud.Stopped, cloud.Terminated}).Draw(r, "state")}
		i.ID, i.Phase = "i-1", rapid.SampledFrom(append(phases, plan.Terminated)).Draw(r, "phase")
		if i.Phase == plan.Terminated {
			i.Ended = epoch
			i.LeaveReason = rapid.SampledFrom([]string{"", cloud.EndedByInterruption, cloud.EndedByUser, cloud.EndedByFailure, vanishedReason(), string(plan.ReasonDelete)}).Draw(r, "why")
		}
		c.Instances = append(c.Instances, i)
	}
	return c
}

// vanishedReason is how the fleet room says so.
func vanishedReason() string { return "vanished" }

func drawTask(r *rapid.T) store.Doc[task] {
	d := store.Doc[task]{Meta: store.Meta{ID: "a", State: rapid.SampledFrom(livingStates()).Draw(r, "task")}}
	d.Value.Ending = rapid.SampledFrom([]ending{"", stopped, timedOut}).Draw(r, "ending")
	d.Value.Timeout = time.Duration(rapid.IntRange(0, 2).Draw(r, "timeout")) * time.Hour
	if d.State == string(runtime.Running) {
		d.Value.Started, d.Value.Instance = epoch.Add(-time.Duration(rapid.IntRange(0, 180).Draw(r, "age"))*time.Minute), "i-1"
	}
	return d
}

func TestATaskComesToItsEndOnlyWhenNothingOfItsGroupIsLeft(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d, c := drawTask(r), drawCourse(r)
		after, wish := follow(d, c, epoch)
		if ended := !isLiving(after.State); ended != c.IsGone {
			r.Fatalf("%s of a group that is %+v", after.State, c)
		}
		if c.IsGone && (wish != nothing || after.Value.Ended.IsZero()) {
			r.Fatalf("%+v wants %d", after.Value, wish)
		}
		if again, wish := follow(after, c, epoch); !c.IsGone && (again.Value != after.Value || again.State != after.State) {
			r.Fatalf("looked at twice, it goes from %+v to %+v (%d)", after, again, wish)
		}
	})
}

func TestAGroupIsEndedWhenItsTaskIsToEndOrItsInstanceHas(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d, c := drawTask(r), drawCourse(r)
		after, wish := follow(d, c, epoch)
		isOver := slices.ContainsFunc(c.Instances, func(i fleet.Instance) bool { return i.Phase == plan.Terminated })
		if want := c.IsKept && (after.Value.Ending != "" || isOver); want != (wish == endGroup) {
			r.Fatalf("%+v of %+v wants %d", after.Value, c, wish)
		}
	})
}

func TestHowATaskEndsFollowsFromWhoEndedItsInstance(t *testing.T) {
	ran, never := epoch.Add(-time.Hour), time.Time{}
	for name, c := range map[string]struct {
		ending  ending
		started time.Time
		why     string
		state   runtime.State
		exit    runtime.Exit
		reason  string
	}{
		"it was stopped":                      {stopped, ran, string(plan.ReasonDelete), runtime.Ended, runtime.Exit{Stopped: true}, ""},
		"stopped, and interrupted meanwhile":  {stopped, ran, cloud.EndedByInterruption, runtime.Ended, runtime.Exit{Stopped: true}, ""},
		"its time was over":                   {timedOut, ran, string(plan.ReasonDelete), runtime.Ended, runtime.Exit{Code: 1, TimedOut: true}, ""},
		"the cloud took it":                   {"", ran, cloud.EndedByInterruption, runtime.Lost, runtime.Exit{}, interrupted},
		"the cloud took it before it ran":     {"", never, cloud.EndedByInterruption, runtime.Lost, runtime.Exit{}, interrupted},
		"the cloud knows it no more":          {"", ran, vanishedReason(), runtime.Lost, runtime.Exit{}, vanished},
		"somebody terminated it":              {"", ran, cloud.EndedByUser, runtime.Ended, runtime.Exit{Code: 1, Reason: fromOutside}, ""},
		"somebody deleted its group":          {"", ran, string(plan.ReasonDelete), runtime.Ended, runtime.Exit{Code: 1, Reason: fromOutside}, ""},
		"it shut itself down":                 {"", ran, cloud.EndedByFailure, runtime.Ended, runtime.Exit{Code: 1, Reason: byItself}, ""},
		"the cloud failed before it ran":      {"", never, cloud.EndedByFailure, runtime.Lost, runtime.Exit{}, neverRan},
		"the group went without an instance":  {"", never, "none", runtime.Ended, runtime.Exit{Code: 1, Reason: unlaunched}, ""},
		"it was stopped before it was launch": {stopped, never, "none", runtime.Ended, runtime.Exit{Stopped: true}, ""},
	} {
		i := fleet.Instance{Ended: epoch.Add(-time.Minute)}
		i.ID, i.Phase, i.LeaveReason = "i-1", plan.Terminated, c.why
		course := fleet.Course{IsGone: true, Instances: []fleet.Instance{i}}
		if c.why == "none" {
			course.Instances = nil
		}
		d := store.Doc[task]{Meta: store.Meta{State: string(runtime.Running)}, Value: task{Ending: c.ending, Started: c.started, Reason: "old"}}
		after, _ := follow(d, course, epoch)
		if after.State != string(c.state) || after.Value.Exit != c.exit || after.Value.Reason != c.reason {
			t.Errorf("%s: %s, %+v, %q", name, after.State, after.Value.Exit, after.Value.Reason)
		}
	}
}

func TestOnlyARunningTaskRunsOutOfTime(t *testing.T) {
	i := fleet.Instance{}
	i.ID, i.Phase = "i-1", plan.Running
	kept := fleet.Course{IsKept: true, Instances: []fleet.Instance{i}}
	waits := store.Doc[task]{Meta: store.Meta{State: string(runtime.Starting)}, Value: task{Timeout: time.Minute, Recorded: epoch.Add(-time.Hour)}}
	if after, wish := follow(waits, fleet.Course{IsKept: true}, epoch); after.Value.Ending != "" || wish != nothing {
		t.Errorf("one that waits for an hour: %+v", after.Value)
	}
	began, _ := follow(waits, kept, epoch)
	if began.State != string(runtime.Running) || !began.Value.Started.Equal(epoch) || began.Value.Ending != "" {
		t.Errorf("one that begins: %+v", began)
	}
	for _, c := range []struct {
		after time.Duration
		ends  bool
	}{{59 * time.Second, false}, {time.Minute, true}, {time.Hour, true}} {
		if after, wish := follow(began, kept, epoch.Add(c.after)); (after.Value.Ending == timedOut) != c.ends || (wish == endGroup) != c.ends {
			t.Errorf("after %s: %+v, %d", c.after, after.Value, wish)
		}
	}
}

func TestAStrangerIsNoInstanceOfTheTask(t *testing.T) {
	one, stranger := fleet.Instance{}, fleet.Instance{}
	one.ID, one.Phase, stranger.ID, stranger.Phase = "i-1", plan.Running, "i-2", plan.Quarantined
	if found := newest([]fleet.Instance{one, stranger}); found == nil || found.ID != "i-1" {
		t.Error(fmt.Sprint(found))
	}
}
