package remote

import (
	"cmp"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
)

// What the cloud is told when Neap ends a job, and tells back: the job's own record says who ended it.
const (
	reasonStopped  = "Neap stopped it."
	reasonTimedOut = "Neap ended it at its timeout."
)

// limits is how machines of AWS Batch limit a task.
const limits = "docker"

// waiting is a task of which the cloud has not said anything yet.
func waiting(d doc) runtime.Task {
	t := runtime.Task{ID: d.ID, State: runtime.Starting, Limits: limits}
	if d.State == stateAsked {
		t.Reason = "AWS Batch was asked to run it; whether it will is not known yet."
	}
	return t
}

// taskOf is a task by what the cloud says of its job. One that has ended counts as running until all that it wrote was read.
func taskOf(d doc, j cloud.Job, lines int64, isRead bool) runtime.Task {
	t := waiting(d)
	t.Lines, t.Started = lines, j.Started
	switch {
	case j.State == cloud.JobEnded && (isRead || j.Started.IsZero()):
		t.State, t.Ended = runtime.Ended, j.Ended
		if j.End == cloud.JobDisplaced {
			t.State, t.Reason = runtime.Lost, "AWS took its machine away: "+j.Reason
		} else {
			t.Exit = exitOf(j)
		}
	case j.State == cloud.JobEnded, j.State == cloud.JobRunning:
		t.State, t.Reason = runtime.Running, ""
	case j.State == cloud.JobStarting:
		t.Started, t.Reason = time.Time{}, cmp.Or(j.Reason, "Its machine is getting ready.")
	default:
		t.Started, t.Reason = time.Time{}, cmp.Or(j.Reason, "It waits in the queue "+d.Value.Queue+".")
	}
	return t
}

// The codes of ends without one of their own, as shells give them.
const (
	codeKilled = 137
	codeBroken = 127
)

// signals are those that commands end by, by their codes.
var signals = map[int]string{129: "HUP", 130: "INT", 131: "QUIT", 132: "ILL", 134: "ABRT", 135: "BUS", 136: "FPE", codeKilled: "KILL", 139: "SEGV", 141: "PIPE", 143: "TERM"}

// exitOf is how a job's end looks to whoever runs tasks.
func exitOf(j cloud.Job) runtime.Exit {
	e := runtime.Exit{}
	if j.End != cloud.JobExited {
		e.Code = codeKilled
	}
	if j.Code != nil {
		e.Code = *j.Code
	}
	switch j.End {
	case cloud.JobExited:
		e.Reason = j.Reason
	case cloud.JobKilled:
		switch {
		case j.Reason == reasonStopped:
			e.Stopped = true
		case j.Reason == reasonTimedOut:
			e.TimedOut = true
		default:
			e.Reason = "It was ended in AWS Batch, not by Neap: " + j.Reason
		}
	case cloud.JobTimedOut:
		e.TimedOut = true
	case cloud.JobOutOfMemory:
		e.OutOfMemory, e.Reason = true, j.Reason
	case cloud.JobBroken:
		e.Code, e.Reason = codeBroken, "It could not begin: "+j.Reason
	}
	e.Signal = signals[e.Code]
	return e
}

// neverPut is a task whose job is not there, and never will be.
func neverPut(d doc, now time.Time) *runtime.Task {
	t := runtime.Task{ID: d.ID, State: runtime.Lost, Ended: now, Reason: "The request for it never reached AWS Batch."}
	if d.Value.Stop {
		t.State, t.Reason, t.Exit = runtime.Ended, "", runtime.Exit{Code: codeKilled, Signal: signals[codeKilled], Stopped: true, Reason: "It was stopped before it began."}
	}
	return &t
}

// vanished is a task whose job the cloud does not know any more: it has ended, and how is gone with it.
func vanished(d doc, last cloud.Job, now time.Time) *runtime.Task {
	return &runtime.Task{ID: d.ID, State: runtime.Lost, Started: last.Started, Ended: now, Limits: limits, Reason: "AWS Batch does not know its job any more."}
}

// shortest is the least timeout that the cloud keeps; below it Neap ends the job.
const shortest = time.Minute

func isOverdue(d doc, j cloud.Job, now time.Time) bool {
	limit := d.Value.Timeout
	return j.State == cloud.JobRunning && limit > 0 && limit < shortest && !now.Before(j.Started.Add(limit))
}

const longestLine = 16 << 10

// linesOf cuts what the cloud keeps of one event into lines.
func linesOf(e cloud.JobLine) (lines []runtime.Line) {
	text := strings.ToValidUTF8(strings.TrimSuffix(strings.TrimSuffix(e.Text, "\n"), "\r"), "\uFFFD")
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > longestLine {
			cut := longestLine
			for line[cut]&0xC0 == 0x80 { // not within a character
				cut--
			}
			lines = append(lines, runtime.Line{At: e.At, Stream: "stdout", Text: line[:cut]})
			line = line[cut:]
		}
		lines = append(lines, runtime.Line{At: e.At, Stream: "stdout", Text: line})
	}
	return lines
}
