package plan

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAMemberServesThroughItsNoticeUntilItsReplacementDoes(t *testing.T) {
	in := intentOf(3)
	in.Drain = 30 * time.Second
	begin := func() *world {
		w := &world{intent: in, observed: Observed{Instances: fleetOf(3)}, market: marketOf(in), now: noon}
		w.find("i-0").InterruptAt = noon.Add(2 * time.Minute)
		d := w.plan()
		if spot, _ := d.launched(); spot != 1 || len(d.actions(DrainVerb)) != 0 {
			t.Fatalf("want one launch and no drain yet: %+v", d.Actions)
		}
		if last := noon.Add(2*time.Minute - noticeMargin - in.Drain); !d.Next.Equal(last) {
			t.Fatalf("looks again at %s, not at the last call %s", d.Next, last)
		}
		w.apply(d)
		w.settle()
		return w
	}
	ready := begin()
	ready.find("new-2").Phase = Running
	if got := ready.plan().instances(DrainVerb); !slices.Equal(got, []string{"i-0"}) {
		t.Errorf("with a replacement that serves, %v leave", got)
	}
	late := begin()
	late.find("new-2").Phase = Launching
	if d := late.plan(); len(d.Actions) != 0 {
		t.Errorf("while the replacement boots: %+v", d.Actions)
	}
	late.now = noon.Add(2*time.Minute - noticeMargin - in.Drain)
	d := late.plan()
	if got := d.instances(DrainVerb); !slices.Equal(got, []string{"i-0"}) || len(d.actions(LaunchVerb)) != 0 {
		t.Errorf("at the last call: %+v", d.Actions)
	}
}

func TestNobodyIsLetGoInRelianceOnAMemberThatTheCloudTakes(t *testing.T) {
	in := intentOf(3)
	in.Drain = 10 * time.Second
	w := &world{intent: in, observed: Observed{Instances: fleetOf(4)}, market: marketOf(in), now: noon}
	w.find("i-0").InterruptAt = noon.Add(time.Minute)
	w.find("i-1").RebalanceAt = noon
	if got := w.plan().instances(DrainVerb); slices.Contains(got, "i-1") {
		t.Errorf("%v leave: only two would be left to serve", got)
	}
}

func TestAnInterruptionWithTooShortANoticeIsDrainedAtOnceAndReplacedElsewhere(t *testing.T) {
	in := intentOf(3)
	w := &world{intent: in, observed: Observed{Instances: fleetOf(3)}, market: marketOf(in), now: noon}
	w.find("i-0").InterruptAt = noon.Add(30 * time.Second)
	d := w.plan()
	drains, launches := d.actions(DrainVerb), d.actions(LaunchVerb)
	if len(drains) != 1 || drains[0].Instance != "i-0" || !drains[0].DrainUntil.Equal(noon.Add(30*time.Second-noticeMargin)) {
		t.Fatalf("a drain of 2 minutes does not fit into 30 s: %+v", drains)
	}
	if len(launches) != 1 || !slices.Equal(launches[0].Replaces, []string{"i-0"}) || launches[0].Reason != ReasonInterruption {
		t.Fatalf("replacement: %+v", launches)
	}
	if launches[0].Type == "m5.large" && launches[0].Zone == "us-east-1a" {
		t.Error("the replacement goes into the pool that is being taken back")
	}
	if d.Actions[0].Verb != DrainVerb || !d.Next.Equal(drains[0].DrainUntil) {
		t.Errorf("the notice is not used at once: %+v, next %s", d.Actions, d.Next)
	}
	w.apply(d)
	w.now = d.Next
	if got := w.plan().instances(TerminateVerb); !slices.Equal(got, []string{"i-0"}) {
		t.Errorf("after the drain %v are terminated", got)
	}
}

func TestARebalanceSignalBringsTheReplacementFirst(t *testing.T) {
	in := intentOf(3)
	in.Health = Health{Source: HealthInstance, Grace: 5 * time.Minute, Heal: true}
	w := &world{intent: in, observed: Observed{Instances: fleetOf(3)}, market: marketOf(in), now: noon}
	w.find("i-0").RebalanceAt = noon
	d := w.plan()
	if spot, _ := d.launched(); spot != 1 || len(d.actions(DrainVerb)) != 0 || d.Actions[0].Reason != ReasonRebalance {
		t.Fatalf("want one launch and no drain: %+v", d.Actions)
	}
	w.apply(d)
	w.settle()
	fresh := w.find("new-2")
	for _, c := range []struct {
		phase     Phase
		condition Condition
		drains    int
	}{{Launching, ConditionUnknown, 0}, {Running, ConditionUnknown, 0}, {Running, Healthy, 1}} {
		fresh.Phase, fresh.Condition, fresh.WasHealthy = c.phase, c.condition, c.condition == Healthy
		if d := w.plan(); len(d.actions(DrainVerb)) != c.drains || len(d.actions(LaunchVerb)) != 0 {
			t.Errorf("with a replacement that is %s and %s: %+v", c.phase, c.condition, d.Actions)
		}
	}
}

func TestAvailabilityOrientedWaitsForARealInterruption(t *testing.T) {
	in := intentOf(2)
	in.Choice.Rule = AvailabilityOriented
	observed := Observed{Instances: fleetOf(2)}
	observed.Instances[0].RebalanceAt = noon
	if d := Plan(in, observed, marketOf(in), noon); len(d.Actions) != 0 || len(d.Notes) != 1 {
		t.Errorf("got %+v", d)
	}
}

func TestWhatEndsWithoutOurDoingIsReplacedOnce(t *testing.T) {
	in := intentOf(2)
	observed := Observed{Instances: fleetOf(2)}
	observed.Instances[0].Phase, observed.Instances[0].LeaveReason = Terminating, "user"
	d := Plan(in, observed, marketOf(in), noon)
	if a := d.actions(LaunchVerb); len(a) != 1 || a[0].Reason != ReasonLost || !slices.Equal(a[0].Replaces, []string{"i-0"}) {
		t.Errorf("got %+v", d.Actions)
	}
}

func TestADetachedInstanceIsReplacedUnlessTheTargetWasLoweredForIt(t *testing.T) {
	in := intentOf(2)
	observed := Observed{Instances: fleetOf(2)}
	i := &observed.Instances[0]
	i.IsLeaving, i.LockedUntil, i.DrainUntil = true, noon.Add(time.Hour), noon.Add(10*time.Second)
	d := Plan(in, observed, marketOf(in), noon)
	if a := d.actions(DrainVerb); len(a) != 1 || !a[0].DrainUntil.Equal(noon.Add(10*time.Second)) || len(d.actions(LaunchVerb)) != 1 {
		t.Errorf("detached: %+v", d.Actions)
	}
	in.Capacity.Target, i.SkipReplace = 1, true
	if d = Plan(in, observed, marketOf(in), noon); len(d.actions(DrainVerb)) != 1 || len(d.actions(LaunchVerb)) != 0 {
		t.Errorf("detached with the target lowered: %+v", d.Actions)
	}
}

func TestHealthIsJudgedByGraceThenByPatience(t *testing.T) {
	in := intentOf(2)
	in.Health = Health{Source: HealthInstance, Grace: 5 * time.Minute, UnhealthyFor: 2 * time.Minute, Heal: true}
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for _, c := range []struct {
		name     string
		change   func(*Instance)
		replaced bool
		next     time.Time
	}{
		{"never healthy, in its grace", func(i *Instance) { i.LaunchedAt, i.Condition, i.WasHealthy = ago(time.Minute), Unhealthy, false }, false, noon.Add(4 * time.Minute)},
		{"never healthy, grace over", func(i *Instance) {
			i.LaunchedAt, i.Condition, i.WasHealthy = ago(5*time.Minute), ConditionUnknown, false
		}, true, time.Time{}},
		{"healthy once, in its grace, unhealthy long enough", func(i *Instance) {
			i.LaunchedAt, i.Condition, i.ConditionAt = ago(4*time.Minute), Unhealthy, ago(2*time.Minute)
		}, true, time.Time{}},
		{"unhealthy, not long enough", func(i *Instance) { i.Condition, i.ConditionAt = Unhealthy, ago(time.Minute) }, false, noon.Add(time.Minute)},
		{"unknown after being healthy", func(i *Instance) { i.Condition, i.ConditionAt = ConditionUnknown, ago(time.Hour) }, false, time.Time{}},
		{"standby", func(i *Instance) { i.Condition, i.ConditionAt, i.Standby = Unhealthy, ago(time.Hour), true }, false, time.Time{}},
		{"locked", func(i *Instance) {
			i.Condition, i.ConditionAt, i.LockedUntil = Unhealthy, ago(time.Hour), noon.Add(time.Hour)
		}, true, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			observed := Observed{Instances: fleetOf(2)}
			c.change(&observed.Instances[0])
			d := Plan(in, observed, marketOf(in), noon)
			launches := d.actions(LaunchVerb)
			if (len(launches) == 1) != c.replaced || len(d.actions(DrainVerb)) != 0 || !d.Next.Equal(c.next) {
				t.Errorf("got %+v, next %s", d.Actions, d.Next)
			}
			if c.replaced && (launches[0].Reason != ReasonUnhealthy || launches[0].Replaces[0] != "i-0") {
				t.Errorf("replaced for %+v", launches)
			}
		})
	}
}

func TestWithoutHealingUnhealthyMembersAreOnlyReported(t *testing.T) {
	in := intentOf(1)
	in.Health = Health{Source: HealthInstance, Heal: false}
	observed := Observed{Instances: fleetOf(1)}
	observed.Instances[0].Condition = Unhealthy
	if d := Plan(in, observed, marketOf(in), noon); len(d.Actions) != 0 || len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "i-0") {
		t.Errorf("got %+v", d)
	}
}

func TestAFalseAlarmMovesNoMoreThanTheRecoveryBudget(t *testing.T) {
	in := intentOf(10)
	in.Health = Health{Source: HealthInstance, Heal: true}
	observed := Observed{Instances: fleetOf(10)}
	for n := range observed.Instances {
		observed.Instances[n].Condition = Unhealthy
	}
	for part, want := range map[int]int{0: 5, 20: 2, 100: 10} {
		in.MaxMovesPart = part
		if spot, _ := Plan(in, observed, marketOf(in), noon).launched(); spot != want {
			t.Errorf("with %d %%: %d of 10 are replaced at once, want %d", part, spot, want)
		}
	}
}

func TestAReplacementThatDiesIsReplacedAgain(t *testing.T) {
	in := intentOf(1)
	w := &world{intent: in, observed: Observed{Instances: fleetOf(1)}, market: marketOf(in), now: noon}
	w.find("i-0").RebalanceAt = noon
	w.apply(w.plan())
	w.settle()
	w.find("new-2").Phase = Terminated
	if spot, _ := w.plan().launched(); spot != 1 {
		t.Errorf("launched %d for a replacement that died", spot)
	}
}

func TestADeletedFleetIsWoundDownWithItsLockedMembers(t *testing.T) {
	in := intentOf(4)
	w := &world{intent: in, observed: Observed{Deleting: true, Instances: fleetOf(3)}, market: marketOf(in), now: noon}
	w.find("i-0").Phase, w.find("i-1").LockedUntil = Launching, noon.Add(time.Hour)
	d := w.plan()
	if !slices.Equal(d.instances(TerminateVerb), []string{"i-0"}) || !slices.Equal(d.instances(DrainVerb), []string{"i-1", "i-2"}) || len(d.actions(LaunchVerb)) != 0 {
		t.Fatalf("got %+v", d.Actions)
	}
	w.apply(d)
	w.now = d.Next
	if d = w.plan(); !slices.Equal(d.instances(TerminateVerb), []string{"i-1", "i-2"}) {
		t.Errorf("after the drain: %+v", d.Actions)
	}
}

func TestGraceIsNotCountedFromBeforeTheInstanceWasKnown(t *testing.T) {
	in := intentOf(2)
	in.Health = Health{Source: HealthInstance, Grace: 5 * time.Minute, Heal: true}
	w := &world{intent: in, observed: Observed{Instances: fleetOf(2)}, market: marketOf(in), now: noon}
	fresh := w.find("i-0")
	fresh.Condition, fresh.WasHealthy = ConditionUnknown, false
	fresh.LaunchedAt, fresh.KnownAt = noon.Add(-time.Hour), noon.Add(-time.Minute) // the cloud's clock is behind ours
	if d := w.plan(); len(d.Actions) != 0 || !d.Next.Equal(noon.Add(4*time.Minute)) {
		t.Errorf("an instance a minute old: %+v, next %s", d.Actions, d.Next)
	}
	w.now = noon.Add(4 * time.Minute)
	if spot, _ := w.plan().launched(); spot != 1 {
		t.Error("it is not replaced when its grace is over")
	}
}

func TestWhatNobodyLookedAtInItsGraceIsLookedAtBeforeItIsReplaced(t *testing.T) {
	in := intentOf(4)
	in.Health = Health{Source: HealthInstance, Grace: 5 * time.Minute, UnhealthyFor: 2 * time.Minute, Heal: true}
	w := &world{intent: in, observed: Observed{Instances: fleetOf(4)}, market: marketOf(in), now: noon}
	fresh, failing := w.find("i-0"), w.find("i-1")
	fresh.Condition, fresh.WasHealthy, fresh.LaunchedAt = ConditionUnknown, false, noon.Add(-time.Hour)
	failing.Condition, failing.ConditionAt = Unhealthy, noon.Add(-time.Hour)
	w.observed.SeenAt = noon.Add(-59 * time.Minute) // a stalled process: its picture of the fleet is an hour old
	if d := w.plan(); len(d.Actions) != 0 || !d.Next.Equal(noon) {
		t.Errorf("judged by an old picture: %+v, next %s", d.Actions, d.Next)
	}
	w.observed.SeenAt, w.observed.Unseen = noon, []string{"i-0", "i-1"}
	if d := w.plan(); len(d.Actions) != 0 {
		t.Errorf("judged by an answer that did not show them: %+v", d.Actions)
	}
	w.observed.Unseen = nil
	if spot, _ := w.plan().launched(); spot != 2 {
		t.Errorf("with a fresh picture %d are replaced", spot)
	}
}

func TestAnUnhealthyMemberOfTheFloorIsReplacedOnDemandAlthoughSpotCoversTheTarget(t *testing.T) {
	for _, spot := range []int{5, 6} {
		in := intentOf(5)
		in.Mix.OnDemandCount = 1
		in.Health = Health{Source: HealthInstance, Grace: 5 * time.Minute, Heal: true}
		w := &world{intent: in, observed: Observed{Instances: fleetOf(spot + 1)}, market: marketOf(in), now: noon}
		failing := w.find("i-0")
		failing.Lifecycle, failing.Condition, failing.ConditionAt = OnDemand, Unhealthy, noon.Add(-time.Hour)
		d := w.plan()
		if bought, onDemand := d.launched(); bought != 0 || onDemand != 1 {
			t.Errorf("beside %d on spot: %d spot and %d on demand are launched: %+v", spot, bought, onDemand, d.Actions)
		}
		for _, a := range d.actions(LaunchVerb) {
			if !slices.Equal(a.Replaces, []string{"i-0"}) {
				t.Errorf("beside %d on spot: it takes the place of %v", spot, a.Replaces)
			}
		}
	}
}
