package batch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// steps is the one table of what may follow what. A final state is followed by nothing.
func steps() map[State][]State {
	return map[State][]State{
		Submitted: {Pending, Runnable, Rejected, Cancelled},
		Pending:   {Runnable, Cancelled},
		Runnable:  {Starting, Pending, Cancelled, Failed},
		// Back to Runnable: the attempt was lost through no fault of the job's.
		Starting: {Running, Runnable, Pending, Succeeded, Failed, TimedOut, Cancelled},
		Running:  {Runnable, Pending, Succeeded, Failed, TimedOut, Cancelled},
	}
}

// May reports whether a state may follow another.
func May(from, to State) bool { return slices.Contains(steps()[from], to) }

// What a job's document is for the store: the states by which the engine finds its work.
const (
	waiting = "waiting" // Runnable, in its line
	held    = "held"    // Pending, or Runnable and not to be begun yet
	active  = "active"  // an attempt goes on
	ending  = "ending"  // the job has come to its end, and an attempt is still being stopped
	done    = "done"
)

// record is a job as it is stored.
type record struct {
	Job
	Sealed []byte    `json:"sealed,omitempty"` // env and user data
	Timed  bool      `json:"timed,omitempty"`  // its deadline decides what it runs on
	Print  string    `json:"print,omitempty"`  // of the submission, for those that came with a key
	Until  time.Time `json:"until,omitzero"`   // of a held job: when it is looked at again
	Moves  int       `json:"moves"`            // how many transitions there were
	Lost   int       `json:"lost,omitempty"`   // attempts in a row that were lost, and not to a machine that was taken back
}

type document = store.Doc[record]

// Jobs and what became of them.
var (
	jobs    = store.Collection[record]{Table: "jobs", Noun: "job"}
	history = store.Log[Transition]{Table: "job_history"}
)

// move is a document on its way to a new state, with the lines of history that tell of it.
type move struct {
	doc   document
	lines []store.Record[Transition]
}

// to changes the job's state. A step that the table does not have is a mistake in this room.
func (m *move) to(state State, at time.Time, because string) error {
	job := &m.doc.Value.Job
	if !May(job.State, state) {
		return fault.Of(fault.Internal, "job", "Job %s was to go from %s to %s, which does not follow.", m.doc.ID, job.State, state)
	}
	t := Transition{At: at, From: job.State, To: state, Because: because}
	if a := job.last(); a != nil {
		t.Attempt, t.Host = a.N, a.Host
	}
	m.note(t)
	job.State, job.Reason = state, because
	if state == Running {
		job.StartedAt = at
	}
	if state.Final() {
		job.StoppedAt = at
	}
	m.doc.State = job.standing()
	return nil
}

// change moves one job, in a transaction of its own; word of it is left for the dispatcher.
func (b *Batch) change(ctx context.Context, d document, edit func(document) (move, bool, error)) (document, error) {
	stored := d
	err := b.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		var lines []store.Record[Transition]
		var err error
		if stored, lines, err = rewrite(ctx, tx, d, edit); err != nil || len(lines) == 0 {
			return err
		}
		if stored.State == ending {
			tx.AfterCommit(func() { b.desk.halt(stored.ID) })
		}
		return history.Append(ctx, tx, lines...)
	})
	return stored, err
}

// rewrite changes a document as edit says. When somebody else changed it meanwhile, edit is asked again with what is there now.
func rewrite(ctx context.Context, tx *store.Tx, d document, edit func(document) (move, bool, error)) (document, []store.Record[Transition], error) {
	for {
		m, changed, err := edit(d)
		if err != nil || !changed {
			return d, nil, err
		}
		stored, err := jobs.Update(ctx, tx, m.doc)
		if !fault.Is(err, fault.Conflict) {
			return stored, m.lines, err
		}
		if d, err = jobs.Get(ctx, tx, store.Installation(), d.ID); err != nil {
			return d, nil, err
		}
	}
}

// note adds a line to the history.
func (m *move) note(t Transition) {
	m.doc.Value.Moves++
	m.lines = append(m.lines, store.Record[Transition]{
		ID: fmt.Sprintf("%s.%d", m.doc.ID, m.doc.Value.Moves), Account: m.doc.Account, Resource: m.doc.ID, Kind: string(t.To), At: t.At, Value: t,
	})
}

// standing is what the job is for the store.
func (j *Job) standing() string {
	last := j.last()
	goes := last != nil && last.Outcome == ""
	switch {
	case j.State.Final() && goes:
		return ending
	case j.State.Final():
		return done
	case goes:
		return active
	case j.State == Pending:
		return held
	}
	return waiting
}

// last is the newest attempt; nil when there was none.
func (j *Job) last() *Attempt {
	if len(j.Attempts) == 0 {
		return nil
	}
	return &j.Attempts[len(j.Attempts)-1]
}

func (r *record) isTimed() bool { return r.Timed }

// clone is a copy whose attempts may be changed without harm to the original.
func clone(d document) document {
	d.Value.Attempts = slices.Clone(d.Value.Attempts)
	return d
}

// job is the document as the room's callers see it.
func job(d document) Job {
	j := d.Value.Job
	j.ID, j.Account = d.ID, d.Account
	return j
}
