package job

import (
	"fmt"
	"sort"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// market is a world as somebody sees it who looks at it every so often. Read only once made.
type market struct {
	w      *world.World
	demand money.Price // of the cheapest type
	turns  [][]int     // by pool: the looks at which it was first seen open, then shut, then open …
	past   []deadline.History
}

// watch looks at the whole world.
func watch(w *world.World) (*market, error) {
	m := &market{w: w, turns: make([][]int, len(w.Pools))}
	for n := range w.Pools {
		if list := w.Pools[n].OnDemand; list > 0 && (m.demand == 0 || list < m.demand) {
			m.demand = list
		}
	}
	if m.demand == 0 {
		return nil, fmt.Errorf("%s tells no on-demand price: what is saved can't be measured", w.Name)
	}
	var past deadline.History
	open := make([]bool, len(w.Pools))
	for at := w.From; at.Before(w.Until) || at.Equal(w.From); at = at.Add(look) {
		for n := range w.Pools {
			if open[n] {
				past.Open += look
			}
			is := w.Pools[n].Fates.Room(0, at) > 0
			if is == open[n] {
				continue
			}
			if open[n] {
				past.Losses++
			}
			open[n] = is
			m.turns[n] = append(m.turns[n], len(m.past))
		}
		m.past = append(m.past, past)
	}
	return m, nil
}

// at fills in what is known at a moment. Between two looks the pools are asked anew, because something has just been lost.
func (m *market) at(now time.Time, into *deadline.Market) {
	last := min(int(now.Sub(m.w.From)/look), len(m.past)-1)
	seenAt := m.w.From.Add(time.Duration(last) * look)
	into.OnDemand, into.Every, into.History = m.demand, look, m.past[last]
	if into.Pools == nil {
		into.Pools = make([]deadline.Pool, len(m.w.Pools))
	}
	for n := range m.w.Pools {
		p := &m.w.Pools[n]
		turns := m.turns[n]
		turn := sort.SearchInts(turns, last+1)
		d := deadline.Pool{Type: p.Type, Zone: p.Zone, Price: p.PriceAt(now), Open: turn%2 == 1}
		if turn > 0 && turns[turn-1] > 0 {
			d.Since = m.w.From.Add(time.Duration(turns[turn-1]) * look)
		}
		if !seenAt.Equal(now) {
			if is := p.Fates.Room(0, now) > 0; is != d.Open {
				d.Open, d.Since = is, now
			}
		}
		into.Pools[n] = d
	}
}

// next is the moment of the next look.
func (m *market) next(now time.Time) time.Time {
	return m.w.From.Add((now.Sub(m.w.From)/look + 1) * look)
}
