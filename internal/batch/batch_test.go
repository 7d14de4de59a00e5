package batch_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func TestAJobRunsToItsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		w := newWorld(t, func(w *world) { w.at = at })
		j := w.becomes(w.submit(asked("true")).ID, batch.Succeeded)
		if len(j.Attempts) != 1 || j.Attempts[0].Outcome != "succeeded" || j.Attempts[0].Host == "" || j.Attempts[0].Part == 0 || j.StoppedAt.IsZero() {
			t.Errorf("%+v", j)
		}
		told, err := w.History(t.Context(), account, j.ID)
		var path []string
		for _, step := range told {
			path = append(path, string(step.From)+">"+string(step.To))
		}
		if want := "SUBMITTED>RUNNABLE RUNNABLE>STARTING STARTING>RUNNING RUNNING>SUCCEEDED"; err != nil || strings.Join(path, " ") != want {
			t.Errorf("history: %v, %v", path, err)
		}
	})
}

func TestAJobsOwnFailureEndsItAndSaysWhy(t *testing.T) {
	w := newWorld(t)
	if j := w.becomes(w.submit(asked("exit", "3")).ID, batch.Failed); j.Reason != "Its command ended with exit code 3." {
		t.Errorf("reason: %q", j.Reason)
	}
}

func TestALostAttemptDoesNotCountAgainstTheJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		w := newWorld(t, func(w *world) { w.at = at })
		id := w.submit(asked("hold")).ID
		w.becomes(id, batch.Running)
		w.stop() // its tasks are lost with their process
		w.begin()
		w.until("a second attempt runs", func() bool {
			j, err := w.Get(t.Context(), account, id)
			return err == nil && len(j.Attempts) == 2 && j.State == batch.Running
		})
		if ok, err := w.Instant.Finish(id+".2", 0); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if j := w.becomes(id, batch.Succeeded); j.Attempts[0].Outcome != "lost" {
			t.Errorf("%+v", j.Attempts)
		}
	})
}

func TestATaskWhoseMachineGoesIsBegunAgainElsewhere(t *testing.T) {
	w := newWorld(t)
	id := w.submit(asked("hold")).ID
	first := w.becomes(id, batch.Running).Attempts[0].Host
	w.Machines.Take(time.Time{}, func(int) bool { return true })
	w.until("a second attempt runs", func() bool {
		j, err := w.Get(t.Context(), account, id)
		return err == nil && len(j.Attempts) == 2 && j.State == batch.Running && j.Attempts[0].Outcome == "preempted" && j.Attempts[1].Host != first
	})
}

func TestATaskGoesOnUntilShortlyBeforeItsMachineGoes(t *testing.T) {
	w := newWorld(t)
	id := w.submit(asked("hold")).ID
	w.becomes(id, batch.Running)
	w.Machines.Take(dawn.Add(2*time.Minute), func(int) bool { return true })
	looked := w.Machines.Looks()
	w.until("the machines were looked at", func() bool { return w.Machines.Looks() > looked+1 })
	w.Clock.Advance(89 * time.Second)
	second := w.submit(asked("hold")) // has to wait: no machine takes anything any more
	w.until("the second job asks for a machine", func() bool { return len(w.Machines.Wanted(second.Lane).Waiting) == 1 })
	if j, _ := w.Get(t.Context(), account, id); j.State != batch.Running || len(j.Attempts) != 1 {
		t.Fatalf("%s with %d attempts", j.State, len(j.Attempts))
	}
	w.Clock.Advance(2 * time.Second)
	w.until("the first attempt was ended", func() bool {
		j, err := w.Get(t.Context(), account, id)
		return err == nil && j.Attempts[0].Outcome == "preempted"
	})
}

func TestCancellingWorksInEveryStateAndStopsWhatRuns(t *testing.T) {
	w := newWorld(t)
	running := w.submit(asked("hold"))
	w.becomes(running.ID, batch.Running)
	for range 3 { // the rest of the room
		w.submit(asked("hold"))
	}
	waiting := w.submit(asked("hold"))
	for _, id := range []string{waiting.ID, running.ID} {
		if j, err := w.Cancel(t.Context(), account, "usr-1", id); err != nil || j.State != batch.Cancelled {
			t.Errorf("%s: %v", j.State, err)
		}
		if _, err := w.Cancel(t.Context(), account, "usr-1", id); !fault.Is(err, fault.Conflict) {
			t.Errorf("cancelled again: %v", err)
		}
	}
	w.until("the attempt has ended", func() bool {
		j, err := w.Get(t.Context(), account, running.ID)
		return err == nil && j.Attempts[0].Outcome == "cancelled" && j.State == batch.Cancelled
	})
}

func TestACancelledJobIsStoppedAlsoAfterARestart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		w := newWorld(t, func(w *world) { w.at = at })
		j := w.submit(asked("hold"))
		w.becomes(j.ID, batch.Running)
		w.stop()
		if _, err := w.Cancel(t.Context(), account, "usr-1", j.ID); err != nil {
			t.Fatal(err)
		}
		w.begin()
		w.until("the attempt is closed", func() bool {
			j, err := w.Get(t.Context(), account, j.ID)
			return err == nil && j.Attempts[0].Outcome == "cancelled"
		})
	})
}

func TestTheSameKeyGivesTheSameJobAndAnotherJobWithItIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		w := newWorld(t, func(w *world) { w.at = at })
		first, err := w.Submit(t.Context(), account, "usr-1", asked("true"), "k")
		if err != nil {
			t.Fatal(err)
		}
		w.becomes(first.ID, batch.Succeeded)
		if again, err := w.Submit(t.Context(), account, "usr-1", asked("true"), "k"); err != nil || again.ID != first.ID || again.State != batch.Succeeded {
			t.Errorf("%s %s, %v", again.ID, again.State, err)
		}
		if _, err := w.Submit(t.Context(), account, "usr-1", asked("false"), "k"); !fault.Is(err, fault.Conflict) {
			t.Errorf("another job: %v", err)
		}
		if other, err := w.Submit(t.Context(), account, "usr-2", asked("true"), "k"); err != nil || other.ID == first.ID {
			t.Errorf("another user's: %s, %v", other.ID, err)
		}
	})
}

func TestARetryIsANewJobAndTheOldOneStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	s := asked("exit", "1")
	s.Env = map[string]string{"LEVEL": "info"}
	old := w.becomes(w.submit(s).ID, batch.Failed)
	j, err := w.Retry(t.Context(), account, "usr-2", old.ID, "")
	if err != nil || j.ID == old.ID || j.RetryOf != old.ID || j.Author != "usr-2" {
		t.Fatalf("%+v, %v", j, err)
	}
	w.becomes(j.ID, batch.Failed)
	if again, err := w.Get(t.Context(), account, old.ID); err != nil || !reflect.DeepEqual(again, old) {
		t.Errorf("the old one has changed: %+v", again)
	}
	hold := w.submit(asked("hold"))
	if _, err := w.Retry(t.Context(), account, "usr-2", hold.ID, ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("retry of one that is not finished: %v", err)
	}
}

func TestWhatCanNeverBePlacedIsRejectedWithTheReason(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*batch.Submission){
		"There is no queue media-low in us-east-1.":                                 func(s *batch.Submission) { s.Queue = "media-low" },
		"No machine is as large as that.":                                           func(s *batch.Submission) { s.Resources.MilliCPU = 64_000 },
		"There is no such image here.":                                              func(s *batch.Submission) { s.Image = "never" },
		"An ami is a machine image of aws; on azure there are container jobs only.": func(s *batch.Submission) { s.Image, s.Command, s.AMI, s.Cloud = "", nil, "ami-0a1b2c3d", "azure" },
	} {
		s := asked("true")
		change(&s)
		if j := w.submit(s); j.State != batch.Rejected || j.Reason != name {
			t.Errorf("%s: %q, want %q", j.State, j.Reason, name)
		}
	}
}

func TestWhatIsMalformedIsRefusedAndNothingIsQueued(t *testing.T) {
	w := newWorld(t)
	for _, change := range []func(*batch.Submission){
		func(s *batch.Submission) { s.AMI = "ami-0a1b2c3d" },
		func(s *batch.Submission) { s.Image = "" },
		func(s *batch.Submission) { s.UserData = "#!/bin/sh" },
		func(s *batch.Submission) { s.Image, s.AMI = "", "ami-0a1b2c3d" },
		func(s *batch.Submission) { s.Customer = "" },
		func(s *batch.Submission) { s.Cloud = "gcp" },
		func(s *batch.Submission) { s.Resources.MemoryMiB = -1 },
		func(s *batch.Submission) { s.Priority = "MEDIUM" },
		func(s *batch.Submission) { s.Timeout = -1 },
		func(s *batch.Submission) { s.Deadline = dawn.Add(time.Hour) },
		func(s *batch.Submission) { s.Deadline, s.Expected = dawn.Add(-time.Hour), time.Minute },
	} {
		s := asked("true")
		change(&s)
		if _, err := w.Submit(t.Context(), account, "usr-1", s, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if found, _, err := w.List(t.Context(), account, batch.ListQuery{}); err != nil || len(found) > 0 {
		t.Errorf("queued: %v, %v", found, err)
	}
}

func TestAnotherAccountsJobReadsLikeAMissingOne(t *testing.T) {
	w := newWorld(t)
	id := w.submit(asked("hold")).ID
	_, get := w.Get(t.Context(), "act-2", id)
	_, cancel := w.Cancel(t.Context(), "act-2", "usr-1", id)
	_, retry := w.Retry(t.Context(), "act-2", "usr-1", id, "")
	_, history := w.History(t.Context(), "act-2", id)
	_, cost := w.Cost(t.Context(), "act-2", id)
	for _, err := range []error{get, cancel, retry, history, cost} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
	}
}

func TestHighJobsGoFirstInAQueueThatBothNamed(t *testing.T) {
	w := newWorld(t, func(w *world) { w.Machines.Machines, w.room.MilliCPU = 1, 1000 })
	low, high := asked("hold"), asked("hold")
	low.Queue, high.Queue, high.Priority = "media", "media", batch.High
	first := w.submit(low)
	w.becomes(first.ID, batch.Running)
	second := w.submit(low)
	third := w.submit(high)
	if ok, err := w.Instant.Finish(first.ID+".1", 0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.becomes(third.ID, batch.Running)
	if j, _ := w.Get(t.Context(), account, second.ID); j.State != batch.Runnable {
		t.Errorf("the LOW job is %s", j.State)
	}
	if n, err := w.Ahead(t.Context(), account, second.ID); n != 0 || err != nil {
		t.Errorf("%d ahead, %v", n, err)
	}
}

func TestAQueueWithJobsInItStays(t *testing.T) {
	w := newWorld(t)
	s := asked("hold")
	s.Queue = "media"
	j := w.submit(s)
	w.becomes(j.ID, batch.Running)
	if err := w.Queues().DropQueue(t.Context(), j.Lane); !fault.Is(err, fault.Conflict) {
		t.Errorf("dropped while a job runs: %v", err)
	}
	if ok, err := w.Instant.Finish(j.ID+".1", 0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.becomes(j.ID, batch.Succeeded)
	if err := w.Queues().DropQueue(t.Context(), j.Lane); !fault.Is(err, fault.Denied) { // as this capacity says to whoever gets so far
		t.Errorf("dropped when nothing is left: %v", err)
	}
}
