package process

import (
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// order is all that a supervisor gets to know about its task. It holds secrets, and so goes through a pipe and is never written down.
type order struct {
	ID        string
	Mark      string   // stands in the environment of all that the task starts; what is left of it is found by that where there are no control groups
	Folder    string   // of the task's files
	Events    string   // named pipe to Neap
	Command   []string // with arguments
	Env       []string
	Work      string // working directory, as the task sees it
	UID, GID  int    // to run as
	Switch    bool   // to them: as root
	Timeout   time.Duration
	Resources runtime.Resources
	Groups    hierarchies
	Room      room
	Root      *rootfs // nil = the machine's own files
}

// The files of a task's folder beside its log.
const (
	lockFile  = "lock"  // held by the supervisor as long as it lives
	begunFile = "begun" // begun, before anything of the task runs
	endedFile = "ended" // ended, once nothing of the task runs any more
	stopFile  = "stop"  // stop
)

type begun struct {
	Supervisor int       `json:"supervisor"` // its process id
	Started    time.Time `json:"started"`
	Limits     string    `json:"limits"`
}

type ended struct {
	Ended  time.Time    `json:"ended"`
	Exit   runtime.Exit `json:"exit"`
	Lost   bool         `json:"lost,omitempty"`
	Reason string       `json:"reason,omitempty"`
}

// stop is until when a task that was asked to end may go on.
type stop struct {
	Grace    time.Duration `json:"grace"` // as it was given, a bound for what a clock that was set can do
	Deadline time.Time     `json:"deadline"`
}

// left is how much of the grace there is at a time.
func (s stop) left(now time.Time) time.Duration {
	return min(max(s.Deadline.Sub(now), 0), s.Grace)
}
