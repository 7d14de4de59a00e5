package replay

import (
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/money"
)

// pair is a machine and the one that is to take its place.
type pair struct{ old, young *machine }

// transfer is a voluntary move until it can be told what became of it.
type transfer struct {
	lab.Move
	within time.Duration // that the planner looked ahead; 0 = it did not say
	pairs  []pair
}

// noteMove remembers a launch that is a voluntary move, as far as the cloud granted it.
func (r *run) noteMove(a plan.Action, to *stall, pairs []pair) {
	if len(pairs) == 0 || a.Worth == nil && !breaker.IsVoluntary(a.Reason) {
		return
	}
	t := transfer{Move: lab.Move{At: r.now, To: to.String(), Count: len(pairs)}, pairs: pairs}
	var from []string
	for _, p := range pairs {
		from = append(from, p.old.stall.String())
	}
	slices.Sort(from)
	t.From = strings.Join(slices.Compact(from), ", ")
	if a.Worth != nil {
		n := money.Amount(len(pairs))
		t.Promised, t.AtRisk, t.within = a.Worth.Saves*n, a.Worth.Risks*n, a.Worth.Within
	}
	r.moves = append(r.moves, t)
}

func (s *stall) String() string { return s.in.Type + " " + s.in.Zone + " " + string(s.in.Lifecycle) }

// settled is a move with what it saved.
func (r *run) settled(t transfer) lab.Move {
	for _, p := range t.pairs {
		t.Saved += r.saved(p, t.within)
	}
	return t.Move
}

// saved is what the old machine would have cost from its end on, less what the new one cost from its launch on: the time for which both were paid counts against
// the move. The comparison ends with the horizon, with the new machine, or when the old one would have been taken anyway.
func (r *run) saved(p pair, within time.Duration) money.Amount {
	until := r.paidUntil(p.young)
	sooner := func(t time.Time) {
		if t.Before(until) {
			until = t
		}
	}
	if within > 0 {
		sooner(p.young.launched.Add(r.World.Boot + within))
	}
	if end := p.old.fate.End; !end.IsZero() && end.After(p.young.launched) {
		sooner(end)
	}
	return p.old.stall.cost(r.paidUntil(p.old), until) - p.young.stall.cost(p.young.launched, until)
}
