// Package runtime is what Neap asks of whatever runs a command to its end: processes of a machine, containers, a cloud's own job queue, a whole instance.
//
// It owns the contract and its nouns; runtimetest holds every implementation to it. It must not know jobs, queues or prices: a task is one attempt at a job, and who
// asked for it is none of a runtime's business. Start reading at Runtime.
package runtime

import (
	"context"
	"time"
)

// Runtime runs tasks. All methods are safe for concurrent use and honour ctx. What a caller acts on is a *Refusal; any other error means "ask again later".
// A runtime outlives this process, or its tasks end with it: whichever it is, Tasks tells the truth after a restart.
type Runtime interface {
	// Info says what this runtime is. It is constant and makes no call.
	Info() Info
	// Check says what about a task can never work here, as a *Refusal of kind Never. It changes nothing.
	Check(ctx context.Context, spec Spec) error
	// Start begins a task. It is on record, durably, before anything of it runs, so that a task that Tasks does not know has never begun. The same id again
	// begins nothing, whatever became of the first, and is no error.
	Start(ctx context.Context, spec Spec) error
	// Tasks tells how tasks stand; those that were never begun, or were forgotten, are left out.
	Tasks(ctx context.Context, ids []string) ([]Task, error)
	// Watch hands out the ids of tasks that began to run, wrote more output (at most five times a second), or ended, until ctx ends; then the channel is closed.
	// Several may come at once, an id may come again, and what happened before the call does not come: ask Tasks first.
	Watch(ctx context.Context) <-chan []string
	// Stop asks a task to end (TERM), and after grace ends it with everything it started (KILL); 0 = at once. It does not wait. A task that has ended, or was
	// never begun, is no error. The task then ends with Exit.Stopped.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Output is what a task wrote, in order, from the line behind number after on, at most limit lines.
	Output(ctx context.Context, id string, after int64, limit int) ([]Line, error)
	// Forget drops what is kept of a task that has ended; one that has not is left alone. With checkpoint, its checkpoint folder goes too.
	Forget(ctx context.Context, id string, checkpoint string) error
}

// Lister is the ability of a runtime to tell every task that it keeps, so that what nobody knows of any more is ended and dropped.
type Lister interface {
	Known(ctx context.Context) (ids []string, err error)
}

// Info is what a runtime is.
type Info struct {
	Name string // "process", "docker", "aws-batch", "instance"
	// Local says that tasks run on this very machine, under this process's eyes: another replica can't reach them.
	Local bool
	// Checkpoints says that Spec.Checkpoint is kept from one task to the next.
	Checkpoints bool
	// Polled says that Watch only tells what polling found, this often; 0 = it tells at once.
	Polled time.Duration
}

// Spec is a task to be run.
type Spec struct {
	ID        string            // unique for ever; letters, digits, "-" and ".", at most 64
	Image     string            // what it runs in: "host", a folder or archive, or a reference; for instances the machine image
	Command   []string          // without a shell; empty = the image's own
	Env       map[string]string // may hold secrets: never logged, never in an argument list, never readable by other users
	Resources Resources
	Timeout   time.Duration // from its start, in wall time; 0 = none. The task then ends with Exit.TimedOut
	// Checkpoint names a folder that outlives the task: tasks with the same name find what the last one left. Its path is in NEAP_CHECKPOINT_DIR. "" = none.
	Checkpoint string
	Labels     map[string]string // for people who look at the runtime's own tools: "neap.job", "neap.account"

	Place        Place
	UserData     string // of an instance, as it is to read it
	InstanceType string // of an instance; "" = the runtime's usual one
	OnDemand     bool   // of an instance: not spot
	FallBack     bool   // of a spot instance: on demand when spot is refused
}

// Place is where a task belongs, for runtimes that reach further than this machine.
type Place struct {
	Account string
	Cloud   string // "aws", "azure"
	Region  string
	Queue   string
	Host    string // the instance whose capacity it takes; "" = the runtime finds its own
}

// Resources are what a task asks for, or what a machine has.
type Resources struct {
	MilliCPU  int64 `json:"milliCpu"` // thousandths of a vCPU
	MemoryMiB int64 `json:"memoryMiB"`
	GPUs      int64 `json:"gpus,omitempty"`
}

// State is how a task stands.
type State string

const (
	Starting State = "starting" // on record, and not running yet
	Running  State = "running"
	Ended    State = "ended" // by itself or because it was stopped; Exit tells
	Lost     State = "lost"  // the runtime can't tell how it ended; nothing of it runs any more, and that is a promise
)

// Task is a task as its runtime sees it.
type Task struct {
	ID       string
	State    State
	Started  time.Time // wall time; zero while Starting
	Ended    time.Time // zero until it is Ended or Lost
	Exit     Exit      // once it is Ended
	Reason   string    // for people: why it waits, or was lost
	Lines    int64     // of output so far: the number of the newest line
	Limits   string    // how its resources are limited: "cgroup v2", "cgroup v1", "rlimits: no CPU limit", "docker"; "" = not told
	Instance string    // of the cloud, when a task is one
}

// Exit is how a task ended.
type Exit struct {
	Code        int    `json:"code"`             // the command's; 128 + signal when one ended it
	Signal      string `json:"signal,omitempty"` // "KILL"
	TimedOut    bool   `json:"timedOut,omitempty"`
	OutOfMemory bool   `json:"outOfMemory,omitempty"` // its memory limit ended it
	Stopped     bool   `json:"stopped,omitempty"`     // after Stop
	Reason      string `json:"reason,omitempty"`      // one sentence where the code does not say enough: "There is no such command: ffmepg."
}

// Line is one line of output, cut at 16 KiB; more of it is another line.
type Line struct {
	N      int64 // from 1 on, without gaps except where Dropped says so
	At     time.Time
	Stream string // "stdout" or "stderr"
	Text   string // valid UTF-8, without its line end
	// Dropped is how many lines before this one are gone because a task may write only so much: the beginning and the end are kept.
	Dropped int64
}

// RefusalKind says what a refused caller can do.
type RefusalKind string

const (
	Never RefusalKind = "never" // will never work as asked
	Full  RefusalKind = "full"  // no room now: elsewhere, or later
)

// Refusal is a failure that a caller acts on. Its message is one sentence for people.
type Refusal struct {
	Kind    RefusalKind
	Message string
}

func (r *Refusal) Error() string { return r.Message }
