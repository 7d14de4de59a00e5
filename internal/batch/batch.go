// Package batch runs jobs to their end, each exactly once as far as anybody can see, on whatever capacity is cheapest and safe.
//
// It owns jobs, their attempts, their order, and what they cost. It must not know any wire format, nor how a task is run: a runtime does that. The package capacity keeps
// the machines. Start reading at Batch; dispatch.go is the heart, states.go says what may follow what.
package batch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// Config is what the room needs.
type Config struct {
	DB       *store.DB
	Clock    clock.Clock
	Workflow *workflow.Engine
	Ledger   *ledger.Ledger
	Capacity capacity.Capacity
	Seal     Seal
	Output   *output.Collector // with the book that it fills
	// Simulated tells whether an account's cloud is simulated: its container jobs run on this machine, on room that simulated instances lend.
	Simulated func(ctx context.Context, account string) (bool, error)
	Hosted    []runtime.Runtime // of this machine, the preferred ones first
	Remote    runtime.Runtime   // queues of real clouds; nil = there are none
	Instances Instances         // nil = there are none
	// RemoteQueues are the clouds' queues that a job goes to by its priority when it names none.
	RemoteQueues map[Priority]string
	// Market is what a job of a lane could be run on, for those with a deadline; nil = they are run at once.
	Market func(ctx context.Context, l capacity.Lane, needs runtime.Resources) (deadline.Market, error)
	// Room is what hosted tasks may use of this machine all together; zero members = no limit.
	Room runtime.Resources
	// Machine names this machine among the replicas, and stays the same across restarts: tasks of its own runtimes are only ever asked for here.
	Machine string
	// Alive tells whether another replica's machine has been heard of lately; nil = there are no others.
	Alive func(machine string) bool
	Meter Meter // nil = nobody listens
	Log   *slog.Logger
}

// Seal encrypts what must not be read in the database; identity is one.
type Seal interface {
	Seal(plain []byte, use string) ([]byte, error)
	Open(sealed []byte, use string) ([]byte, error)
}

// Instances runs tasks that are instances.
type Instances interface {
	runtime.Runtime
	// Find tells whose task a living instance is, and MachineOf which instance a task has.
	Find(ctx context.Context, account, region, id string) (m instance.Machine, known bool, err error)
	MachineOf(ctx context.Context, task string) (m instance.Machine, known bool, err error)
}

// Batch is the room's face. Every method takes the caller's account, and another account's job reads like a missing one. Methods that change something honour
// store.WithDryRun.
type Batch struct {
	c      Config
	desk   *desk
	owners sync.Map      // the accounts of tasks that go on
	ended  chan struct{} // closed when the dispatcher of this process has ended
}

// New wires the room and registers its work; call it before the workflow engine starts.
func New(c Config) *Batch {
	if c.Meter == nil {
		c.Meter = unheard{}
	}
	b := &Batch{c: c, desk: newDesk(), ended: make(chan struct{})}
	c.Workflow.AddPeriodic(workflow.Periodic{Name: "batch.dispatch", Every: time.Second, Do: b.lead})
	return b
}

// Retention is how long the room keeps jobs that came to their end, with their history. What they wrote has rules of its own.
func Retention(keep time.Duration) []store.Rule {
	return []store.Rule{
		{Table: jobs.Table, Keep: keep, States: []string{done}, Idle: true},
		{Table: history.Table, Log: true, Unsealed: true, Keep: keep},
	}
}
