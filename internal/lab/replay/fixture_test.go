package replay

import (
	"fmt"
	"math"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// midnight begins every world of these tests.
var midnight = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// chance is a number in [0, 1) that follows from its arguments.
func chance(of ...uint64) float64 {
	mixed := uint64(1)
	for _, n := range of {
		mixed = number(mixed, n)
	}
	return float64(mixed>>11) / (1 << 53)
}

// mortal is a pool of a size in which instances live for a while, as chance has it, in whole seconds. From time to time it is dry.
type mortal struct {
	seed   uint64
	size   int
	life   time.Duration // on average; 0 = for ever
	notice time.Duration
	signal bool // a rebalance signal comes first
}

func (m mortal) isDry(t time.Time) bool { return chance(m.seed, 1, uint64(t.Unix()/7200)) < 0.2 }

func (m mortal) Room(held int, t time.Time) int {
	if m.isDry(t) {
		return 0
	}
	return max(0, m.size-held)
}

func (m mortal) Fate(number uint64, t time.Time) world.Fate {
	if m.life == 0 {
		return world.Fate{}
	}
	lasts := time.Duration(-math.Log1p(-chance(m.seed, 2, number)) * float64(m.life)).Truncate(time.Second)
	f := world.Fate{End: t.Add(lasts), Notice: t.Add(max(0, lasts-m.notice))}
	if m.signal {
		f.Signal = t.Add(max(0, lasts-m.notice-5*time.Minute))
	}
	return f
}

func (m mortal) Depth(t time.Time) int {
	if m.isDry(t) {
		return 0
	}
	return m.size
}

// plain is a world of so many types in so many zones for a span, with prices that move every few hours and without fates.
func plain(types, zones int, span time.Duration) *world.World {
	w := &world.World{Name: "plain", From: midnight, Until: midnight.Add(span), Notice: 2 * time.Minute, Boot: time.Minute}
	for t := range types {
		for z := range zones {
			n := uint64(t*zones + z)
			p := world.Pool{
				Type: fmt.Sprintf("t%02d.large", t), Zone: fmt.Sprintf("us-east-1%c", 'a'+z), Region: "us-east-1", VCPUs: 2 + t%3*2,
				OnDemand: money.Price(96_000 + 1_000*t), Usual: money.Price(35_000 + 500*t), Class: t % 5, Fates: mortal{size: 1 << 20},
			}
			for at := time.Duration(0); at < span; at += time.Duration(1+chance(n, 3, uint64(at))*4*3600) * time.Second {
				p.Prices = append(p.Prices, world.Change{At: midnight.Add(at), Price: p.Usual + money.Price(chance(n, 4, uint64(at))*8_000)})
			}
			w.Pools = append(w.Pools, p)
		}
	}
	return w
}

func steady(n int) lab.Workload { return lab.Workload{Kind: lab.Steady, Least: n, Most: n} }
