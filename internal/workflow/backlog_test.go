package workflow_test

import (
	"context"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

func TestTheBacklogHoldsAKeyUntilItsTurnHasEnded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		begun, end := make(chan bool, 10), make(chan bool)
		e := workflowtest.Start(t, db, nil, loop("l", func(ctx context.Context, _ workflow.Turn) (time.Time, error) {
			begun <- true
			select {
			case <-end:
			case <-ctx.Done():
			}
			return time.Time{}, nil
		}))
		backlog := func() []workflow.Waiting {
			list, err := e.Backlog(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		if got := backlog(); len(got) != 0 {
			t.Errorf("before: %v", got)
		}
		workflowtest.Watch(t, db, e, "l", "k")
		next(t, begun, "turn")
		if got := backlog(); len(got) != 1 || got[0] != (workflow.Waiting{Loop: "l", Key: "k"}) {
			t.Errorf("during its turn: %v", got)
		}
		close(end)
		workflowtest.Settle(t, e, "l", "k")
		if got := backlog(); len(got) != 0 {
			t.Errorf("after: %v", got)
		}
	})
}
