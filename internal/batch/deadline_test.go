package batch_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/runtime"
)

// markets is a spot pool that opens and shuts.
func markets(isOpen *atomic.Bool) func(*world) {
	return func(w *world) {
		w.market = func(context.Context, capacity.Lane, runtime.Resources) (deadline.Market, error) {
			return deadline.Market{OnDemand: 100_000, Pools: []deadline.Pool{{
				Type: "c5.large", Zone: "us-east-1a", Price: money.Price(30_000), Open: isOpen.Load(), Since: dawn.Add(-time.Hour), Hazard: 0.01,
			}}}, nil
		}
	}
}

func timed() batch.Submission {
	s := asked("hold")
	s.Deadline, s.Expected, s.Checkpoint = dawn.Add(4*time.Hour), time.Hour, true
	return s
}

func TestAJobWithADeadlineTakesSpotWhenThereIsSome(t *testing.T) {
	var isOpen atomic.Bool
	isOpen.Store(true)
	w := newWorld(t, markets(&isOpen))
	if j := w.becomes(w.submit(timed()).ID, batch.Running); j.Lane.Queue != capacity.SpotQueue {
		t.Errorf("it runs in the queue %s", j.Lane.Queue)
	}
}

func TestAJobWithADeadlineWaitsForSpotAsLongAsItCanAndNoLonger(t *testing.T) {
	var isOpen atomic.Bool
	w := newWorld(t, markets(&isOpen))
	id := w.submit(timed()).ID
	w.until("the job waits and says why", func() bool {
		j, err := w.Get(t.Context(), account, id)
		return err == nil && j.State == batch.Pending && strings.Contains(j.Reason, "spot")
	})
	for range 13 {
		w.Clock.Advance(15 * time.Minute)
		if j, err := w.Get(t.Context(), account, id); err != nil || j.State == batch.Running {
			break
		}
	}
	if j := w.becomes(id, batch.Running); j.Lane.Queue != capacity.OnDemandQueue {
		t.Errorf("it runs in the queue %s", j.Lane.Queue)
	}
}

func TestADeadlineThatSpotLosesGoesOnWithWhatItsCheckpointsKept(t *testing.T) {
	var isOpen atomic.Bool
	isOpen.Store(true)
	w := newWorld(t, markets(&isOpen))
	id := w.submit(timed()).ID
	w.becomes(id, batch.Running)
	w.Clock.Advance(30 * time.Minute)
	isOpen.Store(false)
	w.Machines.Take(time.Time{}, func(int) bool { return true })
	w.until("it waits again", func() bool {
		j, err := w.Get(t.Context(), account, id)
		return err == nil && j.State == batch.Pending && len(j.Attempts) == 1
	})
}

func TestARetryOfAJobWithADeadlineHasAsMuchTimeAsTheFirst(t *testing.T) {
	var isOpen atomic.Bool
	w := newWorld(t, markets(&isOpen))
	first := w.submit(timed())
	if _, err := w.Cancel(t.Context(), account, "usr-1", first.ID); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(5 * time.Hour)
	second, err := w.Retry(t.Context(), account, "usr-1", first.ID, "")
	if err != nil || !second.Deadline.Equal(dawn.Add(9*time.Hour)) {
		t.Errorf("%s, %v", second.Deadline, err)
	}
	s := timed()
	if _, err := w.Submit(t.Context(), account, "usr-1", s, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("a deadline in the past: %v", err)
	}
}
