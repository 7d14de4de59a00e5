package job

import (
	"sort"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// books add up an outcome.
type books struct {
	lab.Outcome
	w      *world.World
	demand money.Price
	stays  []stay
	jobs   []world.Span
}

// stay is one instance, from its launch to its end.
type stay struct {
	deadline.Where
	world.Span
	works time.Time
}

// ended books an instance.
func (b *books) ended(s stay) {
	b.stays = append(b.stays, s)
	b.Launches++
	b.Cost += b.price(s)
	if s.Kind == deadline.Spot {
		b.SpotHours += s.Until.Sub(s.From).Hours()
	} else {
		b.DemandHours += s.Until.Sub(s.From).Hours()
	}
}

// price is what an instance cost: every second at the price of the moment.
func (b *books) price(s stay) money.Amount {
	if s.Kind != deadline.Spot {
		return b.demand.For(s.Until.Sub(s.From))
	}
	pool := &b.w.Pools[s.Pool]
	n := sort.Search(len(pool.Prices), func(n int) bool { return pool.Prices[n].At.After(s.From) })
	var sum money.Amount
	from := s.From
	for ; n < len(pool.Prices) && pool.Prices[n].At.Before(s.Until); n++ {
		sum += pool.PriceAt(from).For(pool.Prices[n].At.Sub(from))
		from = pool.Prices[n].At
	}
	return sum + pool.PriceAt(from).For(s.Until.Sub(from))
}

// done books a job or a task that is finished.
func (b *books) done(j deadline.Job, at time.Time) {
	b.Jobs++
	if at.After(j.Until) {
		b.Missed++
	}
	b.jobs = append(b.jobs, world.Span{From: j.Began, Until: at})
	b.OnDemand += b.demand.For(j.Work)
	b.TargetHours += j.Work.Hours()
	b.CapacityHours += j.Work.Hours()
}

// samples are how many moments a timeline shows.
const samples = 200

// sample makes the timeline: all jobs and instances there are at a moment, together.
func (b *books) sample() {
	step := b.w.Until.Sub(b.w.From) / samples
	for n := range samples {
		s := lab.Sample{At: b.w.From.Add(time.Duration(n) * step)}
		for _, j := range b.jobs {
			if holds(j, s.At) {
				s.Target++
			}
		}
		for _, i := range b.stays {
			if !holds(i.Span, s.At) {
				continue
			}
			if !i.works.After(s.At) {
				s.Serving++
			}
			if i.Kind == deadline.Spot {
				s.Spot++
				s.Price += b.w.Pools[i.Pool].PriceAt(s.At)
			} else {
				s.Demand++
				s.Price += b.demand
			}
		}
		b.Timeline = append(b.Timeline, s)
	}
}

func holds(s world.Span, t time.Time) bool { return !s.From.After(t) && s.Until.After(t) }
