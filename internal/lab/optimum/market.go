package optimum

import (
	"sort"
	"time"

	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// never is later than any world ends.
const never = int64(1) << 40

// market is one pool, or on demand, in seconds.
type market struct {
	pool   int
	prices []step
	ups    []up // by time, disjoint
}

// step is a price from a second on.
type step struct {
	at    int64
	price money.Price
	spent money.Amount // on an instance that is held from second 0 until at
}

// up is a time in which instances can be launched; they live until end, which is never when they are not taken.
type up struct{ from, until, end int64 }

// open is the place of the time in which one can launch at a second, -1 when there is none.
func (m *market) open(at int64) int {
	n := sort.Search(len(m.ups), func(n int) bool { return m.ups[n].until > at })
	if n == len(m.ups) || m.ups[n].from > at {
		return -1
	}
	return n
}

// spent is the cost of an instance that is held from second 0 until at.
func (m *market) spent(at int64) money.Amount {
	n := sort.Search(len(m.prices), func(n int) bool { return m.prices[n].at > at })
	s := m.prices[max(0, n-1)]
	return s.spent + money.Amount(int64(s.price)*(at-s.at))
}

// over is the cost of an instance from one second to another.
func (m *market) over(from, until int64) money.Amount { return m.spent(until) - m.spent(from) }

// markets are those of a world: on demand of the cheapest type first, then the pools in their order. isKnown is false when the depth or the losses of some pool are
// not recorded spells but drawn. Such a pool is taken to be open always and to take nothing back. No policy can do better with the pool as it is, because whatever
// it launches and keeps there can be launched and kept here, at the same prices. Nothing tighter holds for every policy: the pool tells its room at a moment and not
// between moments, and the fate of an instance by its number, which depends on all launches before it.
func markets(w *world.World) (all []market, isKnown bool, err error) {
	price, err := list(w)
	if err != nil {
		return nil, false, err
	}
	last := second(w, w.Until)
	always := []up{{0, last, never}}
	all = append(all, market{pool: OnDemand, prices: []step{{price: price}}, ups: always})
	isKnown = true
	for n := range w.Pools {
		m := market{pool: n, ups: always, prices: steps(w, w.Pools[n].Prices)}
		if spells, ok := w.Pools[n].Fates.(world.Spells); ok {
			m.ups = ups(w, spells)
		} else {
			isKnown = false
		}
		if len(m.prices) > 0 && len(m.ups) > 0 {
			all = append(all, m)
		}
	}
	return all, isKnown, nil
}

// second counts from the beginning of the world.
func second(w *world.World, t time.Time) int64 { return int64(t.Sub(w.From) / time.Second) }

// steps leaves out changes that change nothing, and those outside the world.
func steps(w *world.World, changes []world.Change) (kept []step) {
	last := second(w, w.Until)
	for _, c := range changes {
		at := max(0, second(w, c.At))
		if at >= last && len(kept) > 0 {
			break
		}
		if len(kept) == 0 {
			kept = append(kept, step{price: c.Price})
			continue
		}
		switch before := &kept[len(kept)-1]; {
		case before.price == c.Price:
		case before.at == at:
			before.price = c.Price
		default:
			spent := before.spent + money.Amount(int64(before.price)*(at-before.at))
			kept = append(kept, step{at, c.Price, spent})
		}
	}
	return kept
}

// ups are spells as the rules of world.Spells have them: who is there when the record ends stays.
func ups(w *world.World, spells world.Spells) (all []up) {
	last := second(w, w.Until)
	for _, s := range spells.Ups {
		u := up{max(0, second(w, s.From)), second(w, s.Until), never}
		if s.Until.Before(spells.Ends) {
			u.end = u.until
		}
		if u.until > 0 && u.from < last {
			all = append(all, u)
		}
	}
	return all
}

// within are the price steps in (from, until).
func (m *market) within(from, until int64) []step {
	first := sort.Search(len(m.prices), func(n int) bool { return m.prices[n].at > from })
	after := sort.Search(len(m.prices), func(n int) bool { return m.prices[n].at >= until })
	return m.prices[first:max(first, after)]
}
