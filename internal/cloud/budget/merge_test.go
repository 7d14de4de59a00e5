package budget_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
)

func TestALoneTerminationIsNotHeldUp(t *testing.T) {
	bubble(t, func(t *testing.T, _ *far, _ *budget.Budget, p cloud.Provider) {
		began := time.Now()
		must(t, p.Terminate(t.Context(), region, []string{"i-1"}))
		if took := time.Since(began); took > 0 {
			t.Errorf("it waited %s for company", took)
		}
	})
}

func TestTerminationsThatComeTogetherShareCalls(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		must(t, p.Terminate(t.Context(), region, []string{"i-first"}))
		var callers sync.WaitGroup
		for n := range 100 {
			callers.Go(func() { must(t, p.Terminate(t.Context(), region, names(fmt.Sprintf("i-%d-", n), 4))) })
		}
		callers.Wait()
		calls := f.made(budget.Terminate)
		if len(calls) != 3 {
			t.Errorf("%d calls for one and a hundred requests of four instances; 1 + 400/200 would do", len(calls))
		}
		seen := map[string]bool{}
		for _, c := range calls {
			if len(c.ids) > 200 {
				t.Errorf("%d ids in one call", len(c.ids))
			}
			for _, id := range c.ids {
				seen[id] = true
			}
		}
		if len(seen) != 401 {
			t.Errorf("%d of 401 instances were ended", len(seen))
		}
	})
}

func TestEachRequestGetsItsOwnPartOfAMergedAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		must(t, p.Terminate(t.Context(), region, []string{"i-first"}))
		if _, err := p.Describe(t.Context(), cloud.Query{Region: region, IDs: []string{"i-first"}}); err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for n := range 20 {
			callers.Go(func() {
				ids := []string{fmt.Sprint("i-", n), fmt.Sprint("gone-", n), "i-shared"}
				found, err := p.Describe(t.Context(), cloud.Query{Region: region, IDs: ids})
				must(t, err)
				var got []string
				for _, i := range found {
					got = append(got, i.ID)
				}
				slices.Sort(got)
				if want := []string{fmt.Sprint("i-", n), "i-shared"}; !slices.Equal(got, want) {
					t.Errorf("asked for %v, got %v", ids, got)
				}
			})
		}
		callers.Wait()
		if n := len(f.made(budget.Describe)); n != 2 {
			t.Errorf("%d calls for 21 requests", n)
		}
	})
}

func TestAnUnknownInstanceRefusesOnlyItsOwnRequest(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		must(t, p.Terminate(t.Context(), region, []string{"i-first"}))
		var callers sync.WaitGroup
		for n := range 5 {
			callers.Go(func() { must(t, p.Terminate(t.Context(), region, []string{fmt.Sprint("i-", n)})) })
		}
		callers.Go(func() {
			refusal, ok := errors.AsType[*cloud.Refusal](p.Terminate(t.Context(), region, []string{"x-1"}))
			if !ok || refusal.Kind != cloud.Unknown || refusal.Key != "x-1" {
				t.Errorf("the unknown one was told %v", refusal)
			}
		})
		callers.Wait()
		if n := len(f.made()); n != 1+1+6 {
			t.Errorf("%d calls: one, one for all, and one for each of six", n)
		}
	})
}

func TestRequestsGatherWhileTheirCallWaitsForBudget(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		busy := make(chan struct{})
		f.tell(func(context.Context, made) error { <-busy; return nil })
		var callers sync.WaitGroup
		for range 14 { // every place in flight is taken
			callers.Go(func() { _, err := p.Check(t.Context(), region, cloud.Template{}); must(t, err) })
		}
		synctest.Wait()
		for n := range 50 {
			callers.Go(func() { must(t, p.Terminate(t.Context(), region, []string{fmt.Sprint("i-", n)})) })
			<-time.After(100 * time.Millisecond)
		}
		if s := b.States()[0]; s.Waiting != 1 {
			t.Errorf("%d calls wait", s.Waiting)
		}
		close(busy)
		callers.Wait()
		if calls := f.made(budget.Terminate); len(calls) != 1 || len(calls[0].ids) != 50 {
			t.Errorf("%d calls for 50 requests", len(calls))
		}
	})
}

func TestAMergedCallOutlivesOneCallerButNotAll(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		must(t, p.Terminate(t.Context(), region, []string{"i-first"}))
		f.tell(func(ctx context.Context, _ made) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var callers sync.WaitGroup
		callers.Go(func() {
			if err := p.Terminate(impatient, region, []string{"i-1"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient one was told %v", err)
			}
		})
		callers.Go(func() { must(t, p.Terminate(t.Context(), region, []string{"i-2"})) })
		callers.Wait()
		short, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer stop()
		if err := p.Terminate(short, region, []string{"i-3"}); err == nil {
			t.Error("it came through")
		}
		synctest.Wait()
		if s := b.States()[0]; s.InFlight != 0 {
			t.Errorf("a call goes on for nobody: %+v", s)
		}
		f.tell(nil)
		must(t, p.Terminate(t.Context(), region, []string{"i-4"}))
	})
}

func TestAMergedCallIsAsUrgentAsTheMostUrgentRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{}
		var seen []budget.Call
		b := budget.New(budget.Config{Clock: clock.Wall{}, Observe: func(c budget.Call) { seen = append(seen, c) }})
		p := b.Wrap("acc", f)
		must(t, p.Terminate(t.Context(), region, []string{"i-first"}))
		var callers sync.WaitGroup
		for _, priority := range []budget.Priority{budget.Sweep, budget.Healing, budget.Saving} {
			callers.Go(func() {
				must(t, p.Terminate(budget.With(t.Context(), priority), region, []string{fmt.Sprint("i-", priority)}))
			})
			synctest.Wait()
		}
		callers.Wait()
		synctest.Wait()
		if len(seen) != 2 || seen[1].Requests != 3 || seen[1].Priority != budget.Healing || seen[1].Outcome != "ok" {
			t.Errorf("the figures say %+v", seen)
		}
	})
}

func TestACallThatSomebodyWaitsForGathersNoCompanyAndHasItsOwnTime(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		ctx := budget.Attended(t.Context(), 30*time.Second)
		began := time.Now()
		for n := range 3 {
			must(t, p.Terminate(ctx, region, []string{fmt.Sprint("i-", n)}))
			if _, err := p.Describe(ctx, cloud.Query{Region: region, IDs: []string{fmt.Sprint("i-", n)}}); err != nil {
				t.Error(err)
			}
		}
		if took, calls := time.Since(began), len(f.made()); took > 0 || calls != 6 {
			t.Errorf("%d calls took %s", calls, took)
		}
		f.tell(hang)
		began = time.Now()
		if err := p.Terminate(ctx, region, []string{"i-1"}); err == nil || time.Since(began) != 30*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
