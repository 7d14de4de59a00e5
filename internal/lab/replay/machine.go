package replay

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// machine is one instance, from its launch on.
type machine struct {
	id       string
	stall    *stall
	fate     world.Fate
	launched time.Time
	ended    time.Time // zero while it lives
	row      int       // its place in the list of instances, while it lives
	forced   bool      // the cloud took it, or announced to, while it was to stay
	booted   bool
	serves   bool
}

// what can happen to a machine.
type what int

const (
	booted    what = iota
	signalled      // a rebalance signal
	noticed        // its end is announced
	taken          // the cloud ends it
)

// happening is one of these at its moment.
type happening struct {
	at  time.Time
	n   int // of those at one moment, in the order in which they became known
	is  what
	who *machine
}

// happenings to come, the next one first.
type happenings struct {
	list  queue
	count int
}

func (h *happenings) add(at time.Time, is what, who *machine) {
	if !at.IsZero() {
		h.count++
		heap.Push(&h.list, happening{at, h.count, is, who})
	}
}

func (h *happenings) nextAt() (time.Time, bool) {
	if len(h.list) == 0 {
		return time.Time{}, false
	}
	return h.list[0].at, true
}

func (h *happenings) due(now time.Time) bool { return len(h.list) > 0 && !h.list[0].at.After(now) }

func (h *happenings) next() happening { return heap.Pop(&h.list).(happening) }

// queue is a heap by time.
type queue []happening

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(a, b int) { q[a], q[b] = q[b], q[a] }
func (q *queue) Push(x any)   { *q = append(*q, x.(happening)) }
func (q queue) Less(a, b int) bool {
	if !q[a].at.Equal(q[b].at) {
		return q[a].at.Before(q[b].at)
	}
	return q[a].n < q[b].n
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// start is the cloud's side of a launch: one machine more, whose fate is settled and known to nobody.
func (r *run) start(s *stall, why plan.Reason) *machine {
	n := len(r.lives)
	m := &machine{id: fmt.Sprintf("i-%07d", n), stall: s, launched: r.now, row: len(r.machines)}
	if s.isSpot() {
		m.fate = s.of.Fates.Fate(number(r.Seed, uint64(n)), r.now)
	}
	r.lives, r.machines, r.living[m.id] = append(r.lives, m), append(r.machines, m), m
	r.observed.Instances = append(r.observed.Instances, plan.Instance{
		ID: m.id, Type: s.in.Type, Zone: s.in.Zone, Lifecycle: plan.Lifecycle(s.in.Lifecycle), Phase: plan.Launching, LaunchedAt: r.now, KnownAt: r.now,
		Condition: plan.ConditionUnknown, ConditionAt: r.now, LaunchReason: why, VCPUs: s.of.VCPUs,
	})
	s.held++
	r.books.enter(s)
	r.happenings.add(r.now.Add(r.World.Boot), booted, m)
	r.happenings.add(m.fate.Signal, signalled, m)
	r.happenings.add(m.fate.Notice, noticed, m)
	r.happenings.add(m.fate.End, taken, m)
	return m
}

// number tells the instances of a run apart, and those of runs with other seeds: the seed and the count, well mixed (SplitMix64).
func number(seed, count uint64) uint64 {
	z := seed*0x9e3779b97f4a7c15 + (count+1)*0xbf58476d1ce4e5b9
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// instance is the machine as the planner sees it.
func (r *run) instance(m *machine) *plan.Instance { return &r.observed.Instances[m.row] }

// takeIn is what production makes of the cloud's word.
func (r *run) takeIn(h happening) {
	m := h.who
	if !m.ended.IsZero() {
		return
	}
	i := r.instance(m)
	switch h.is {
	case booted:
		if i.Phase != plan.Launching {
			return
		}
		i.Phase, m.booted, m.serves = plan.Running, true, true
		r.books.serving++
		if m.stall.running++; m.stall.isSpot() && !m.stall.told {
			r.tellHeld()
		}
	case signalled:
		if !i.RebalanceAt.IsZero() || !i.InterruptAt.IsZero() {
			return
		}
		i.RebalanceAt = r.now
		r.past.Signalled(m.stall.in, r.now)
	case noticed:
		i.InterruptAt = m.fate.End
		if i.InterruptAt.IsZero() {
			i.InterruptAt = r.now.Add(r.World.Notice)
		}
		r.lose(m, i)
	case taken:
		if i.InterruptAt.IsZero() {
			r.lose(m, i) // nobody was told
		}
		r.end(m)
	}
	r.changed = true
}

// lose is the moment at which it becomes known that the cloud takes a machine. One that is on the way out already is no loss to the fleet.
func (r *run) lose(m *machine, i *plan.Instance) {
	r.past.Lost(m.stall.in, r.now)
	if i.Phase == plan.Draining {
		return
	}
	m.forced = true
	r.books.out.Forced++
	r.mark(m)
}

// end takes a machine out of the world.
func (r *run) end(m *machine) {
	r.leaveService(m)
	m.ended = r.now
	m.stall.held--
	if m.booted {
		m.stall.running--
	}
	r.books.leave(m.stall)
	delete(r.living, m.id)
	r.littered = true
}

// tidy takes those that have ended out of the lists. The order stays: by launch, as the planner sorts them.
func (r *run) tidy() {
	if !r.littered {
		return
	}
	kept := 0
	for n, m := range r.machines {
		if !m.ended.IsZero() {
			continue
		}
		if kept < n {
			r.machines[kept], r.observed.Instances[kept] = m, r.observed.Instances[n]
			m.row = kept
		}
		kept++
	}
	clear(r.machines[kept:])
	r.machines, r.observed.Instances, r.littered = r.machines[:kept], r.observed.Instances[:kept], false
}

func (r *run) leaveService(m *machine) {
	if m.serves {
		m.serves = false
		r.books.serving--
	}
}
