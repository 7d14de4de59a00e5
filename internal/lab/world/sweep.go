package world

import (
	"cmp"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Sweep walks through the prices of a world forward in time. It is for one goroutine; a world may have any number.
type Sweep struct {
	prices  []money.Price // by pool
	ahead   []step
	changed []int
}

// step is one change of one pool.
type step struct {
	at    time.Time
	pool  int
	price money.Price
}

// Sweep begins a walk at the beginning of the world.
func (w *World) Sweep() *Sweep {
	s := &Sweep{prices: make([]money.Price, len(w.Pools))}
	for n := range w.Pools {
		for m, c := range w.Pools[n].Prices {
			if m == 0 {
				s.prices[n] = c.Price
				continue
			}
			s.ahead = append(s.ahead, step{c.At, n, c.Price})
		}
	}
	slices.SortFunc(s.ahead, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.pool, b.pool)) })
	return s
}

// To walks on to t and gives the numbers of the pools whose price changed on the way, each as often as it did. The list is valid until the next call. It never
// walks back: an earlier t changes nothing.
func (s *Sweep) To(t time.Time) []int {
	s.changed = s.changed[:0]
	for len(s.ahead) > 0 && !s.ahead[0].at.After(t) {
		next := s.ahead[0]
		s.prices[next.pool] = next.price
		s.changed, s.ahead = append(s.changed, next.pool), s.ahead[1:]
	}
	return s.changed
}

// Price is the price of a pool at the moment that the walk has come to.
func (s *Sweep) Price(pool int) money.Price { return s.prices[pool] }
