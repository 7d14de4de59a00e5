package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

func TestALaneThatHangsLeavesWorkersForTheOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		hang, hung, other := make(chan struct{}), make(chan string, 500), make(chan string, 500)
		e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
			e.AddLoop(workflow.Loop{
				Name: "l", Workers: 4, PerLane: 2,
				Lane: func(_ context.Context, key string) string { lane, _, _ := strings.Cut(key, "/"); return lane },
				Do: func(_ context.Context, turn workflow.Turn) (time.Time, error) {
					if strings.HasPrefix(turn.Key, "hung/") {
						hung <- turn.Key
						<-hang
						return time.Time{}, nil
					}
					other <- turn.Key
					return time.Time{}, nil
				},
			})
		})
		for n := range 60 { // more than a scan reads at first
			workflowtest.Watch(t, db, e, "l", fmt.Sprintf("hung/%03d", n))
		}
		next(t, hung, "turn in the lane that hangs")
		next(t, hung, "second turn in the lane that hangs")
		workflowtest.Watch(t, db, e, "l", "other/1")
		next(t, other, "turn in the other lane")
		workflowtest.Raise(t, db, e, "l", "other/1")
		next(t, other, "second turn in the other lane")
		if n := len(hung); n > 0 {
			t.Errorf("%d more turns were begun in the lane that hangs; two may be", n)
		}
		close(hang)
		for range 58 {
			next(t, hung, "turn once the lane is free")
		}
	})
}

func TestAKeyThatKeepsFailingDoesNotStandBeforeOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		turns := make(chan string, 500)
		e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
			e.AddLoop(workflow.Loop{Name: "l", Workers: 1, Do: func(_ context.Context, turn workflow.Turn) (time.Time, error) {
				turns <- turn.Key
				<-time.After(60 * time.Millisecond) // meanwhile the back-off of those before passes
				if turn.Key == "z" {
					return time.Time{}, nil
				}
				return time.Time{}, errors.New("out of order")
			}})
		})
		for n := range 8 {
			workflowtest.Watch(t, db, e, "l", fmt.Sprint("a", n))
		}
		workflowtest.Watch(t, db, e, "l", "z")
		for seen := map[string]bool{}; !seen["z"]; {
			key := next(t, turns, "turn")
			if seen[key] {
				t.Fatalf("%s got another turn before others had one: %v", key, seen)
			}
			seen[key] = true
		}
	})
}

func TestWhatIsUrgentSharesTheMachineWithLittleElse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		var earnest atomic.Bool
		begun := map[string]chan string{"urgent": make(chan string, 9), "calm": make(chan string, 9)}
		end := map[string]chan struct{}{"urgent": make(chan struct{}), "calm": make(chan struct{})}
		e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
			e.AddLoop(workflow.Loop{Name: "l", Workers: 8, Do: func(_ context.Context, turn workflow.Turn) (time.Time, error) {
				if kind, _, _ := strings.Cut(turn.Key, "/"); earnest.Load() {
					begun[kind] <- turn.Key
					<-end[kind]
				}
				return time.Time{}, nil
			}})
		})
		for _, key := range []string{"urgent/1", "urgent/2", "calm/1", "calm/2", "calm/3"} {
			workflowtest.Watch(t, db, e, "l", key)
			workflowtest.Settle(t, e, "l", key)
		}
		earnest.Store(true)
		workflowtest.Hurry(t, db, e, "l", "urgent/1")
		next(t, begun["urgent"], "urgent turn")
		for n := range 3 {
			workflowtest.Raise(t, db, e, "l", fmt.Sprint("calm/", n+1))
		}
		next(t, begun["calm"], "turn beside the urgent one")
		workflowtest.Hurry(t, db, e, "l", "urgent/2")
		next(t, begun["urgent"], "second urgent turn")
		if n := len(begun["calm"]); n > 0 {
			t.Errorf("%d more turns were begun beside urgent ones", n)
		}
		close(end["urgent"])
		for range 2 {
			next(t, begun["calm"], "turn once nothing is urgent")
		}
		close(end["calm"])
	})
}
