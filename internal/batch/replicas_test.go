package batch_test

import (
	"sync/atomic"
	"testing"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// pair are two replicas on one database, each with a machine of its own.
func pair(t *testing.T, alive func(string) bool) (a, b *world) {
	at := storetest.Postgres(t)
	join := func(name string) *world {
		return newWorld(t, func(w *world) { w.at, w.machine, w.alive = at, name, alive })
	}
	return join("a"), join("b")
}

// where tells on which replica the job's task runs.
func where(t *testing.T, task string, worlds ...*world) *world {
	t.Helper()
	for _, w := range worlds {
		for _, id := range w.Instant.Running() {
			if id == task {
				return w
			}
		}
	}
	t.Fatalf("%s runs nowhere", task)
	return nil
}

func TestAReplicaThatDoesNotLeadTakesJobsAndCancelsThem(t *testing.T) {
	a, b := pair(t, func(string) bool { return true })
	for _, w := range []*world{a, b} {
		j := w.submit(asked("hold"))
		w.becomes(j.ID, batch.Running)
		runs := where(t, j.ID+".1", a, b)
		for _, other := range []*world{a, b} {
			if other == runs {
				continue
			}
			if _, err := other.Cancel(t.Context(), account, "usr-1", j.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.until("the attempt has ended", func() bool {
			j, err := w.Get(t.Context(), account, j.ID)
			return err == nil && j.Attempts[0].Outcome == "cancelled"
		})
	}
}

func TestWhatRunsOnAReplicaGoesOnWhenAnotherTakesTheLead(t *testing.T) {
	a, b := pair(t, func(string) bool { return true })
	j := a.submit(asked("hold"))
	a.becomes(j.ID, batch.Running)
	first, second := a, b
	if where(t, j.ID+".1", a, b) == b {
		first, second = b, a
	}
	first.restart() // its tasks end with it, in this runtime; until it is back nobody takes them for lost
	next := second.submit(asked("hold"))
	second.becomes(next.ID, batch.Running)
	second.until("the first job's second attempt runs", func() bool {
		j, err := second.Get(t.Context(), account, j.ID)
		return err == nil && len(j.Attempts) == 2 && j.Attempts[0].Outcome == "lost" && j.State == batch.Running
	})
}

func TestAttemptsOnAMachineThatIsGoneAreTakenForLost(t *testing.T) {
	a, b := pair(t, func(string) bool { return false })
	j := a.submit(asked("hold"))
	a.becomes(j.ID, batch.Running)
	first, second := a, b
	if where(t, j.ID+".1", a, b) == b {
		first, second = b, a
	}
	first.stop()
	second.until("a second attempt runs", func() bool {
		j, err := second.Get(t.Context(), account, j.ID)
		return err == nil && len(j.Attempts) == 2 && j.Attempts[0].Outcome == "lost" && j.State == batch.Running
	})
	first.begin() // what it still has of the first attempt is dropped
	first.until("nothing is left of the first attempt", func() bool {
		left, err := first.Instant.Known(t.Context())
		return err == nil && len(left) == 0
	})
	if where(t, j.ID+".2", second) != second {
		t.Error("the second attempt does not run on")
	}
}

func TestAJobWithADeadlineGoesOnWhicheverReplicaTookIt(t *testing.T) {
	var isOpen atomic.Bool
	isOpen.Store(true)
	at := storetest.Postgres(t)
	var worlds []*world
	for _, name := range []string{"a", "b"} {
		worlds = append(worlds, newWorld(t, func(w *world) { w.at, w.machine, w.alive = at, name, func(string) bool { return true } }, markets(&isOpen)))
	}
	for _, w := range worlds {
		w.becomes(w.submit(timed()).ID, batch.Running)
	}
}
