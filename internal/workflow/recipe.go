package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// The states of a run. Running may become any other; cancelling becomes cancelled, failed or finished; the other three are final.
const (
	Running    = "running"
	Cancelling = "cancelling"
	Cancelled  = "cancelled"
	Failed     = "failed"
	Finished   = "finished"
)

const (
	// stepUnits is how finely a step's progress is told.
	stepUnits = 100
	// stepAttempts bounds how often a step is tried: with the back-off, for about three minutes.
	stepAttempts   = 12
	recipeWorkers  = 4
	recipeLoopName = "recipe/"
)

// errWaiting ends a turn without an error: the run goes on when the run that it waits for has ended.
var errWaiting = errors.New("waiting for another run")

// Recipe is a table of named, idempotent steps that are done once, in order, and survive a restart at any line.
type Recipe struct {
	Name  string
	Steps []Step
}

// Step is one step; it may run again after a crash. A fault that the caller could mend (Invalid, Denied, NotFound, Exists) fails the run;
// any other error is retried with back-off, and fails the run after a dozen attempts.
type Step struct {
	Name string
	Do   func(ctx context.Context, run *Run) error
}

// Run is one execution of a recipe.
type Run struct {
	ID, Recipe, Account, Subject string
	Parent                       string // the run that awaits this one, "" = none
	State                        string // "running", "cancelling", "cancelled", "failed", "finished"
	Step                         string // the next, or the one in progress
	Done, Total                  int    // units of progress of the whole run
	Error                        string
	Input                        []byte // JSON, as given to Begin

	engine *Engine
	turn   Turn
}

// Percent is the progress of the whole run, 0 … 100.
func (r Run) Percent() int {
	if r.Total == 0 {
		return 0
	}
	return 100 * r.Done / r.Total
}

// Ended reports whether the run is over.
func (r Run) Ended() bool { return r.State == Cancelled || r.State == Failed || r.State == Finished }

// Guard fails with ErrLost when another replica goes on with the run; a step calls it first in every transaction that it writes in.
func (r *Run) Guard(ctx context.Context, tx *store.Tx) error { return r.turn.Guard(ctx, tx) }

// Progress tells how far the step in progress is: done of total, in units of its own.
func (r *Run) Progress(ctx context.Context, done, total int) error {
	if total <= 0 {
		return nil
	}
	return r.engine.change(ctx, r.turn, func(stored *Run) {
		stored.Done = r.engine.stepsBefore(stored)*stepUnits + stepUnits*max(0, min(done, total))/total
	})
}

// Await begins another recipe, once, and waits for its end: the step is run again then, and gets the ended run. name tells several of one step apart.
func (r *Run) Await(ctx context.Context, name, recipe string, sub Run) (Run, error) {
	sub.ID, sub.Parent, sub.Account = r.ID+"."+name, r.ID, r.Account
	err := r.engine.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := r.Guard(ctx, tx); err != nil {
			return err
		}
		begun, err := r.engine.Begin(ctx, tx, recipe, sub)
		if fault.Is(err, fault.Exists) {
			begun, err = r.engine.find(ctx, tx, store.Installation(), sub.ID)
		}
		sub = begun
		return err
	})
	if err == nil && !sub.Ended() {
		err = errWaiting
	}
	return sub, err
}

// AddRecipe registers a recipe; before Start, and under a name of its own.
func (e *Engine) AddRecipe(r Recipe) {
	if len(r.Steps) == 0 {
		panic(fmt.Sprintf("workflow: recipe %q has no steps", r.Name))
	}
	e.recipes[r.Name] = r
	e.AddLoop(Loop{Name: recipeLoopName + r.Name, Workers: recipeWorkers, Do: e.advance})
}

// Begin starts a recipe in tx, under run.ID (made when empty), with run's Account, Subject and Input. fault.Exists when there is such a run.
func (e *Engine) Begin(ctx context.Context, tx *store.Tx, recipe string, run Run) (Run, error) {
	r, known := e.recipes[recipe]
	if !known {
		return run, fault.Of(fault.Internal, "recipe", "There is no recipe %q.", recipe)
	}
	if run.ID == "" {
		run.ID = ident.UUID()
	}
	run.Recipe, run.State, run.Step, run.Error = recipe, Running, r.Steps[0].Name, ""
	run.Done, run.Total = 0, stepUnits*len(r.Steps)
	if _, err := runs().Insert(ctx, tx, run.doc()); err != nil {
		return run, err
	}
	return run, e.Watch(ctx, tx, recipeLoopName+recipe, run.ID)
}

// Cancel stops a run, and what it awaits, after the step in progress; fault.Conflict when it has ended already.
func (e *Engine) Cancel(ctx context.Context, tx *store.Tx, id string) error {
	stored, err := runs().Get(ctx, tx, store.Installation(), id)
	if err != nil {
		return err
	}
	run := stored.Value.run(stored.Meta)
	if run.Ended() {
		return fault.Of(fault.Conflict, "run", "The run %q has ended already: it is %s.", id, run.State)
	}
	run.State = Cancelling
	if err := replace(ctx, tx, stored, run); err != nil {
		return err
	}
	return e.Raise(ctx, tx, recipeLoopName+run.Recipe, id)
}

// Find reads a run.
func (e *Engine) Find(ctx context.Context, sc store.Scope, id string) (Run, error) {
	return e.find(ctx, e.c.DB, sc, id)
}

func (e *Engine) find(ctx context.Context, s store.Session, sc store.Scope, id string) (Run, error) {
	stored, err := runs().Get(ctx, s, sc, id)
	return stored.Value.run(stored.Meta), err
}

// advance is a turn of a recipe's loop: the steps that are left, one after the other.
func (e *Engine) advance(ctx context.Context, turn Turn) (time.Time, error) {
	for {
		run, err := e.find(ctx, e.c.DB, store.Installation(), turn.Key)
		if err != nil {
			return time.Time{}, err
		}
		run.engine, run.turn = e, turn
		if run.Ended() || run.State == Cancelling {
			return time.Time{}, e.end(ctx, turn, Cancelled, "")
		}
		step, found := e.step(run)
		if !found {
			return time.Time{}, e.end(ctx, turn, Failed, fmt.Sprintf("This release has no step %q in recipe %q.", run.Step, run.Recipe))
		}
		switch err := attempt(ctx, step, &run); {
		case errors.Is(err, errWaiting):
			return time.Time{}, nil
		case err != nil && hopeless(err, turn) && ctx.Err() == nil:
			return time.Time{}, e.end(ctx, turn, Failed, fmt.Sprintf("%s: %s", step.Name, publicText(err)))
		case err != nil:
			return time.Time{}, err
		}
		turn.Failures = 0
		if last, err := e.passed(ctx, turn, step); err != nil || last {
			return time.Time{}, err
		}
	}
}

// attempt turns a panic into an error that counts as an attempt.
func attempt(ctx context.Context, step Step, run *Run) (err error) {
	defer recovered(&err)
	return step.Do(ctx, run)
}

// hopeless reports whether trying again would not help.
func hopeless(err error, turn Turn) bool {
	if errors.Is(err, ErrLost) {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.Exists:
		return true
	}
	return turn.Failures+1 >= stepAttempts
}

// publicText is what a person may see of err.
func publicText(err error) string { return fault.As(err).Message }

// passed notes that step is done; last when there is no other.
func (e *Engine) passed(ctx context.Context, turn Turn, step Step) (last bool, err error) {
	err = e.change(ctx, turn, func(stored *Run) {
		steps := e.recipes[stored.Recipe].Steps
		next := e.stepsBefore(stored) + 1
		stored.Done = next * stepUnits
		if last = next == len(steps); !last {
			stored.Step = steps[next].Name
		}
	})
	if err == nil && last {
		err = e.end(ctx, turn, Finished, "")
	}
	return last, err
}

// end gives the run its final state, unless it has one, and lets its parent go on.
func (e *Engine) end(ctx context.Context, turn Turn, state, problem string) error {
	return e.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := turn.Guard(ctx, tx); err != nil {
			return err
		}
		stored, err := runs().Get(ctx, tx, store.Installation(), turn.Key)
		if err != nil {
			return err
		}
		run := stored.Value.run(stored.Meta)
		if !run.Ended() {
			run.State, run.Error = state, problem
			if err := replace(ctx, tx, stored, run); err != nil {
				return err
			}
		}
		if err := e.tell(ctx, tx, run); err != nil {
			return err
		}
		return e.Forget(ctx, tx, recipeLoopName+run.Recipe, run.ID)
	})
}

// tell lets the parent of an ended run go on, and cancels what a run that did not finish was waiting for.
func (e *Engine) tell(ctx context.Context, tx *store.Tx, ended Run) error {
	if ended.Parent != "" {
		parent, err := e.find(ctx, tx, store.Installation(), ended.Parent)
		if err == nil {
			err = e.Raise(ctx, tx, recipeLoopName+parent.Recipe, parent.ID)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	if ended.State == Finished {
		return nil
	}
	awaited, _, err := runs().List(ctx, tx, store.Installation(), store.Query{Parent: ended.ID, States: []string{Running}})
	for _, child := range awaited {
		err = errors.Join(err, e.Cancel(ctx, tx, child.ID))
	}
	return err
}

// change edits the stored run under the turn's lease. It has moved, so attempts are counted anew.
func (e *Engine) change(ctx context.Context, turn Turn, edit func(*Run)) error {
	return e.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := turn.Guard(ctx, tx); err != nil {
			return err
		}
		stored, err := runs().Get(ctx, tx, store.Installation(), turn.Key)
		if err != nil {
			return err
		}
		run := stored.Value.run(stored.Meta)
		edit(&run)
		if err := replace(ctx, tx, stored, run); err != nil {
			return err
		}
		return e.rows.succeed(ctx, tx, turn.loop, turn.Key)
	})
}

func (e *Engine) step(run Run) (Step, bool) {
	for _, step := range e.recipes[run.Recipe].Steps {
		if step.Name == run.Step {
			return step, true
		}
	}
	return Step{}, false
}

func (e *Engine) stepsBefore(run *Run) int {
	for i, step := range e.recipes[run.Recipe].Steps {
		if step.Name == run.Step {
			return i
		}
	}
	return 0
}

// runDoc is what the store keeps of a run beside its Meta.
type runDoc struct {
	Recipe  string          `json:"recipe"`
	Subject string          `json:"subject,omitempty"`
	Step    string          `json:"step"`
	Done    int             `json:"done"`
	Total   int             `json:"total"`
	Error   string          `json:"error,omitempty"`
	Input   json.RawMessage `json:"input,omitempty"`
}

func runs() store.Collection[runDoc] { return store.Collection[runDoc]{Table: "runs", Noun: "run"} }

func (r Run) doc() store.Doc[runDoc] {
	return store.Doc[runDoc]{
		Meta:  store.Meta{ID: r.ID, Account: r.Account, Parent: r.Parent, Name: r.Recipe, State: r.State},
		Value: runDoc{Recipe: r.Recipe, Subject: r.Subject, Step: r.Step, Done: r.Done, Total: r.Total, Error: r.Error, Input: r.Input},
	}
}

func (d runDoc) run(m store.Meta) Run {
	return Run{ID: m.ID, Recipe: d.Recipe, Account: m.Account, Subject: d.Subject, Parent: m.Parent, State: m.State,
		Step: d.Step, Done: d.Done, Total: d.Total, Error: d.Error, Input: d.Input}
}

func replace(ctx context.Context, tx *store.Tx, stored store.Doc[runDoc], run Run) error {
	next := run.doc()
	next.Version, next.At = stored.Version, stored.At
	_, err := runs().Update(ctx, tx, next)
	return err
}
