package optimum

import (
	"math"
	"slices"

	"github.com/neap-cloud/neap/internal/money"
)

// score is what a schedule comes to so far. Less is better: first the cost, then the interruptions.
type score struct {
	cost   money.Amount // the bill, and the price of every interruption
	forced int32        // interruptions
	wished int32
}

// hopeless is worse than any schedule.
func hopeless() score { return score{cost: math.MaxInt64 / 4} }

func (s score) before(t score) bool {
	return s.cost < t.cost || s.cost == t.cost && s.forced+s.wished < t.forced+t.wished
}

func (s score) plus(cost money.Amount) score {
	s.cost += cost
	return s
}

// times adds so many of t.
func (s score) times(n int, t score) score {
	return score{s.cost + money.Amount(n)*t.cost, s.forced + int32(n)*t.forced, s.wished + int32(n)*t.wished}
}

// fresh and none stand for the place of a node that has none, and for that of the instance before the first.
const (
	fresh = -2
	none  = -1
)

// node is one instance of a schedule: the market, the second from which it serves, and the place of the instance before it.
type node struct {
	market, before int32
	serves         int64
	lost           bool // the one before was taken
}

// The kinds of event, in the order in which they are dealt with at one second.
const (
	fall  = iota // of the target: before anything is lost
	leave        // a market's price changes, or it takes its instances back: a reason to leave it
	enter        // a price changed, or a market opened, one boot ago: a reason to have launched there
	rise         // of the target
)

type event struct {
	at   int64
	of   int32 // a market, or the place of the change of the target
	kind int8
}

// sweep passes once over the seconds at which something changes, and keeps for every market the best schedule that has one instance serving there now. An instance
// that is to serve at a second is launched one boot before, so that entering a market costs that boot on top of what the schedule has come to.
//
// No other second needs a look. Let a schedule pass from market p to q at second t. A little later it pays p's price for longer and q's for as much less, as it was one
// boot before. So the cost is linear in t between the changes of p's price and those of q's moved by a boot, and moving t towards the cheaper side ends at such a
// change, at the loss of p, one boot after q opened, or where one of the two instances serves no time and can be left out.
type sweep struct {
	markets []market
	boot    int64
	price   money.Amount // of one interruption

	best  []score // in each market, less what that market has cost since second 0
	now   []meter // what it has cost until now …
	ago   []meter // … and until one boot ago
	ups   []int   // where it is open, was closed last, or will be next, one boot ago
	end   []int64 // when the instance of the best schedule is taken
	last  []node  // its instance there
	place []int32 // of that among the nodes; fresh while nothing has followed it
	nodes []node  // instances that others follow
	left  []int32 // markets that there is a reason to leave now
}

// meter is the cost of holding an instance since second 0, as time goes by.
type meter struct {
	place       int // of the price
	since       int64
	spent, rate money.Amount
}

func (m *meter) at(second int64) money.Amount { return m.spent + m.rate*money.Amount(second-m.since) }

// pass takes up the price that holds at a second.
func (m *meter) pass(prices []step, second int64) {
	for m.place+1 < len(prices) && prices[m.place+1].at <= second {
		m.place++
	}
	s := prices[m.place]
	m.since, m.spent, m.rate = s.at, s.spent, money.Amount(s.price)
}

func newSweep(all []market, boot int64, price money.Amount) *sweep {
	n := len(all)
	s := &sweep{
		markets: all, boot: boot, price: price,
		best: make([]score, n), now: make([]meter, n), ago: make([]meter, n), ups: make([]int, n), end: make([]int64, n),
		last: make([]node, n), place: make([]int32, n),
	}
	for n := range all {
		s.best[n] = hopeless()
		s.now[n].pass(all[n].prices, boot)
		s.ago[n].pass(all[n].prices, 0)
	}
	return s
}

// events are those between the first second at which somebody can serve and the last of the world.
func events(all []market, changes []change, boot, last int64) (list []event) {
	add := func(at int64, of int, kind int8) {
		if at > boot && at < last {
			list = append(list, event{at, int32(of), kind})
		}
	}
	for n := range all {
		for _, p := range all[n].prices {
			add(p.at, n, leave)
			add(p.at+boot, n, enter)
		}
		for _, u := range all[n].ups {
			add(u.end, n, leave)
			add(u.from+boot, n, enter)
		}
	}
	for n, c := range changes {
		if c.by > 0 {
			add(c.at, n, rise)
		} else {
			add(c.at, n, fall)
		}
	}
	slices.SortFunc(list, func(a, b event) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		if a.kind != b.kind {
			return int(a.kind - b.kind)
		}
		return int(a.of - b.of)
	})
	return list
}

// isOpen says that an instance of that market can begin to serve at a second.
func (s *sweep) isOpen(n int, at int64) bool {
	m := &s.markets[n]
	for s.ups[n] < len(m.ups) && m.ups[s.ups[n]].until <= at-s.boot {
		s.ups[n]++
	}
	return s.ups[n] < len(m.ups) && m.ups[s.ups[n]].from <= at-s.boot && m.ups[s.ups[n]].end > at
}

// serving is the best schedule in a market, in full.
func (s *sweep) serving(n int, at int64) score { return s.best[n].plus(s.now[n].at(at)) }

// overlap is what the boot cost of an instance that begins to serve now.
func (s *sweep) overlap(n int, at int64) money.Amount {
	return s.now[n].at(at) - s.ago[n].at(at-s.boot)
}

// cheapest is the best schedule now, and its market.
func (s *sweep) cheapest(at int64) (least score, market int) {
	least = hopeless()
	for n := range s.markets {
		if c := s.serving(n, at); c.before(least) {
			least, market = c, n
		}
	}
	return least, market
}

// take lets a schedule go on in a market if that is better than what was known. The cost of the boot, less what the market has cost since second 0, is what the
// market had cost one boot ago, with a minus.
func (s *sweep) take(n int, so score, at int64, before int32, lost bool) {
	so.cost -= s.ago[n].at(at - s.boot)
	if !so.before(s.best[n]) || !s.isOpen(n, at) {
		return
	}
	s.best[n], s.end[n] = so, s.markets[n].ups[s.ups[n]].end
	s.last[n], s.place[n] = node{int32(n), before, at, lost}, fresh
}

// begin starts schedules in every market that is open.
func (s *sweep) begin(so score, at int64) {
	for n := range s.markets {
		s.take(n, so, at, none, false)
	}
}

// parting is the best schedule in a market, as it leaves that market and pays for the interruption.
type parting struct {
	so   score
	node int32
	lost bool
}

func (s *sweep) part(from int, at int64) parting {
	if s.place[from] == fresh {
		s.place[from] = int32(len(s.nodes))
		s.nodes = append(s.nodes, s.last[from])
	}
	p := parting{s.serving(from, at).plus(s.price), s.place[from], s.end[from] == at}
	if p.lost {
		p.so.forced++
	} else {
		p.so.wished++
	}
	return p
}

// pass deals with what happens to the markets in one second.
func (s *sweep) pass(list []event) {
	at := list[0].at
	s.left = s.left[:0]
	for _, e := range list {
		switch n := e.of; e.kind {
		case leave:
			s.now[n].pass(s.markets[n].prices, at)
			if s.best[n].before(hopeless()) {
				s.left = append(s.left, n)
			}
		case enter:
			s.ago[n].pass(s.markets[n].prices, at-s.boot)
		}
	}
	var fromBest parting
	if slices.ContainsFunc(list, func(e event) bool { return e.kind == enter }) {
		_, best := s.cheapest(at)
		fromBest = s.part(best, at)
	}
	fromLeft, isLeft := s.leaving(at)
	for _, n := range s.left {
		if s.end[n] == at {
			s.best[n] = hopeless()
		}
	}
	if isLeft {
		for n := range s.markets {
			s.take(n, fromLeft.so, at, fromLeft.node, fromLeft.lost)
		}
	}
	for _, e := range list {
		if e.kind == enter {
			s.take(int(e.of), fromBest.so, at, fromBest.node, fromBest.lost)
		}
	}
}

// leaving is the best schedule of those that there is a reason to part with.
func (s *sweep) leaving(at int64) (best parting, found bool) {
	least, from := hopeless(), none
	for _, n := range s.left {
		if c := s.serving(int(n), at); c.before(least) {
			least, from = c, int(n)
		}
	}
	if from == none {
		return parting{}, false
	}
	return s.part(from, at), true
}
