package workflow_test

import (
	"context"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

func TestAnEngineThatIsAloneTakesOverFromItsKilledPredecessorAtOnce(t *testing.T) {
	at := storetest.SQLite(t)
	doomed, err := store.Open(t.Context(), at.Config)
	if err != nil {
		t.Fatal(err)
	}
	const lease = 5 * time.Second
	started := make(chan struct{}, 1)
	gone, err := workflow.New(workflow.Config{DB: doomed, Clock: clock.Wall{}, Replica: "gone", Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	loop("l", func(ctx context.Context, _ workflow.Turn) (time.Time, error) {
		started <- struct{}{}
		<-ctx.Done()
		return time.Time{}, ctx.Err()
	})(gone)
	if err := gone.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	workflowtest.Watch(t, doomed, gone, "l", "k")
	next(t, started, "first turn")
	if err := doomed.Close(); err != nil { // from here on it can neither renew nor give back
		t.Fatal(err)
	}
	taken := make(chan struct{}, 1)
	heir, err := workflow.New(workflow.Config{DB: at.Open(t), Clock: clock.Wall{}, Replica: "heir", Lease: lease, Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	loop("l", func(context.Context, workflow.Turn) (time.Time, error) {
		taken <- struct{}{}
		return time.Time{}, nil
	})(heir)
	began := time.Now()
	if err := heir.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	next(t, taken, "heir's turn")
	if waited := time.Since(began); waited >= lease {
		t.Errorf("the heir waited %v, as long as the lease", waited)
	}
	stopping, cancel := context.WithTimeout(context.Background(), workflowtest.Patience)
	defer cancel()
	if err := heir.Stop(stopping); err != nil {
		t.Error(err)
	}
	// Whether it complains depends on whether it has noticed by now that its lease is lost; it has to stop either way.
	if err := gone.Stop(stopping); stopping.Err() != nil {
		t.Errorf("an engine without its database does not stop: %v", err)
	}
}
