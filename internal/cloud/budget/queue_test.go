package budget_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
)

func TestCallsBeyondTheBudgetWaitInsteadOfBeingRefused(t *testing.T) {
	bubble(t, func(t *testing.T, _ *far, _ *budget.Budget, p cloud.Provider) {
		if n := drain(t, p); n != 95 {
			t.Errorf("%d launches were made at once, 95 %% of the cloud's 100 are in the bucket", n)
		}
		began := time.Now()
		for range 19 {
			must(t, launch(t.Context(), p, region))
		}
		if took := time.Since(began); took < 1900*time.Millisecond || took > 2100*time.Millisecond {
			t.Errorf("19 launches took %s at 9.5 a second", took)
		}
	})
}

// Whatever arrives when, by whatever priority, with whatever replicas coming and going: no window holds more calls than a bucket and its refill.
func TestNoWindowEverHoldsMoreCallsThanTheBudget(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type arrival struct {
			after    time.Duration
			burst    int
			priority budget.Priority
		}
		arrivals := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) arrival {
			return arrival{
				after: time.Duration(rapid.IntRange(0, 5_000).Draw(r, "after")) * time.Millisecond, burst: rapid.IntRange(1, 50).Draw(r, "burst"),
				priority: budget.Priority(rapid.IntRange(0, 4).Draw(r, "priority")),
			}
		}), 1, 8).Draw(r, "arrivals")
		replicas := rapid.IntRange(1, 4).Draw(r, "replicas")
		takes := time.Duration(rapid.IntRange(0, 400).Draw(r, "takes")) * time.Millisecond
		synctest.Test(t, func(t *testing.T) {
			f := &far{}
			f.tell(func(context.Context, made) error { <-time.After(takes); return nil })
			b := budget.New(budget.Config{Clock: clock.Wall{}, Replicas: func() int { return replicas }})
			p := b.Wrap("acc", f)
			var callers sync.WaitGroup
			for _, a := range arrivals {
				<-time.After(a.after)
				for range a.burst {
					callers.Go(func() { must(t, launch(budget.With(t.Context(), a.priority), p, region)) })
				}
			}
			callers.Wait()
			calls := f.made(budget.Launch)
			slices.SortFunc(calls, func(a, b made) int { return a.at.Compare(b.at) })
			for from := range calls {
				for to := from; to < len(calls); to++ {
					window := calls[to].at.Sub(calls[from].at).Seconds()
					if most := (95+9.5*window)/float64(replicas) + 0.001; float64(to-from+1) > most {
						t.Fatalf("%d launches within %.3f s; %.2f are allowed with %d replicas", to-from+1, window, most, replicas)
					}
				}
			}
			if f.most > 8 {
				t.Fatalf("%d launches were in flight at once", f.most)
			}
		})
	})
}

func TestTheMoreUrgentCallIsMadeFirst(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		n := drain(t, p)
		var callers sync.WaitGroup
		for _, priority := range []budget.Priority{budget.Sweep, budget.Saving, budget.Scaling, budget.Healing, budget.Notices} {
			callers.Go(func() { must(t, launch(budget.With(t.Context(), priority), p, region)) })
			synctest.Wait()
		}
		callers.Wait()
		var order []budget.Priority
		for _, m := range f.made()[n+1:] {
			order = append(order, m.priority)
		}
		want := []budget.Priority{budget.Notices, budget.Healing, budget.Scaling, budget.Saving, budget.Sweep}
		if !slices.Equal(order, want) {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestASweepIsServedWithinEightCallsHoweverUrgentTheOthersAre(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		n := drain(t, p)
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() { must(t, launch(budget.With(t.Context(), budget.Sweep), p, region)) })
			synctest.Wait()
		}
		for range 60 {
			callers.Go(func() { must(t, launch(budget.With(t.Context(), budget.Healing), p, region)) })
		}
		callers.Wait()
		sweeps := 0
		for i, m := range f.made()[n+1:] {
			if m.priority == budget.Sweep {
				sweeps++
				if i >= 8*sweeps+1 {
					t.Errorf("sweep %d was served as number %d", sweeps, i+1)
				}
			}
		}
		if sweeps != 3 {
			t.Errorf("%d of 3 sweeps were served", sweeps)
		}
	})
}

func TestAWaiterGivesUpWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		n := drain(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := launch(ctx, p, region); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if calls := len(f.made()); calls != n+1 {
			t.Errorf("%d calls were made for %d callers", calls, n+1)
		}
		if s := b.States()[0]; s.Waiting != 0 || s.InFlight != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
}

func TestARefusalAsThrottledDrainsTheBucketAndHalvesTheRateForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		f.tell(func(context.Context, made) error {
			return &cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount, Key: region, Code: "RequestLimitExceeded", Message: "slow down"}
		})
		if err := launch(t.Context(), p, region); err == nil {
			t.Error("the refusal was lost")
		}
		f.tell(nil)
		began := time.Now()
		for range 10 {
			must(t, launch(t.Context(), p, region))
		}
		if took := time.Since(began).Seconds(); took < 10/9.5*1.8 || took > 10/9.5*2.1 {
			t.Errorf("ten launches took %.1f s right after a throttling; at half the rate they take about 2.1", took)
		}
		<-time.After(2 * time.Minute)
		began = time.Now()
		if n := drain(t, p); n != 95 {
			t.Errorf("%d calls are in the bucket once it has recovered", n)
		}
	})
}

func TestReplicasShareTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replicas := 3
		f := &far{}
		b := budget.New(budget.Config{Clock: clock.Wall{}, Replicas: func() int { return replicas }})
		if n := drain(t, b.Wrap("acc", f)); n != 31 {
			t.Errorf("a third of 95 launches is 31, not %d", n)
		}
	})
}

func TestAccountsAndRegionsHaveBudgetsOfTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T, _ *far, b *budget.Budget, p cloud.Provider) {
		drain(t, p)
		began := time.Now()
		must(t, launch(t.Context(), p, "eu-west-1"))
		must(t, launch(t.Context(), b.Wrap("other", &far{}), region))
		if took := time.Since(began); took > 0 {
			t.Errorf("they waited %s for another's budget", took)
		}
	})
}
