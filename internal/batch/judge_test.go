package batch

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

var morning = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)

// life is a job that everything happens to, in any order.
type life struct {
	doc   document
	now   time.Time
	told  []Transition
	inRow int // attempts in a row that were lost
}

func newLife(t *rapid.T) *life {
	l := &life{now: morning}
	s := Submission{Customer: "a", Image: "host", Cloud: cloudAWS}.usual()
	l.doc = document{Meta: store.Meta{ID: "j"}, Value: record{Job: Job{Submission: s, State: Submitted, SubmittedAt: morning}, Timed: rapid.Bool().Draw(t, "timed")}}
	first := Runnable
	if l.doc.Value.Timed {
		first = Pending
	}
	m := move{doc: clone(l.doc)}
	l.take(t, m, true, m.to(first, morning, ""))
	return l
}

// take is what rewrite does with a move, and holds it to everything that is promised.
func (l *life) take(t *rapid.T, m move, changed bool, err error) {
	if err != nil {
		t.Fatalf("from %s with %d attempts: %v", l.doc.Value.State, len(l.doc.Value.Attempts), err)
	}
	if !changed {
		return
	}
	was := l.doc
	l.doc = m.doc
	for _, line := range m.lines {
		l.told = append(l.told, line.Value)
	}
	is := &l.doc.Value
	if was.Value.State.Final() && (is.State != was.Value.State || !is.StoppedAt.Equal(was.Value.StoppedAt)) {
		t.Fatalf("a job that was %s became %s", was.Value.State, is.State)
	}
	for i, a := range was.Value.Attempts {
		if b := is.Attempts[i]; a.Outcome != "" && (a.Outcome != b.Outcome || !a.EndedAt.Equal(b.EndedAt)) {
			t.Fatalf("attempt %d was %s and became %s", a.N, a.Outcome, b.Outcome)
		}
	}
	for i := range is.Attempts {
		l.checkAttempt(t, i)
	}
	if standing := is.standing(); l.doc.State != standing && !(l.doc.State == held && standing == waiting) {
		t.Fatalf("a job that is %s stands as %s for the store, not as %s", is.State, l.doc.State, standing)
	}
	if l.doc.State == held && is.State == Runnable && (is.Until.IsZero() || is.Until.Sub(l.now) > longestWait) {
		t.Fatalf("it is held until %s at %s", is.Until, l.now)
	}
}

func (l *life) checkAttempt(t *rapid.T, i int) {
	a := l.doc.Value.Attempts[i]
	isLast := i == len(l.doc.Value.Attempts)-1
	switch {
	case a.N != i+1:
		t.Fatalf("attempt %d is in the place of attempt %d", a.N, i+1)
	case a.Outcome == "" != a.EndedAt.IsZero():
		t.Fatalf("its outcome is %q and it ended at %s", a.Outcome, a.EndedAt)
	case a.Outcome == "" && !isLast:
		t.Fatalf("attempt %d goes on beside later ones", a.N)
	case !a.StartedAt.IsZero() && a.StartedAt.Before(a.At), !a.EndedAt.IsZero() && a.EndedAt.Before(a.StartedAt):
		t.Fatalf("placed %s, started %s, ended %s", a.At, a.StartedAt, a.EndedAt)
	case isLast && l.doc.Value.State.Final() && a.Outcome != "":
		switch a.Outcome {
		case outcomePreempted, outcomeLost:
			if s := l.doc.Value.State; s != Cancelled && s != Succeeded {
				t.Fatalf("an attempt that was %s has ended its job as %s", a.Outcome, s)
			}
		}
	}
}

func (l *life) begin(t *rapid.T) {
	if l.doc.State != waiting {
		return
	}
	d := &dispatcher{Batch: &Batch{c: Config{Machine: "here"}}}
	p := &pick{q: &queue{line: line{how: hosted}}, doc: l.doc, rt: &batchtest.Instant{}}
	if rapid.Bool().Draw(t, "hosted") {
		p.host = &host{Host: capacity.Host{ID: "i-1", Has: runtime.Resources{MilliCPU: 3000, MemoryMiB: 4096}}}
	}
	m, err := (&choice{d: d, now: l.now}).attempt(p)
	l.take(t, m, true, err)
}

func (l *life) sight(t *rapid.T) {
	task := runtime.Task{State: rapid.SampledFrom([]runtime.State{runtime.Starting, runtime.Running, runtime.Ended, runtime.Lost}).Draw(t, "task")}
	if task.State != runtime.Starting && rapid.Bool().Draw(t, "told when") {
		task.Started = l.now.Add(-time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "began")))
		task.Ended = task.Started.Add(time.Duration(rapid.Int64Range(-int64(time.Second), int64(time.Hour)).Draw(t, "took")))
	}
	if task.State == runtime.Ended {
		task.Exit = runtime.Exit{
			Code: rapid.IntRange(0, 2).Draw(t, "code"), Stopped: rapid.Bool().Draw(t, "stopped"), TimedOut: rapid.Bool().Draw(t, "timed out"),
			Signal: rapid.SampledFrom([]string{"", "", "KILL"}).Draw(t, "signal"), OutOfMemory: rapid.Bool().Draw(t, "memory"),
		}
	}
	s := sighting{task: task}
	if rapid.Bool().Draw(t, "stopped by us") {
		s.why = stop{outcomePreempted, "Its machine goes."}
	}
	if rapid.Bool().Draw(t, "machine") {
		s.machine = &instance.Machine{Instance: "i-2", Group: "g"}
	}
	l.judge(t, s)
}

func (l *life) release(t *rapid.T) {
	if l.doc.State != held || l.doc.Value.Until.After(l.now) {
		return
	}
	d := &dispatcher{Batch: &Batch{c: Config{}}}
	on, err := d.decide(t.Context(), &l.doc.Value.Job, l.now)
	if err != nil {
		t.Fatal(err)
	}
	m, changed, err := released(l.doc, on, l.now)
	l.take(t, m, changed, err)
	if l.doc.State != waiting {
		t.Fatalf("it was let go and is %s", l.doc.State)
	}
}

func (l *life) judge(t *rapid.T, s sighting) {
	task, before := s.task, len(l.told)
	wasOpen := l.doc.Value.last() != nil && l.doc.Value.last().Outcome == ""
	wasFinal := l.doc.Value.State.Final()
	m, changed, err := judged(l.doc, s, l.now)
	l.take(t, m, changed, err)
	over := task.State == runtime.Ended || task.State == runtime.Lost
	if over && wasOpen && (l.doc.Value.last().Outcome == "" || len(l.told) == before) {
		t.Fatalf("the task is %s and the attempt goes on", task.State)
	}
	if over && wasOpen && !wasFinal {
		l.checkBackOff(t)
	}
}

// checkBackOff holds a job whose attempt has just ended to how long it may wait for the next one.
func (l *life) checkBackOff(t *rapid.T) {
	switch l.doc.Value.last().Outcome {
	case outcomeLost:
		l.inRow++
	case outcomePreempted:
		l.inRow = 0
	default:
		return
	}
	if l.doc.Value.State.Final() {
		t.Fatalf("it is %s for what was not its fault", l.doc.Value.State)
	}
	wait := time.Duration(0)
	if l.doc.State == held {
		wait = l.doc.Value.Until.Sub(l.now)
	}
	want := time.Duration(0)
	if l.inRow >= patience {
		want = min(longestWait, shortWait<<min(20, l.inRow-patience))
	}
	if wait != want {
		t.Fatalf("after %d lost attempts in a row it waits for %s, want %s", l.inRow, wait, want)
	}
}

func TestWhateverHappensToAJobInWhateverOrderItsStoryIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		t.Repeat(map[string]func(*rapid.T){
			"begin": l.begin,
			"sight": l.sight,
			"lose": func(t *rapid.T) {
				if l.doc.State == held {
					l.now = later(l.now, l.doc.Value.Until)
					l.release(t)
				}
				l.begin(t)
				l.judge(t, sighting{task: runtime.Task{State: runtime.Lost}})
			},
			"later": func(t *rapid.T) {
				l.now = l.now.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "time")))
			},
			"refuse": func(t *rapid.T) {
				cause := rapid.SampledFrom([]error{
					&runtime.Refusal{Kind: runtime.Full, Message: "Full."}, &runtime.Refusal{Kind: runtime.Never, Message: "Never."}, errors.New("unknown"),
				}).Draw(t, "cause")
				m, changed, err := turnedAway(l.doc, cause, l.now)
				l.take(t, m, changed, err)
			},
			"end": func(t *rapid.T) {
				state := Cancelled
				if s := l.doc.Value.State; (s == Starting || s == Running) && rapid.Bool().Draw(t, "release") {
					state = Succeeded
				}
				if rapid.IntRange(0, 9).Draw(t, "seldom") > 0 {
					return
				}
				m, changed, err := concluded(l.doc, state, "", l.now)
				if l.doc.Value.State.Final() != fault.Is(err, fault.Conflict) {
					t.Fatalf("ended when it was %s: %v", l.doc.Value.State, err)
				}
				if err == nil {
					l.take(t, m, changed, err)
				}
			},
			"release": l.release,
			"": func(t *rapid.T) {
				state, at := Submitted, time.Time{}
				for _, step := range l.told {
					if step.From != state || step.From != step.To && !May(step.From, step.To) || step.At.Before(at) {
						t.Fatalf("%s at %s does not follow: %+v", step.To, step.At, l.told)
					}
					state, at = step.To, step.At
				}
				if state != l.doc.Value.State || len(l.told) != l.doc.Value.Moves {
					t.Fatalf("the story ends with %s, the job is %s", state, l.doc.Value.State)
				}
			},
		})
	})
}
