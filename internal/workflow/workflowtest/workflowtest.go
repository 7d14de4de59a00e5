// Package workflowtest holds loops and recipes to what the engine asks of them.
//
// It owns an engine for tests, and the trials of a recipe: every step with a failure, a crash and a repeat. It must not know what the work is.
// Start reading at Start and Recipe.
package workflowtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
)

// Patience bounds every wait of this package. Nothing waits that long unless it is broken, or the machine is very busy.
const Patience = 30 * time.Second

// Start runs an engine until the end of the test; register adds what it works on. A nil clock is the wall. Leases last half a second.
func Start(t testing.TB, db *store.DB, c clock.Clock, register func(*workflow.Engine)) *workflow.Engine {
	t.Helper()
	if c == nil {
		c = clock.Wall{}
	}
	e, err := workflow.New(workflow.Config{DB: db, Clock: c, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Replica: ident.UUID(), Lease: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	register(e)
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Errorf("the engine does not stop: %v", err)
		}
	})
	return e
}

// Watch makes key a subject of the loop in a transaction of its own.
func Watch(t testing.TB, db *store.DB, e *workflow.Engine, loop, key string) {
	t.Helper()
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return e.Watch(ctx, tx, loop, key) })
}

// Raise says in a transaction of its own that something about key changed.
func Raise(t testing.TB, db *store.DB, e *workflow.Engine, loop, key string) {
	t.Helper()
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return e.Raise(ctx, tx, loop, key) })
}

// Hurry is a Raise that goes before others.
func Hurry(t testing.TB, db *store.DB, e *workflow.Engine, loop, key string) {
	t.Helper()
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return e.Hurry(ctx, tx, loop, []string{key}) })
}

// Settle waits until the loop has seen every change raised for key so far.
func Settle(t testing.TB, e *workflow.Engine, loop, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := e.Settled(ctx, loop, key); err != nil {
		t.Fatalf("%s %s does not settle: %v", loop, key, err)
	}
}

// Ended waits until the run is over, and returns it.
func Ended(t testing.TB, e *workflow.Engine, id string) workflow.Run {
	t.Helper()
	for deadline := time.Now().Add(Patience); ; {
		run, err := e.Find(context.Background(), store.Installation(), id)
		if err != nil {
			t.Fatal(err)
		}
		if run.Ended() {
			return run
		}
		if time.Now().After(deadline) {
			t.Fatalf("run %s is still %s at step %s", id, run.State, run.Step)
		}
		// A run that has ended is not watched any more, so this returns at the latest then.
		Settle(t, e, "recipe/"+run.Recipe, id)
		runtime.Gosched()
	}
}

func inTx(t testing.TB, db *store.DB, work func(context.Context, *store.Tx) error) {
	t.Helper()
	if err := db.Tx(context.Background(), work); err != nil {
		t.Fatal(err)
	}
}

// Subject is a recipe under trial, on a world of its own.
type Subject struct {
	DB     *store.DB // nil = a new one in memory
	Recipe workflow.Recipe
	Others []workflow.Recipe // that the recipe awaits
	Run    workflow.Run      // as for Begin
	// Check looks at what the finished run has left behind: the same, whatever happened on the way.
	Check func(t *testing.T, run workflow.Run)
}

// trouble is what befalls a step.
type trouble struct {
	name string
	// around runs the step in its own way; first is true the first time that this step is run.
	around func(ctx context.Context, first bool, step func(context.Context) error) error
}

func troubles() []trouble {
	failure := errors.New("a failure for the trial")
	return []trouble{
		{"fails before it does anything", func(ctx context.Context, first bool, step func(context.Context) error) error {
			if first {
				return failure
			}
			return step(ctx)
		}},
		{"fails after it has done everything", func(ctx context.Context, first bool, step func(context.Context) error) error {
			if err := step(ctx); err != nil {
				return err
			}
			if first {
				return failure
			}
			return nil
		}},
		{"crashes before it does anything", func(ctx context.Context, first bool, step func(context.Context) error) error {
			if first {
				runtime.Goexit() // like a crash, this runs nothing that comes after; the lease must run out
			}
			return step(ctx)
		}},
		{"crashes after it has done everything", func(ctx context.Context, first bool, step func(context.Context) error) error {
			err := step(ctx)
			if first && err == nil {
				runtime.Goexit()
			}
			return err
		}},
		{"is run twice", func(ctx context.Context, first bool, step func(context.Context) error) error {
			if err := step(ctx); err != nil {
				return err
			}
			return step(ctx)
		}},
	}
}

// Recipe runs the recipe undisturbed, and then with each trouble at each step; every run must finish and pass the subject's Check. make is called
// for each run.
func Recipe(t *testing.T, make func(t *testing.T) Subject) {
	t.Run("undisturbed", func(t *testing.T) { try(t, make(t), "", trouble{}) })
	for _, step := range make(t).Recipe.Steps {
		for _, what := range troubles() {
			t.Run(fmt.Sprintf("step %s %s", step.Name, what.name), func(t *testing.T) {
				t.Parallel()
				try(t, make(t), step.Name, what)
			})
		}
	}
}

func try(t *testing.T, s Subject, step string, what trouble) {
	if s.DB == nil {
		s.DB = storetest.Memory(t)
	}
	e := Start(t, s.DB, nil, func(e *workflow.Engine) {
		e.AddRecipe(disturb(s.Recipe, step, what))
		for _, other := range s.Others {
			e.AddRecipe(other)
		}
	})
	inTx(t, s.DB, func(ctx context.Context, tx *store.Tx) (err error) {
		s.Run, err = e.Begin(ctx, tx, s.Recipe.Name, s.Run)
		return err
	})
	run := Ended(t, e, s.Run.ID)
	if run.State != workflow.Finished || run.Percent() != 100 {
		t.Fatalf("the run is %s at step %s, %d %%: %s", run.State, run.Step, run.Percent(), run.Error)
	}
	if s.Check != nil {
		s.Check(t, run)
	}
}

// disturb lets trouble befall one step.
func disturb(r workflow.Recipe, name string, what trouble) workflow.Recipe {
	steps := append([]workflow.Step(nil), r.Steps...)
	for i, step := range steps {
		if step.Name != name {
			continue
		}
		var mu sync.Mutex
		runs := 0
		steps[i].Do = func(ctx context.Context, run *workflow.Run) error {
			mu.Lock()
			runs++
			first := runs == 1
			mu.Unlock()
			return what.around(ctx, first, func(ctx context.Context) error { return step.Do(ctx, run) })
		}
	}
	r.Steps = steps
	return r
}
