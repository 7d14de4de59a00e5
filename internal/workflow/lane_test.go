package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
