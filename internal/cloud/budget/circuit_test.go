package budget_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
)

// trip opens the circuit of the region.
func trip(t *testing.T, f *far, p cloud.Provider) {
	t.Helper()
	f.tell(func(context.Context, made) error { return errors.New("connection reset") })
	for range 5 {
		if err := launch(t.Context(), p, region); err == nil {
			t.Error("a call came through")
		}
	}
}

func TestACloudThatGivesNoAnswerFiveTimesIsNotAskedForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		trip(t, f, p)
		err := launch(t.Context(), p, region)
		if !fault.Is(err, fault.Unavailable) || fault.As(err).Noun != "cloud" || !strings.Contains(err.Error(), "it is asked again at") {
			t.Errorf("the sixth call said %v", err)
		}
		if n := len(f.made()); n != 5 {
			t.Errorf("%d calls reached the cloud", n)
		}
		if s := b.States()[0]; s.Circuit != budget.Open || s.OpensAt.Sub(time.Now()) != 5*time.Second {
			t.Errorf("it stands as %+v", s)
		}
	})
}

func TestTheTimeBetweenTrialsDoublesUpToAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		trip(t, f, p)
		var trials []time.Duration
		for before := time.Now(); len(trials) < 7; {
			<-time.After(time.Second)
			n := len(f.made())
			if err := launch(t.Context(), p, region); err == nil {
				t.Fatal("a call came through")
			}
			if len(f.made()) > n {
				trials, before = append(trials, time.Since(before)), time.Now()
			}
		}
		for i, want := range []time.Duration{5, 10, 20, 40, 60, 60, 60} {
			if trials[i] != want*time.Second {
				t.Errorf("trial %d came after %s, not %d s", i+1, trials[i], want)
			}
		}
	})
}

func TestOnlyOneCallFindsOutWhetherTheCloudAnswersAgain(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		trip(t, f, p)
		<-time.After(5 * time.Second)
		f.tell(func(context.Context, made) error { <-time.After(time.Second); return nil })
		var callers sync.WaitGroup
		var mu sync.Mutex
		through := 0
		for range 10 {
			callers.Go(func() {
				if launch(t.Context(), p, region) == nil {
					mu.Lock()
					through++
					mu.Unlock()
				}
			})
		}
		synctest.Wait()
		if s := b.States()[0]; s.Circuit != budget.Trying || s.InFlight != 1 {
			t.Errorf("it stands as %+v", s)
		}
		callers.Wait()
		if through != 1 {
			t.Errorf("%d calls came through", through)
		}
		must(t, launch(t.Context(), p, region))
	})
}

func TestARefusalIsAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		f.tell(func(context.Context, made) error {
			return &cloud.Refusal{Kind: cloud.NoCapacity, Code: "InsufficientInstanceCapacity"}
		})
		for range 20 {
			if err := launch(t.Context(), p, region); err == nil {
				t.Error("the refusal was lost")
			}
		}
		if s := b.States()[0]; s.Circuit != budget.Closed {
			t.Errorf("twenty refusals opened the circuit: %+v", s)
		}
	})
}

func TestACallerWhoChangesItsMindSaysNothingAboutTheCloud(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		f.tell(hang)
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := launch(ctx, p, region); err == nil {
				t.Error("a call came through")
			}
			cancel()
		}
		if s := b.States()[0]; s.Circuit != budget.Closed {
			t.Errorf("it stands as %+v", s)
		}
	})
}

func TestNoticesAreLookedForWhileTheCircuitIsOpen(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		trip(t, f, p)
		f.tell(nil)
		notices, ok := cloud.As[cloud.Notifier](p)
		if !ok {
			t.Fatal("the ability is lost")
		}
		if err := launch(t.Context(), p, region); err == nil {
			t.Error("the circuit is not open")
		}
		_, err := notices.Notices(budget.With(t.Context(), budget.Notices), region)
		must(t, err)
		// Their service may be another than that for launches, so an answer proves nothing; but it makes a trial due.
		if s := b.States()[0]; s.Circuit != budget.Open {
			t.Errorf("it stands as %+v", s)
		}
		must(t, launch(t.Context(), p, region))
		if s := b.States()[0]; s.Circuit != budget.Closed {
			t.Errorf("it stands as %+v", s)
		}
	})
}

func TestAHungRegionHoldsUpNobodyElse(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider) {
		f.tell(func(ctx context.Context, m made) error {
			if m.region == region {
				return hang(ctx, m)
			}
			return nil
		})
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if launch(t.Context(), p, region) == nil {
					t.Error("a call came through")
				}
			})
			callers.Go(func() {
				if _, err := p.Check(t.Context(), region, cloud.Template{}); err == nil {
					t.Error("a call came through")
				}
			})
		}
		synctest.Wait()
		if s := b.States()[0]; s.InFlight != 14 {
			t.Errorf("%d calls hang, 14 may and 2 are kept for notices", s.InFlight)
		}
		began := time.Now()
		must(t, launch(t.Context(), p, "eu-west-1"))
		if took := time.Since(began); took > 0 {
			t.Errorf("another region waited %s", took)
		}
		callers.Wait()
		// Until the fifth of them has failed, four others have taken the places of the first four.
		if n, took := len(f.made()), time.Since(began); n > 14+4+1 || took > 21*time.Second {
			t.Errorf("%d calls were made for 200 callers, and the last waited %s: the circuit did not spare them", n, took)
		}
	})
}

func TestAListingMayTakeLongerThanOtherCalls(t *testing.T) {
	bubble(t, func(t *testing.T, f *far, _ *budget.Budget, p cloud.Provider) {
		f.tell(hang)
		began := time.Now()
		_, err := p.Describe(t.Context(), cloud.Query{Region: region, Tags: map[string]string{"a": "b"}})
		if took := time.Since(began); err == nil || took != time.Minute {
			t.Errorf("a listing ended with %v after %s", err, took)
		}
		began = time.Now()
		err = launch(t.Context(), p, region)
		if took := time.Since(began); !fault.Is(err, fault.Unavailable) || took != 10*time.Second {
			t.Errorf("a launch ended with %v after %s", err, took)
		}
	})
}
