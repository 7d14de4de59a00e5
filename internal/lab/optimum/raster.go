package optimum

import (
	"slices"

	"github.com/neap-cloud/neap/internal/money"
)

const (
	finest  = 60         // seconds of a slot, or less where a restart is short
	largest = 8_000_000  // slots × work that are kept
	slowest = 80_000_000 // of these × markets that are looked at
)

// raster is a job with checkpoints on a grid of slots that begin with the job. What it finds is never more than the least cost of the job itself:
//
// Take any schedule, and of each of its instances only the slots that lie within its life entirely. They are disjoint, their market gives them, and they cost no more.
// Less than two slots of each life are lost, so if every restart is two slots shorter, each instance does as much work as before, and as much as the job needs, rounded
// up to whole slots, because that is all it comes in. So every schedule has one on the grid that costs no more.
type raster struct {
	markets []market
	from    int64
	grid    int64 // seconds of a slot
	slots   int   // until the deadline
	work    int   // slots of work
	pause   int   // slots of a restart
}

// gridOf is how long a slot should be: short, but not so that the search takes seconds, and no longer than half a restart. 0 when there is no such length.
func gridOf(length, work, restart int64, markets int) int64 {
	for grid := min(finest, restart/2); grid > 0 && grid <= restart/2; grid++ {
		if cells := (length / grid) * (work/grid + 1); cells <= largest && cells*int64(markets) <= slowest {
			return grid
		}
	}
	return 0
}

// lane is one market on the grid.
type lane struct {
	spent []money.Amount // until the beginning of each slot
	run   []int          // slots that an instance can have lived at the end of each slot; 0 where the market is not up all the slot
	best  []money.Amount // by work done: of the cheapest schedule that has an instance here now
	since []int32        // the slot in which that instance was launched
	holds bool           // there is such a schedule
}

// mark says how the cheapest schedule without an instance came to a slot with so much work done: by the end of an instance, or by having waited.
type mark struct{ lane, since int32 }

const (
	waited = -1
	dear   = money.Amount(1) << 60 // more than anything costs
)

// least goes through the slots. At each it knows, by work done, the cheapest schedule with an instance in each market, and the cheapest that has none.
func (r *raster) least() (money.Amount, []run) {
	lanes := make([]lane, len(r.markets))
	for n := range lanes {
		lanes[n] = r.lane(&r.markets[n])
	}
	// Those without an instance are kept for as long as a restart takes: an instance comes from one of them, and works when its restart is over.
	idle := make([][]money.Amount, r.pause+1)
	for n := range idle {
		idle[n] = slices.Repeat([]money.Amount{dear}, r.work+1)
	}
	idle[0][0] = 0
	marks := make([][]mark, r.slots+1)
	for slot := range r.slots + 1 {
		low, high := r.reach(slot)
		now := idle[slot%len(idle)]
		if slot > 0 {
			copy(now[low:high+1], idle[(slot-1)%len(idle)][low:high+1])
		}
		marks[slot] = slices.Repeat([]mark{{lane: waited}}, high-low+1)
		for n := range lanes {
			if l := &lanes[n]; l.holds {
				l.work(slot, low, high)
				l.leave(int32(n), now[low:high+1], marks[slot], low)
			}
		}
		for n := range lanes {
			lanes[n].enter(slot, r.pause, low, high, idle[(slot+1)%len(idle)])
		}
	}
	return idle[r.slots%len(idle)][r.work], r.trace(marks)
}

// reach is how much work can have been done by a slot, and how much must have been, lest the deadline be missed.
func (r *raster) reach(slot int) (low, high int) {
	return max(0, r.work-(r.slots-slot)), min(slot, r.work)
}

func (r *raster) lane(m *market) lane {
	l := lane{
		spent: make([]money.Amount, r.slots+1), run: make([]int, r.slots+1),
		best: slices.Repeat([]money.Amount{dear}, r.work+1), since: make([]int32, r.work+1),
	}
	u := 0
	for slot := range r.slots {
		begins := r.from + int64(slot)*r.grid
		l.spent[slot] = m.spent(begins)
		was := u
		for u < len(m.ups) && m.ups[u].end <= begins {
			u++
		}
		if u < len(m.ups) && m.ups[u].from <= begins && begins+r.grid <= m.ups[u].end {
			l.run[slot] = 1
			if slot > 0 && u == was {
				l.run[slot] += l.run[slot-1]
			}
		}
	}
	l.spent[r.slots] = m.spent(r.from + int64(r.slots)*r.grid)
	return l
}

// work lets every instance have worked for the slot that ends.
func (l *lane) work(slot, low, high int) {
	cost := l.spent[slot] - l.spent[slot-1]
	for done := high; done >= max(1, low); done-- {
		l.best[done], l.since[done] = l.best[done-1]+cost, l.since[done-1]
	}
	if low == 0 {
		l.best[0] = dear
	}
}

// leave ends instances where that is cheaper than what was known.
func (l *lane) leave(n int32, now []money.Amount, marks []mark, low int) {
	for i := range now {
		if cost := l.best[low+i]; cost < now[i] {
			now[i], marks[i] = cost, mark{n, l.since[low+i]}
		}
	}
}

// enter is for instances whose restart ends with this slot: they are kept where they are cheaper than those that were here, unless the market ends with the slot.
func (l *lane) enter(slot, pause, low, high int, before []money.Amount) {
	if l.run[slot] <= 1 && l.holds {
		l.holds = false
		for n := range l.best {
			l.best[n] = dear
		}
	}
	if l.run[slot] <= pause {
		return
	}
	cost := l.spent[slot] - l.spent[slot-pause]
	for done := low; done <= high; done++ {
		if so := before[done] + cost; so < l.best[done] {
			l.best[done], l.since[done], l.holds = so, int32(slot-pause), true
		}
	}
}

// trace is the schedule that the marks lead to.
func (r *raster) trace(marks [][]mark) (runs []run) {
	for slot, done := r.slots, r.work; slot > 0; {
		low, _ := r.reach(slot)
		m := marks[slot][done-low]
		if m.lane == waited {
			slot--
			continue
		}
		since := int(m.since)
		runs = append(runs, run{int(m.lane), r.from + int64(since)*r.grid, r.from + int64(slot)*r.grid})
		slot, done = since, done-(slot-since-r.pause)
	}
	slices.Reverse(runs)
	return runs
}
