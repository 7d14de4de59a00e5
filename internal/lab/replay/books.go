package replay

import (
	"sort"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/money"
)

const (
	samples   = 1000
	leastPaid = time.Minute // every instance is paid for so long at least
)

// books count as time passes.
type books struct {
	out       lab.Outcome
	list      money.Price // on demand, of the cheapest type
	target    int         // that the workload wants
	since     time.Time   // when it began to
	countFrom time.Time   // nobody could have served before
	serving   int
	spot      int // instances that are paid for …
	demand    int
	sampleAt  time.Time
	sampled   time.Duration // between samples
}

func newBooks(s *Setup, list money.Price) books {
	every := max(time.Second, s.Until.Sub(s.From)/samples)
	return books{
		out: lab.Outcome{Policy: s.Policy}, list: list, since: s.From, countFrom: s.From.Add(s.World.Boot), sampleAt: s.From.Add(every), sampled: every,
	}
}

// want closes the account of a target, and opens that of the next.
func (b *books) want(target int, now time.Time) {
	if now.After(b.since) {
		b.out.OnDemand += b.list.For(now.Sub(b.since)) * money.Amount(b.target)
	}
	b.target, b.since = target, now
}

func (b *books) enter(s *stall) {
	if s.isSpot() {
		b.spot++
	} else {
		b.demand++
	}
}

func (b *books) leave(s *stall) {
	if s.isSpot() {
		b.spot--
	} else {
		b.demand--
	}
}

// passTo lets time go by, in which nothing changes.
func (r *run) passTo(at time.Time) {
	if !at.After(r.now) {
		return
	}
	r.tidy()
	r.watchStorms()
	b := &r.books
	for ; !b.sampleAt.After(at); b.sampleAt = b.sampleAt.Add(b.sampled) {
		b.out.Timeline = append(b.out.Timeline, lab.Sample{
			At: b.sampleAt, Target: b.target, Serving: b.serving, Spot: b.spot, Demand: b.demand, Price: r.priceAt(b.sampleAt),
		})
	}
	from := r.now
	if from.Before(b.countFrom) {
		from = b.countFrom
	}
	if hours := at.Sub(from).Hours(); hours > 0 {
		serving := min(b.serving, b.target)
		b.out.CapacityHours += float64(serving) * hours
		b.out.TargetHours += float64(b.target) * hours
		b.out.ShortHours += float64(b.target-serving) * hours
	}
	r.now = at
}

// priceAt is what all living instances cost at a moment.
func (r *run) priceAt(t time.Time) (sum money.Price) {
	for _, s := range r.stalls {
		if s.held > 0 {
			sum += s.priceAt(t) * money.Price(s.held)
		}
	}
	return sum
}

// outcome closes the books at the end of the run. Who lives on is paid for until then.
func (r *run) outcome() lab.Outcome {
	r.books.want(0, r.Until)
	out := r.books.out
	for _, m := range r.lives {
		until := r.paidUntil(m)
		out.Cost += m.stall.cost(m.launched, until)
		if hours := until.Sub(m.launched).Hours(); m.stall.isSpot() {
			out.SpotHours += hours
		} else {
			out.DemandHours += hours
		}
	}
	for _, t := range r.moves {
		out.Moves = append(out.Moves, r.settled(t))
	}
	out.Worst = r.storm.all(r.Until)
	return out
}

func (r *run) paidUntil(m *machine) time.Time {
	if m.ended.IsZero() {
		return r.Until
	}
	if least := m.launched.Add(leastPaid); m.ended.Before(least) {
		return least
	}
	return m.ended
}

// cost is that of one instance over a span, by the second, at the prices of the moment.
func (s *stall) cost(from, until time.Time) (sum money.Amount) {
	if !from.Before(until) {
		return 0
	}
	if !s.isSpot() {
		return s.of.OnDemand.For(until.Sub(from))
	}
	// Whole seconds count from the start, so that no change of price loses a part of one.
	prices := s.of.Prices
	paid := time.Duration(0)
	for n := s.holdsAt(from); paid < until.Sub(from); n++ {
		end := until.Sub(from)
		if n+1 < len(prices) && prices[n+1].At.Before(until) {
			end = prices[n+1].At.Sub(from)
		}
		sum += prices[n].Price.For(end.Truncate(time.Second) - paid.Truncate(time.Second))
		paid = end
	}
	return sum
}

// holdsAt is the price that holds at a moment, by its place; the first one holds from the beginning.
func (s *stall) holdsAt(t time.Time) int {
	prices := s.of.Prices
	return max(0, sort.Search(len(prices), func(n int) bool { return prices[n].At.After(t) })-1)
}
