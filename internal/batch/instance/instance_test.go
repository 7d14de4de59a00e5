package instance

import (
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
)

func TestATaskRunsOnOneSpotInstanceThatIsFoundByItsID(t *testing.T) {
	t.Parallel()
	w := begin(t)
	task := w.runs(spec("job-1.1", "acc-1"))
	if task.Instance == "" || task.Started.IsZero() || task.Reason != "" {
		t.Errorf("it runs as %+v", task)
	}
	found, is, err := w.Find(t.Context(), "acc-1", "us-east-1", task.Instance)
	if err != nil || !is {
		t.Fatalf("the instance is nobody's: %v", err)
	}
	if of, is, err := w.MachineOf(t.Context(), "job-1.1"); of != found || !is || err != nil {
		t.Errorf("the task's machine is %+v, %v, %v", of, is, err)
	}
	has := runtime.Resources{MilliCPU: 2000, MemoryMiB: 4096}
	if found.Task != "job-1.1" || found.PrivateIP == "" || found.Type != "c5.large" || found.Has != has || found.Group != GroupOf("job-1.1") || found.Lifecycle != cloud.Spot {
		t.Errorf("found %+v", found)
	}
	for _, c := range []struct{ account, region, instance string }{{"acc-2", "us-east-1", task.Instance}, {"acc-1", "eu-west-1", task.Instance}, {"acc-1", "us-east-1", "i-0000000000000000f"}} {
		if other, is, err := w.Find(t.Context(), c.account, c.region, c.instance); is || err != nil {
			t.Errorf("%v is %+v, %v", c, other, err)
		}
	}
	all := w.made()
	if len(all) != 1 || all[0].Tags["neap.job"] != "j-1" || all[0].Tags["neap:owner"] != found.Group {
		t.Errorf("the cloud started %+v", all)
	}
}

func TestStoppingTerminatesTheInstanceWhateverTheDeletionHold(t *testing.T) {
	t.Parallel()
	w := begin(t, func(o *options) { o.hold = 15 * time.Minute })
	task := w.runs(spec("a", "acc-1"))
	if err := w.Stop(t.Context(), "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 2*time.Minute, w.in("a", runtime.Ended))
	ended := w.task("a")
	if ended.Exit != (runtime.Exit{Stopped: true}) || ended.Ended.Before(task.Started) || len(w.alive()) != 0 {
		t.Errorf("ended as %+v with %+v alive", ended, w.alive())
	}
	if _, is, err := w.Find(t.Context(), "acc-1", "us-east-1", task.Instance); is || err != nil {
		t.Errorf("its instance is found still, %v", err)
	}
	if err := w.Stop(t.Context(), "a", 0); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
	if err := w.Stop(t.Context(), "nobody", 0); err != nil {
		t.Errorf("stopping what never began: %v", err)
	}
}

func TestAnInterruptedTaskIsLostOnceItsInstanceHasEndedAndNothingReplacesIt(t *testing.T) {
	t.Parallel()
	w := begin(t)
	task := w.runs(spec("a", "acc-1"))
	w.interrupt("acc-1", task.Instance)
	noticed := w.clock.Now()
	w.until("it is lost", 5*time.Minute, func() bool {
		now := w.task("a")
		if now.State == runtime.Lost && len(w.alive()) != 0 {
			t.Fatal("it is said to be lost while its instance lives")
		}
		return now.State == runtime.Lost
	})
	lost := w.task("a")
	if lost.Reason != interrupted || lost.Ended.Sub(noticed) < 110*time.Second {
		t.Errorf("%+v; it was to have its notice of two minutes to itself", lost)
	}
	w.quiet(20 * time.Minute)
	if n := len(w.made()); n != 1 {
		t.Errorf("%d instances were launched", n)
	}
	if again := w.task("a"); again != lost {
		t.Errorf("the end changed from %+v to %+v", lost, again)
	}
}

func TestSpotThatIsRefusedIsWaitedForWithTheReason(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.dry("c5.large", cloud.Spot, w.clock.Now().Add(20*time.Minute))
	w.start(spec("a", "acc-1"))
	w.until("it says why it waits", 10*time.Minute, func() bool { return strings.Contains(w.task("a").Reason, "not enough spot capacity") })
	if task := w.task("a"); task.State != runtime.Starting || !strings.HasPrefix(task.Reason, "Waits for a spot c5.large in us-east-1.") {
		t.Errorf("it waits as %+v", task)
	}
	w.until("it runs after all", 2*time.Hour, w.in("a", runtime.Running))
	if task := w.task("a"); task.Reason != "" || len(w.made()) != 1 {
		t.Errorf("it runs as %+v of %d instances", task, len(w.made()))
	}
}

func TestWhenSpotIsRefusedATaskThatMayFallsBackToOnDemand(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.dry("c5.large", cloud.Spot, w.clock.Now().Add(5*time.Hour))
	s := spec("a", "acc-1")
	s.FallBack = true
	task := w.runs(s)
	if found, _, err := w.MachineOf(t.Context(), "a"); err != nil || found.Lifecycle != cloud.OnDemand {
		t.Errorf("it runs on %+v, %v", found, err)
	}
	w.quiet(6 * time.Hour) // spot is to be had again, and nobody moves it back
	if now := w.task("a"); now.State != runtime.Running || now.Instance != task.Instance || len(w.made()) != 1 {
		t.Errorf("it was moved: %+v", now)
	}
}

func TestATaskThatAsksForOnDemandNeverRunsOnSpot(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := spec("a", "acc-1")
	s.OnDemand = true
	w.runs(s)
	if found, _, err := w.MachineOf(t.Context(), "a"); err != nil || found.Lifecycle != cloud.OnDemand {
		t.Errorf("it runs on %+v, %v", found, err)
	}
}

func TestATerminationFromOutsideIsToldFromAnInterruption(t *testing.T) {
	t.Parallel()
	w := begin(t)
	task := w.runs(spec("a", "acc-1"))
	if err := w.cloud.Account("acc-1").Terminate(t.Context(), "us-east-1", []string{task.Instance}); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 2*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("a"); now.Exit != (runtime.Exit{Code: 1, Reason: fromOutside}) {
		t.Errorf("it ended as %+v", now.Exit)
	}
	b := w.runs(spec("b", "acc-1"))
	if err := w.cloud.Kill(t.Context(), b.Instance); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 2*time.Minute, w.in("b", runtime.Ended))
	if now := w.task("b"); now.Exit != (runtime.Exit{Code: 1, Reason: byItself}) {
		t.Errorf("it ended as %+v", now.Exit)
	}
	w.quiet(5 * time.Minute)
	if n := len(w.made()); n != 2 {
		t.Errorf("%d instances were launched for two tasks", n)
	}
}

func TestAnInstanceThatIsStoppedInPlaceIsTerminated(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := spec("a", "acc-1")
	s.OnDemand = true
	task := w.runs(s)
	if err := w.cloud.Account("acc-1").Stop(t.Context(), "us-east-1", []string{task.Instance}, false); err != nil {
		t.Fatal(err)
	}
	w.until("it has ended", 5*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("a"); now.Exit.Reason != fromOutside || len(w.alive()) != 0 {
		t.Errorf("it ended as %+v, alive %+v", now, w.alive())
	}
}

func TestATimeoutCountsFromWhenTheInstanceRanAndAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	w := begin(t, func(o *options) { o.folder = folder })
	s := spec("a", "acc-1")
	s.Timeout = 30 * time.Minute
	started := w.runs(s).Started
	w.quiet(10 * time.Minute)
	w.stop()
	w = begin(t, func(o *options) { o.folder, o.now = folder, started.Add(25*time.Minute) })
	w.quiet(3 * time.Minute)
	if now := w.task("a"); now.State != runtime.Running {
		t.Fatalf("after 28 minutes it is %+v", now)
	}
	w.until("it has ended", 10*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("a"); !now.Exit.TimedOut || now.Exit.Stopped || now.Ended.Sub(started) < s.Timeout || now.Ended.Sub(started) > s.Timeout+2*time.Minute || len(w.alive()) != 0 {
		t.Errorf("it ended as %+v after %s", now, now.Ended.Sub(started))
	}
}

func TestTwoAccountsKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	w := begin(t)
	one, other := w.runs(spec("a", "acc-1")), w.runs(spec("b", "acc-2"))
	for _, r := range w.made() {
		if want := map[string]string{one.Instance: "acc-1", other.Instance: "acc-2"}[r.ID]; r.Account != want {
			t.Errorf("%s is in %s", r.ID, r.Account)
		}
	}
	if err := w.Stop(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	w.until("the one has ended", 2*time.Minute, w.in("a", runtime.Ended))
	if now := w.task("b"); now.State != runtime.Running {
		t.Errorf("the other is %+v", now)
	}
	if _, err := w.Fleet.Get(t.Context(), "acc-1", GroupOf("b")); err == nil {
		t.Error("one account sees the other's group")
	}
}
