// Package workflow runs work that outlives a request: loops that keep things as intended, recipes whose steps are done once, periodic work.
//
// It owns leases, epochs, retries and River. It must not know what the work is. Start reading at Engine and Loop.
//
// Everything that must not be lost stands in rows of our own: what a key wants and has had done (loops), how far a recipe is (runs), who may do periodic
// work (leases). A transaction that raises a key hands it to a worker of its own process right after the commit. When all of those are busy, a River
// job, inserted after the commit too, offers the key to every other replica. Both only save time: a scan of the rows, several times a second on every
// replica, finds whatever they missed, and whatever a replica that vanished has left behind.
package workflow

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	longestLease = 5 * time.Second
	scanEvery    = 250 * time.Millisecond // wall time between looks at the rows
)

// ErrLost says that a lease has passed to another replica: stop, and write nothing more.
var ErrLost = errors.New("the lease was lost to another replica")

// Config is what the engine needs. Leases and River live on database and wall time; Clock only decides when a turn is due again.
type Config struct {
	DB      *store.DB
	Clock   clock.Clock
	Log     *slog.Logger
	Replica string        // unique per process
	Lease   time.Duration // at most 5 s; 0 = 5 s
	// Alone promises that no other process works on this database: what a killed predecessor held is free at once, not when its leases run out.
	Alone bool
}

// Engine runs loops, periodic work and recipes on this replica. Safe for concurrent use once everything is registered.
type Engine struct {
	c         Config
	rows      rows
	loops     map[string]*runner
	order     []*runner
	periodics []Periodic
	recipes   map[string]Recipe
	courier   courier
	settled   *bell
	looked    atomic.Int64 // when work was last looked for with success, in microseconds of wall time

	mu      sync.Mutex
	state   string          // "", "running", "stopped"
	turns   context.Context // of everything in progress; ended only when Stop runs out of time
	abandon context.CancelFunc
	beside  context.Context // of what is no turn; a part of turns, and ended with halt
	dismiss context.CancelFunc
	halt    chan struct{} // closed when no new turns may begin
	active  sync.WaitGroup
}

// New makes an engine that does nothing until Start. Watch, Raise and Begin work at once.
func New(c Config) (*Engine, error) {
	if c.DB == nil || c.Clock == nil || c.Replica == "" {
		return nil, fault.Of(fault.Internal, "workflow", "The workflow engine needs a database, a clock and the replica's name.")
	}
	if c.Lease <= 0 || c.Lease > longestLease {
		c.Lease = longestLease
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Engine{
		c:       c,
		rows:    newRows(c),
		loops:   map[string]*runner{},
		recipes: map[string]Recipe{},
		settled: newBell(),
		halt:    make(chan struct{}),
	}, nil
}

// Start migrates River's tables and works until ctx ends or Stop.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != "" {
		return fault.Of(fault.Internal, "workflow", "The workflow engine was started before.")
	}
	e.turns, e.abandon = context.WithCancel(context.WithoutCancel(ctx))
	e.beside, e.dismiss = context.WithCancel(e.turns)
	if e.c.Alone {
		if err := e.rows.freeAll(ctx); err != nil {
			e.abandon()
			return err
		}
	}
	var err error
	if e.courier, err = startRiver(ctx, e.c, e.look); err != nil {
		e.abandon()
		return err
	}
	e.state = "running"
	e.looked.Store(time.Now().UnixMicro())
	for _, r := range e.order {
		e.active.Go(r.dispatch)
	}
	if len(e.periodics) > 0 {
		e.active.Go(e.keepPeriodics)
	}
	context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestLease)
		defer cancel()
		if err := e.Stop(patience); err != nil {
			e.c.Log.Error("workflow did not stop cleanly", "error", err)
		}
	})
	return nil
}

// Stop lets turns in progress finish, until ctx ends; then it cancels them, waits for them a moment longer, and returns ctx's error. Leases are given back.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	running := e.state == "running"
	e.state = "stopped"
	if running {
		close(e.halt)
		e.dismiss()
	}
	e.mu.Unlock()
	if e.courier == nil {
		return nil
	}
	ended := make(chan struct{})
	go func() { e.active.Wait(); close(ended) }()
	var late error
	select {
	case <-ended:
	case <-ctx.Done():
		late = ctx.Err()
		e.abandon()
		select {
		case <-ended:
		case <-time.After(longestLease): // work that does not heed its context cannot hold up the process
		}
	}
	e.abandon()
	if !running {
		return late
	}
	return errors.Join(late, e.courier.stop(context.WithoutCancel(ctx)))
}

// begin runs f as a part of the engine, unless no new work may begin.
func (e *Engine) begin(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != "running" {
		return false
	}
	e.active.Go(f)
	return true
}

// halted reports whether no new turn may begin.
func (e *Engine) halted() bool {
	select {
	case <-e.halt:
		return true
	default:
		return false
	}
}

// bell wakes everyone who listens.
type bell struct {
	mu   sync.Mutex
	ring chan struct{}
}

func newBell() *bell { return &bell{ring: make(chan struct{})} }

// listen returns a channel that the next strike closes.
func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ring
}

func (b *bell) strike() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ring)
	b.ring = make(chan struct{})
}
