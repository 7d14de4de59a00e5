package replay

import (
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
)

// together is how near to each other losses of one pool are one storm: most of a pool's come so.
const together = 3 * time.Minute

// storm is a loss with what has to be watched for it.
type storm struct {
	lab.Storm
	stall *stall
	until time.Time // what serves is watched until then: whoever was asked for in time has booted
}

// stormWatch follows every loss until its replacements serve.
type stormWatch struct {
	past, open []*storm
	waiting    []waiting
}

// waiting is a lost machine for which no replacement was asked yet.
type waiting struct {
	lost  *machine
	since time.Time
	storm *storm
}

// mark counts a loss into its storm.
func (r *run) mark(m *machine) {
	w := &r.storm
	n := slices.IndexFunc(w.open, func(s *storm) bool { return s.stall == m.stall && r.now.Sub(s.At) < together })
	if n < 0 {
		n = len(w.open)
		w.open = append(w.open, &storm{Storm: lab.Storm{At: r.now, Pool: m.stall.String(), Lowest: r.books.serving, Floor: r.floor()}, stall: m.stall})
	}
	s := w.open[n]
	s.Lost++
	if until := m.fate.End.Add(r.World.Boot); until.After(s.until) {
		s.until = until
	}
	w.waiting = append(w.waiting, waiting{m, r.now, s})
}

func (r *run) floor() int { return min(max(0, r.intent.Mix.OnDemandCount), r.intent.Capacity.Target) }

// watchStorms takes note of what has served until now, and lets go of storms that are over.
func (r *run) watchStorms() {
	w := &r.storm
	w.open = slices.DeleteFunc(w.open, func(s *storm) bool {
		s.Lowest = min(s.Lowest, r.books.serving)
		over := s.until.Before(r.now) && r.now.Sub(s.At) >= together
		if over {
			w.past = append(w.past, s)
		}
		return over
	})
}

// settleStorms finds the replacements in a decision: those that name whom they replace first, then any for whoever waits longest. When the decision leaves
// nothing short, the others needed none.
func (r *run) settleStorms(d plan.Decision) {
	w := &r.storm
	if len(w.waiting) == 0 {
		return
	}
	spare := 0
	named := map[string]bool{}
	for _, a := range d.Actions {
		if a.Verb != plan.LaunchVerb {
			continue
		}
		spare += a.Count - len(a.Replaces)
		for _, id := range a.Replaces {
			named[id] = true
		}
	}
	w.waiting = slices.DeleteFunc(w.waiting, func(x waiting) bool {
		if !named[x.lost.id] {
			return false
		}
		x.asked(r.now)
		return true
	})
	for _, x := range w.waiting[:min(spare, len(w.waiting))] {
		x.asked(r.now)
	}
	w.waiting = slices.Delete(w.waiting, 0, min(spare, len(w.waiting)))
	if d.Short == 0 && !r.tripped {
		w.waiting = nil
	}
}

func (x waiting) asked(now time.Time) { x.storm.Slow = max(x.storm.Slow, now.Sub(x.since)) }

// all are the storms by time, at the end of a run.
func (w *stormWatch) all(until time.Time) (list []lab.Storm) {
	for _, x := range w.waiting {
		x.asked(until)
	}
	for _, s := range slices.Concat(w.past, w.open) {
		list = append(list, s.Storm)
	}
	slices.SortStableFunc(list, func(a, b lab.Storm) int { return a.At.Compare(b.At) })
	return list
}
