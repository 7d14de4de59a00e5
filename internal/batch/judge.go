package batch

import (
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
)

// How attempts end.
const (
	outcomeSucceeded = "succeeded"
	outcomeFailed    = "failed"
	outcomeTimedOut  = "timedOut"
	outcomeCancelled = "cancelled"
	outcomePreempted = "preempted" // its machine was taken back
	outcomeLost      = "lost"      // nobody can tell how it ended
	outcomeRefused   = "refused"   // its runtime had no room after all
)

// patience is how many attempts in a row may be lost before the next one waits for a while, longer each time.
const (
	patience    = 3
	shortWait   = 5 * time.Second
	longestWait = 5 * time.Minute
)

// stop is why an attempt was ended by us although its job was not.
type stop struct {
	outcome string // outcomePreempted; "" = the job itself was ended
	because string
}

// sighting is how a task stands, and what else is known of it.
type sighting struct {
	task    runtime.Task
	why     stop              // it was stopped by us for
	machine *instance.Machine // that it is; nil = none, or none yet
}

// judged is what becomes of a job whose task stands so; changed is false when that is nothing new. An attempt that was lost, or that we ended for the sake of its
// machine, does not count against the job: it goes back to its place in line.
func judged(d document, s sighting, now time.Time) (m move, changed bool, err error) {
	m = move{doc: clone(d)}
	job, task := &m.doc.Value.Job, s.task
	a := job.last()
	if a == nil || a.Outcome != "" {
		return m, false, nil
	}
	if s.machine != nil && a.Type == "" {
		a.Host, a.Type, a.Zone, changed = s.machine.Instance, s.machine.Type, s.machine.Zone, true
	}
	a.Limits, a.Lines = task.Limits, task.Lines
	switch task.State {
	case runtime.Starting:
		if job.State == Starting && task.Reason != job.Reason {
			job.Reason, changed = task.Reason, true
		}
		return m, changed, nil
	case runtime.Running:
		if job.State != Starting {
			return m, changed, nil
		}
		a.StartedAt = now
		return m, true, m.to(Running, now, "")
	}
	if err := m.ran(a, task, now); err != nil {
		return m, false, err
	}
	a.EndedAt = now
	return m, true, m.ended(a, task, s.why, now)
}

// ran catches up with a task that began and ended between two looks.
func (m *move) ran(a *Attempt, task runtime.Task, now time.Time) error {
	if !a.StartedAt.IsZero() || task.Started.IsZero() {
		return nil
	}
	a.StartedAt = now
	if took := task.Ended.Sub(task.Started); took > 0 {
		a.StartedAt = now.Add(-took)
	}
	if a.StartedAt.Before(a.At) {
		a.StartedAt = a.At
	}
	if m.doc.Value.State != Starting {
		return nil
	}
	return m.to(Running, a.StartedAt, "")
}

// ended closes the attempt and decides what comes of the job.
func (m *move) ended(a *Attempt, task runtime.Task, why stop, now time.Time) error {
	r := &m.doc.Value
	if task.State == runtime.Ended {
		exit := task.Exit
		a.Exit = &exit
	}
	if r.State.Final() { // cancelled or released meanwhile
		a.Outcome = map[State]string{Cancelled: outcomeCancelled, Succeeded: outcomeSucceeded, TimedOut: outcomeTimedOut, Failed: outcomeFailed}[r.State]
		m.note(Transition{At: now, From: r.State, To: r.State, Attempt: a.N, Host: a.Host, Because: "Its last attempt has ended."})
		m.doc.State = r.standing()
		return nil
	}
	switch {
	case task.State == runtime.Lost && why.outcome == "":
		a.Outcome, a.Reason = outcomeLost, orElse(task.Reason, "Nobody can tell how it ended.")
		return m.again(now, a.Reason, true)
	case task.State == runtime.Lost || task.Exit.Stopped:
		a.Outcome, a.Reason = orElse(why.outcome, outcomePreempted), orElse(why.because, "Its machine was taken back.")
		return m.again(now, a.Reason, false)
	case task.Exit.TimedOut:
		a.Outcome, a.Reason = outcomeTimedOut, fmt.Sprintf("It ran for longer than its timeout of %s.", r.Timeout)
		return m.to(TimedOut, now, a.Reason)
	case task.Exit.Code == 0 && task.Exit.Signal == "" && task.Exit.Reason == "":
		a.Outcome = outcomeSucceeded
		return m.to(Succeeded, now, "")
	}
	a.Outcome, a.Reason = outcomeFailed, failure(task.Exit, r.Resources)
	return m.to(Failed, now, a.Reason)
}

// again puts the job back in line. After several attempts in a row that were lost it waits for a while first.
func (m *move) again(now time.Time, because string, lost bool) error {
	r := &m.doc.Value
	next := Runnable
	if r.isTimed() {
		next, r.Until = Pending, now
	}
	if err := m.to(next, now, because); err != nil {
		return err
	}
	if !lost {
		r.Lost = 0
		return nil
	}
	if r.Lost++; r.Lost >= patience {
		m.delay(now, min(shortWait<<min(r.Lost-patience, 10), longestWait))
	}
	return nil
}

// delay holds a job that waits back for a while.
func (m *move) delay(now time.Time, wait time.Duration) {
	m.doc.State, m.doc.Value.Until = held, now.Add(wait)
}

// failure says in one sentence why a task failed.
func failure(e runtime.Exit, asked runtime.Resources) string {
	switch {
	case e.OutOfMemory:
		return fmt.Sprintf("It needed more than its %d MiB of memory.", asked.MemoryMiB)
	case e.Reason != "":
		return e.Reason
	case e.Signal != "":
		return "Its command was ended by the signal " + e.Signal + "."
	}
	return fmt.Sprintf("Its command ended with exit code %d.", e.Code)
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// turnedAway is what becomes of a job whose attempt its runtime did not take: it waits for a while, unless that could never work.
func turnedAway(d document, cause error, now time.Time) (m move, changed bool, err error) {
	m = move{doc: clone(d)}
	a := m.doc.Value.last()
	if a == nil || a.Outcome != "" {
		return m, false, nil
	}
	var refused *runtime.Refusal
	isFull := errors.As(cause, &refused) && refused.Kind == runtime.Full
	a.Outcome, a.EndedAt, a.Reason = outcomeRefused, now, fault.As(cause).Sentence()
	if refused != nil {
		a.Reason = refused.Message
	}
	switch {
	case m.doc.Value.State.Final():
		m.doc.State = m.doc.Value.standing()
		return m, true, nil
	case isFull:
		err = m.to(Runnable, now, a.Reason)
		m.delay(now, shortWait)
		return m, true, err
	}
	return m, true, m.to(Failed, now, a.Reason)
}
