package job

import (
	"fmt"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cli/words"
)

// view is what people are shown of a job; -o json and -o yaml show all of it.
type view struct {
	ID           string   `json:"id"`
	Class        string   `json:"class"`
	Customer     string   `json:"customer"`
	Kind         string   `json:"kind"`
	Cloud        string   `json:"cloud"`
	Region       string   `json:"region"`
	Queue        string   `json:"queue"`
	Priority     string   `json:"priority"`
	Image        string   `json:"image"`
	Command      []string `json:"command"`
	AMI          string   `json:"ami"`
	InstanceType string   `json:"instanceType"`
	Resources    struct {
		VCPUs  float64 `json:"vcpus"`
		Memory int64   `json:"memory"`
		GPU    int64   `json:"gpu"`
	} `json:"resources"`
	Timeout     float64   `json:"timeout"`
	Deadline    time.Time `json:"deadline"`
	Expected    float64   `json:"expected"`
	Checkpoint  bool      `json:"checkpoint"`
	State       string    `json:"state"`
	Reason      string    `json:"reason"`
	Author      string    `json:"author"`
	RetryOf     string    `json:"retryOf"`
	SubmittedAt time.Time `json:"submittedAt"`
	StartedAt   time.Time `json:"startedAt"`
	StoppedAt   time.Time `json:"stoppedAt"`
	Tries       int       `json:"attemptCount"`
	Attempts    []attempt `json:"attempts"`
	Cost        *cost     `json:"cost"`
	Ahead       *int      `json:"ahead"` // jobs that have their turn first, of one that waits for its turn
}

type attempt struct {
	N         int       `json:"n"`
	Runtime   string    `json:"runtime"`
	Host      string    `json:"host"`
	Type      string    `json:"type"`
	Zone      string    `json:"zone"`
	Group     string    `json:"group"`
	Share     float64   `json:"share"`
	At        time.Time `json:"at"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt"`
	Outcome   string    `json:"outcome"`
	Reason    string    `json:"reason"`
	Limits    string    `json:"limits"`
	Lines     int64     `json:"lines"`
	Exit      *struct {
		Code        int    `json:"code"`
		Signal      string `json:"signal"`
		TimedOut    bool   `json:"timedOut"`
		OutOfMemory bool   `json:"outOfMemory"`
		Reason      string `json:"reason"`
	} `json:"exit"`
}

type cost struct {
	Actual    float64 `json:"actual"`
	Potential float64 `json:"potential"`
	Running   float64 `json:"running"`
}

// The states, as the server calls them.
const (
	pending   = "PENDING"
	runnable  = "RUNNABLE"
	running   = "RUNNING"
	succeeded = "SUCCEEDED"
	timedOut  = "TIMED_OUT"
)

func open() []string     { return []string{"SUBMITTED", pending, runnable, "STARTING", running} }
func failures() []string { return []string{"FAILED", timedOut, "CANCELLED", "REJECTED"} }

func (v view) isOver() bool {
	return !v.StoppedAt.IsZero() || strings.Contains(" SUCCEEDED FAILED TIMED_OUT CANCELLED REJECTED ", " "+v.State+" ")
}

// took is how long its last attempt has been running, or ran.
func (v view) took(now time.Time) string {
	if v.StartedAt.IsZero() {
		return ""
	}
	until := v.StoppedAt
	if until.IsZero() {
		until = now
	}
	return words.Span(max(0, until.Sub(v.StartedAt)))
}

func (v view) paid() string {
	if v.Cost == nil {
		return ""
	}
	return dollars(v.Cost.Actual)
}

// dollars has as many places as a job of some seconds costs.
func dollars(amount float64) string {
	if amount > 0 && amount < 0.00001 {
		return fmt.Sprintf("$%.9f", amount)
	}
	return fmt.Sprintf("$%.6f", amount)
}

// needs says what it asks for.
func (v view) needs() string {
	var parts []string
	if v.Resources.VCPUs > 0 {
		parts = append(parts, fmt.Sprintf("%g vCPU", v.Resources.VCPUs))
	}
	if v.Resources.Memory > 0 {
		parts = append(parts, fmt.Sprintf("%d MiB", v.Resources.Memory))
	}
	if v.Resources.GPU > 0 {
		parts = append(parts, fmt.Sprintf("%d GPU", v.Resources.GPU))
	}
	return strings.Join(parts, ", ")
}

func (v view) runs() string {
	if v.AMI != "" {
		return strings.TrimSpace(v.AMI + " " + v.InstanceType)
	}
	return strings.TrimSpace(v.Image + " " + strings.Join(v.Command, " "))
}

// ending says how the command ended.
func (a attempt) ending() string {
	switch {
	case a.Exit == nil:
		return ""
	case a.Exit.TimedOut:
		return "its time was up"
	case a.Exit.OutOfMemory:
		return "it needed more memory than it had"
	case a.Exit.Reason != "":
		return strings.TrimSuffix(a.Exit.Reason, ".")
	case a.Exit.Signal != "":
		return "ended by SIG" + strings.TrimPrefix(a.Exit.Signal, "SIG")
	}
	return fmt.Sprintf("exit code %d", a.Exit.Code)
}

func (a attempt) ran(now time.Time) time.Duration {
	if a.StartedAt.IsZero() {
		return 0
	}
	until := a.EndedAt
	if until.IsZero() {
		until = now
	}
	return max(0, until.Sub(a.StartedAt))
}
