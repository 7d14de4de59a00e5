package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

// mark is a step that notes, once, that it was done for the run.
func mark(db *store.DB, name string) workflow.Step {
	return workflow.Step{Name: name, Do: func(ctx context.Context, run *workflow.Run) error {
		return db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			if err := run.Guard(ctx, tx); err != nil {
				return err
			}
			_, err := tallies.Insert(ctx, tx, store.Doc[tally]{Meta: store.Meta{ID: run.ID + "/" + name}})
			if fault.Is(err, fault.Exists) {
				return nil
			}
			return err
		})
	}}
}

func marked(t *testing.T, db *store.DB, run, step string) bool {
	t.Helper()
	_, err := tallies.Get(t.Context(), db, store.Installation(), run+"/"+step)
	if err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func begin(t *testing.T, db *store.DB, e *workflow.Engine, recipe string, run workflow.Run) workflow.Run {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		run, err = e.Begin(ctx, tx, recipe, run)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func cancel(t *testing.T, db *store.DB, e *workflow.Engine, id string) error {
	t.Helper()
	return db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return e.Cancel(ctx, tx, id) })
}

func TestARecipeSurvivesAFailureACrashAndARepeatAtEveryStep(t *testing.T) {
	workflowtest.Recipe(t, func(t *testing.T) workflowtest.Subject {
		db := storetest.Memory(t)
		child := workflow.Recipe{Name: "child", Steps: []workflow.Step{mark(db, "only")}}
		return workflowtest.Subject{
			DB:     db,
			Others: []workflow.Recipe{child},
			Recipe: workflow.Recipe{Name: "parent", Steps: []workflow.Step{
				mark(db, "first"),
				{Name: "await", Do: func(ctx context.Context, run *workflow.Run) error {
					_, err := run.Await(ctx, "c", "child", workflow.Run{})
					return err
				}},
				mark(db, "last"),
			}},
			Check: func(t *testing.T, run workflow.Run) {
				for _, step := range []string{"/first", ".c/only", "/last"} {
					if _, err := tallies.Get(t.Context(), db, store.Installation(), run.ID+step); err != nil {
						t.Errorf("%s: %v", step, err)
					}
				}
			},
		}
	})
}

func TestARunIsBegunWithItsTransactionAndTellsItsProgress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		entered, leave := make(chan workflow.Run), make(chan struct{})
		e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
			e.AddRecipe(workflow.Recipe{Name: "r", Steps: []workflow.Step{mark(db, "first"), {Name: "second", Do: func(ctx context.Context, run *workflow.Run) error {
				if err := run.Progress(ctx, 3, 4); err != nil {
					return err
				}
				entered <- *run
				<-leave
				return nil
			}}}})
		})
		rolledBack := ""
		_ = db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			run, err := e.Begin(ctx, tx, "r", workflow.Run{})
			rolledBack = run.ID
			return errors.Join(err, errors.New("no"))
		})
		if _, err := e.Find(t.Context(), store.Installation(), rolledBack); !fault.Is(err, fault.NotFound) {
			t.Errorf("a run of a transaction that was rolled back: %v", err)
		}
		run := begin(t, db, e, "r", workflow.Run{Account: "act-1", Subject: "sig-1", Input: []byte(`{"b":1,"a":2}`)})
		seen := next(t, entered, "second step")
		if seen.ID != run.ID || seen.Account != "act-1" || seen.Subject != "sig-1" || string(seen.Input) != `{"b":1,"a":2}` {
			t.Errorf("the step got %+v", seen)
		}
		found, err := e.Find(t.Context(), store.Account("act-1"), run.ID)
		if err != nil || found.State != workflow.Running || found.Step != "second" || found.Percent() != 87 {
			t.Errorf("found %+v at %d %%, %v", found, found.Percent(), err)
		}
		if _, err := e.Find(t.Context(), store.Account("act-2"), run.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another account sees it: %v", err)
		}
		close(leave)
		if run = workflowtest.Ended(t, e, run.ID); run.State != workflow.Finished || run.Percent() != 100 {
			t.Errorf("ended as %+v", run)
		}
	})
}

func TestACancelledRunStopsAfterTheStepInProgress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		entered, leave := make(chan struct{}), make(chan struct{})
		e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
			e.AddRecipe(workflow.Recipe{Name: "r", Steps: []workflow.Step{{Name: "slow", Do: func(context.Context, *workflow.Run) error {
				close(entered)
				<-leave
				return nil
			}}, mark(db, "never")}})
		})
		run := begin(t, db, e, "r", workflow.Run{})
		next(t, entered, "step")
		if err := cancel(t, db, e, run.ID); err != nil {
			t.Fatal(err)
		}
		if found, err := e.Find(t.Context(), store.Installation(), run.ID); err != nil || found.State != workflow.Cancelling {
			t.Errorf("found %+v, %v", found, err)
		}
		close(leave)
		if run = workflowtest.Ended(t, e, run.ID); run.State != workflow.Cancelled || marked(t, db, run.ID, "never") {
			t.Errorf("ended as %+v", run)
		}
		if err := cancel(t, db, e, run.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("cancelling an ended run: %v", err)
		}
		if err := cancel(t, db, e, "nothing"); !fault.Is(err, fault.NotFound) {
			t.Errorf("cancelling nothing: %v", err)
		}
	})
}

func TestCancellingARunCancelsWhatItAwaits(t *testing.T) {
	db := storetest.Memory(t)
	entered, leave := make(chan string), make(chan struct{})
	e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
		e.AddRecipe(workflow.Recipe{Name: "child", Steps: []workflow.Step{{Name: "slow", Do: func(_ context.Context, run *workflow.Run) error {
			entered <- run.ID
			<-leave
			return nil
		}}, mark(db, "never")}})
		e.AddRecipe(workflow.Recipe{Name: "parent", Steps: []workflow.Step{{Name: "await", Do: func(ctx context.Context, run *workflow.Run) error {
			_, err := run.Await(ctx, "c", "child", workflow.Run{})
			return err
		}}}})
	})
	parent := begin(t, db, e, "parent", workflow.Run{Account: "act-1"})
	child := next(t, entered, "child's step")
	if err := cancel(t, db, e, parent.ID); err != nil {
		t.Fatal(err)
	}
	if parent = workflowtest.Ended(t, e, parent.ID); parent.State != workflow.Cancelled {
		t.Errorf("the parent ended as %+v", parent)
	}
	close(leave)
	if run := workflowtest.Ended(t, e, child); run.State != workflow.Cancelled || run.Account != "act-1" || marked(t, db, child, "never") {
		t.Errorf("the child ended as %+v", run)
	}
}

func TestAFaultThatARetryCannotMendFailsTheRun(t *testing.T) {
	db := storetest.Memory(t)
	var transient atomic.Int32
	e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
		e.AddRecipe(workflow.Recipe{Name: "r", Steps: []workflow.Step{
			{Name: "flaky", Do: func(context.Context, *workflow.Run) error {
				if transient.Add(1) < 3 {
					return fault.Of(fault.Unavailable, "cloud", "The cloud is away.")
				}
				return nil
			}},
			{Name: "impossible", Do: func(context.Context, *workflow.Run) error {
				return fault.Of(fault.Invalid, "group", "The group cannot be imported: it has no name.").With(errors.New("secret detail"))
			}},
			mark(db, "never"),
		}})
	})
	run := begin(t, db, e, "r", workflow.Run{})
	run = workflowtest.Ended(t, e, run.ID)
	if want := "impossible: The group cannot be imported: it has no name."; run.State != workflow.Failed || run.Error != want || run.Percent() != 33 {
		t.Errorf("ended as %+v", run)
	}
	if n := transient.Load(); n != 3 {
		t.Errorf("the flaky step was tried %d times", n)
	}
}

func TestAnUnknownRecipeAndARepeatedRunAreRefused(t *testing.T) {
	db := storetest.Memory(t)
	e := workflowtest.Start(t, db, nil, func(e *workflow.Engine) {
		e.AddRecipe(workflow.Recipe{Name: "r", Steps: []workflow.Step{mark(db, "first")}})
	})
	run := begin(t, db, e, "r", workflow.Run{ID: "run-1"})
	err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if _, err := e.Begin(ctx, tx, "unheard of", workflow.Run{}); !fault.Is(err, fault.Internal) {
			t.Errorf("got %v", err)
		}
		_, err := e.Begin(ctx, tx, "r", run)
		return err
	})
	if !fault.Is(err, fault.Exists) {
		t.Errorf("got %v", err)
	}
}

// A replica begins, is stopped in the middle, and another one finishes.
func TestARunGoesOnWhereAnotherReplicaStopped(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		var done [5]atomic.Int32
		register := func(db *store.DB, stopAt int, reached chan<- struct{}) func(*workflow.Engine) {
			return func(e *workflow.Engine) {
				r := workflow.Recipe{Name: "r"}
				for i := range done {
					r.Steps = append(r.Steps, workflow.Step{Name: fmt.Sprint("step ", i), Do: func(ctx context.Context, _ *workflow.Run) error {
						if i == stopAt {
							close(reached)
							<-ctx.Done()
							return ctx.Err()
						}
						done[i].Add(1)
						return nil
					}})
				}
				e.AddRecipe(r)
			}
		}
		db := at.Open(t)
		reached := make(chan struct{})
		first := workflowtest.Start(t, db, nil, register(db, 2, reached))
		run := begin(t, db, first, "r", workflow.Run{Input: json.RawMessage(`{}`)})
		next(t, reached, "third step")
		now, impatient := context.WithCancel(context.Background())
		impatient()
		if err := first.Stop(now); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		second := workflowtest.Start(t, db, nil, register(db, -1, nil))
		if run = workflowtest.Ended(t, second, run.ID); run.State != workflow.Finished {
			t.Errorf("ended as %+v", run)
		}
		for i := range done {
			if n := done[i].Load(); n != 1 {
				t.Errorf("step %d was done %d times", i, n)
			}
		}
	})
}
