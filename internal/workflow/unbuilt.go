// Package workflow runs work that outlives a request: loops that keep things as intended, recipes whose steps are done once, periodic work.
//
// It owns leases, epochs, retries and River. It must not know what the work is. Start reading at Engine and Loop.
package workflow

import (
	"context"
	"log/slog"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/store"
)

// Config is what the engine needs. Leases and River live on database and wall time; Clock only decides when a turn is due again.
type Config struct {
	DB      *store.DB
	Clock   clock.Clock
	Log     *slog.Logger
	Replica string        // unique per process
	Lease   time.Duration // at most 5 s
}

// Engine runs loops, periodic work and recipes on this replica.
type Engine struct{}

func New(c Config) (*Engine, error) { panic("unbuilt") }

// Loop is a kind of "make it so" work over many keys. Register before Start.
type Loop struct {
	Name  string
	Sweep time.Duration // every key gets a turn at least this often (engine time), as a safety net
	// Do takes one turn for a key: exactly one replica at a time. again is when (engine time) to come back though nothing changes; zero = at the sweep.
	// An error is retried with back-off. The turn must call Guard first in every transaction that it writes in.
	Do func(ctx context.Context, turn Turn) (again time.Time, err error)
	// Workers is how many keys this replica works on at once.
	Workers int
}

// Turn is the right to act for one key.
type Turn struct {
	Key   string
	Epoch int64
}

// Guard fails with ErrLost when another replica has taken the key over; call it first in every transaction of the turn.
func (t Turn) Guard(ctx context.Context, tx *store.Tx) error { panic("unbuilt") }

// Periodic is work that one replica at a time does every so often, under a lease.
type Periodic struct {
	Name  string
	Every time.Duration // wall time
	Do    func(ctx context.Context) error
}

// Recipe is a table of named, idempotent steps that are done once, in order, and survive a restart at any line.
type Recipe struct {
	Name  string
	Steps []Step
}

// Step is one step; it may run again after a crash. Total and done feed the progress.
type Step struct {
	Name string
	Do   func(ctx context.Context, run *Run) error
}

// Run is one execution of a recipe.
type Run struct {
	ID, Recipe, Account, Subject string
	State                        string // "running", "cancelling", "cancelled", "failed", "finished"
	Step                         string
	Done, Total                  int // units of progress of the whole run
	Error                        string
	Input                        []byte // JSON, as given to Begin
}

func (e *Engine) AddLoop(l Loop)         { panic("unbuilt") }
func (e *Engine) AddPeriodic(p Periodic) { panic("unbuilt") }
func (e *Engine) AddRecipe(r Recipe)     { panic("unbuilt") }

// Start migrates River's tables and works until ctx ends or Stop.
func (e *Engine) Start(ctx context.Context) error { panic("unbuilt") }

// Stop lets turns in progress finish, until ctx ends.
func (e *Engine) Stop(ctx context.Context) error { panic("unbuilt") }

// Watch makes key a subject of the loop, in tx; Forget ends that. Raise says that something about it changed.
func (e *Engine) Watch(ctx context.Context, tx *store.Tx, loop, key string) error { panic("unbuilt") }
func (e *Engine) Forget(ctx context.Context, tx *store.Tx, loop, key string) error {
	panic("unbuilt")
}
func (e *Engine) Raise(ctx context.Context, tx *store.Tx, loop, key string) error { panic("unbuilt") }

// Settled waits until the loop has seen every change raised for key before this call, or ctx ends.
func (e *Engine) Settled(ctx context.Context, loop, key string) error { panic("unbuilt") }

// Begin starts a recipe in tx; Cancel stops it between steps; Find reads a run.
func (e *Engine) Begin(ctx context.Context, tx *store.Tx, recipe string, run Run) (Run, error) {
	panic("unbuilt")
}
func (e *Engine) Cancel(ctx context.Context, tx *store.Tx, id string) error { panic("unbuilt") }
func (e *Engine) Find(ctx context.Context, sc store.Scope, id string) (Run, error) {
	panic("unbuilt")
}
