package batch

import (
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/runtime"
)

// State is how a job stands.
type State string

const (
	Submitted State = "SUBMITTED"
	Pending   State = "PENDING"  // held back: its deadline leaves time to wait for cheaper capacity
	Runnable  State = "RUNNABLE" // waits for its turn, or for a machine
	Starting  State = "STARTING"
	Running   State = "RUNNING"
	Succeeded State = "SUCCEEDED"
	Failed    State = "FAILED"
	TimedOut  State = "TIMED_OUT"
	Cancelled State = "CANCELLED"
	Rejected  State = "REJECTED"
)

// Priority is the order in which jobs of a queue get their turns.
type Priority string

const (
	High Priority = "HIGH"
	Low  Priority = "LOW"
)

// The kinds of jobs.
const (
	KindContainer = "container"
	KindInstance  = "instance" // an instance of the cloud for each
)

// Submission is a job as it was asked for. Exactly one of Image and AMI is set.
type Submission struct {
	Customer string            `json:"customer"`
	Class    string            `json:"class"` // the submitter's own label, which many jobs share; "id" on the wire
	Cloud    string            `json:"cloud"` // "aws" or "azure"
	Region   string            `json:"region"`
	Image    string            `json:"image,omitempty"`
	Command  []string          `json:"command,omitempty"`
	Env      map[string]string `json:"-"` // kept sealed; see secrets
	AMI      string            `json:"ami,omitempty"`
	UserData string            `json:"-"` // as the instance is to read it; kept sealed
	Tags     map[string]any    `json:"tags,omitempty"`
	// Resources are as asked for; zero members mean the usual: one vCPU, 2,048 MiB.
	Resources    runtime.Resources `json:"resources"`
	InstanceType string            `json:"instanceType,omitempty"` // of an instance job
	Priority     Priority          `json:"priority,omitempty"`     // "" = Low
	Queue        string            `json:"queue,omitempty"`        // "" = by priority
	Timeout      time.Duration     `json:"timeout,omitempty"`      // of each attempt; 0 = none

	Deadline   time.Time     `json:"deadline,omitzero"`    // to be done by then; needs Expected
	Expected   time.Duration `json:"expected,omitempty"`   // how long the work takes
	Checkpoint bool          `json:"checkpoint,omitempty"` // it keeps its progress in the folder that NEAP_CHECKPOINT_DIR names
}

// Kind is KindContainer or KindInstance.
func (s Submission) Kind() string {
	if s.AMI != "" {
		return KindInstance
	}
	return KindContainer
}

// Job is a job and all that became of it.
type Job struct {
	ID      string `json:"-"`
	Account string `json:"-"`
	Submission
	Lane        capacity.Lane `json:"lane"` // where it was placed
	State       State         `json:"state"`
	Reason      string        `json:"reason,omitempty"` // why it stands so, in one sentence; "" = nothing to say
	Author      string        `json:"author,omitempty"` // user who submitted it
	RetryOf     string        `json:"retryOf,omitempty"`
	SubmittedAt time.Time     `json:"submittedAt"`
	StartedAt   time.Time     `json:"startedAt,omitzero"` // when its last attempt began to run
	StoppedAt   time.Time     `json:"stoppedAt,omitzero"` // when it came to its end
	Attempts    []Attempt     `json:"attempts,omitempty"` // oldest first
}

// Attempt is one time that a job was begun.
type Attempt struct {
	N         int           `json:"n"` // from 1 on
	Runtime   string        `json:"runtime"`
	Machine   string        `json:"machine,omitempty"` // the replica whose own runtime it is
	Host      string        `json:"host,omitempty"`    // the instance that it took room on, or is
	Type      string        `json:"type,omitempty"`
	Zone      string        `json:"zone,omitempty"`
	Group     string        `json:"group,omitempty"` // that the ledger books the host under
	Part      int64         `json:"part,omitempty"`  // of the host that it asked for, in billionths, rounded down
	At        time.Time     `json:"at"`              // when it was given its place
	StartedAt time.Time     `json:"startedAt,omitzero"`
	EndedAt   time.Time     `json:"endedAt,omitzero"`
	Outcome   string        `json:"outcome,omitempty"` // "succeeded", "failed", "timedOut", "cancelled", "preempted", "lost", "refused"; "" = it goes on
	Reason    string        `json:"reason,omitempty"`
	Exit      *runtime.Exit `json:"exit,omitempty"`
	Limits    string        `json:"limits,omitempty"`
	Lines     int64         `json:"lines,omitempty"`
}

// whole is all of a host, in the unit of Attempt.Part: integers, so that the parts of what fits on a host together never add up to more than the host.
const whole = 1_000_000_000

// Share is the part of the host that the attempt asked for, 0 … 1.
func (a *Attempt) Share() float64 { return float64(a.Part) / whole }

// Final reports whether nothing can become of a job in this state any more.
func (s State) Final() bool {
	switch s {
	case Succeeded, Failed, TimedOut, Cancelled, Rejected:
		return true
	}
	return false
}
