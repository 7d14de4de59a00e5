package workflow_test

import (
	"context"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

func TestWorkBesideTheLoopsEndsWithTheEngine(t *testing.T) {
	e, err := workflow.New(workflow.Config{DB: storetest.SQLite(t).Open(t), Clock: clock.Wall{}, Replica: "one", Lease: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if e.Beside(func(context.Context) { t.Error("it ran before the start") }) {
		t.Error("work was taken before the start")
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	began, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	if !e.Beside(func(ctx context.Context) { began <- struct{}{}; <-ctx.Done(); ended <- struct{}{} }) {
		t.Fatal("the running engine took no work")
	}
	next(t, began, "beginning")
	stopping, cancel := context.WithTimeout(context.Background(), workflowtest.Patience)
	defer cancel()
	if err := e.Stop(stopping); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("the engine stopped before the work did")
	}
	if e.Beside(func(context.Context) {}) {
		t.Error("work was taken after the stop")
	}
}
