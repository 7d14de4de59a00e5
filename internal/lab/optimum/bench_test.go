package optimum

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// large has so many pools for so many days, whose prices wander in so many changes each, and which are shut at times.
func large(pools, days, changes, spellsOf int) *world.World {
	dice := rand.New(rand.NewPCG(1, 2))
	length := time.Duration(days) * 24 * time.Hour
	w := &world.World{Name: "large", From: monday(), Until: monday().Add(length), Boot: 2 * time.Minute, Recorded: true}
	for n := range pools {
		p := world.Pool{Type: fmt.Sprintf("t%d", n/6), Zone: fmt.Sprint(n % 6), OnDemand: 96_000 + money.Price(n/6)*1000}
		price := float64(p.OnDemand) * (0.3 + 0.2*dice.Float64())
		s := world.Spells{Ends: w.Until}
		for c := range changes {
			p.Prices = append(p.Prices, world.Change{At: w.From.Add(length * time.Duration(c) / time.Duration(changes)).Add(time.Duration(dice.IntN(3600)) * time.Second).Truncate(time.Second), Price: money.Price(price)})
			price *= 0.98 + 0.04*dice.Float64()
		}
		for c := range spellsOf {
			from := w.From.Add(length * time.Duration(c) / time.Duration(spellsOf))
			s.Ups = append(s.Ups, world.Span{From: from, Until: from.Add(length / time.Duration(spellsOf) * time.Duration(5+dice.IntN(5)) / 10)})
		}
		p.Fates = s
		w.Pools = append(w.Pools, p)
	}
	return w
}

func BenchmarkFleet(b *testing.B) {
	for _, c := range []struct {
		name string
		w    *world.World
		load lab.Workload
	}{
		{"steady, 9 pools, 45 days, 3000 changes", large(9, 45, 333, 60), steadyFleet(20)},
		{"diurnal, 9 pools, 45 days, 3000 changes", large(9, 45, 333, 60), lab.Workload{Kind: lab.Diurnal, Least: 10, Most: 40}},
		{"steady, 120 pools, 60 days, 13000 changes", large(120, 60, 109, 60), steadyFleet(20)},
		{"diurnal, 120 pools, 60 days, 13000 changes", large(120, 60, 109, 60), lab.Workload{Kind: lab.Diurnal, Least: 10, Most: 40}},
		{"steady, 1241 pools, 60 days, 135000 changes", large(1241, 60, 109, 1), steadyFleet(20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if r, err := Fleet(c.w, c.load, 0); err != nil || r.Outcome.Cost <= 0 || r.Outcome.Cost >= r.Outcome.OnDemand {
					b.Fatal(r, err)
				}
			}
		})
	}
}

func BenchmarkJob(b *testing.B) {
	for _, pools := range []int{3, 9, 120} {
		w := large(pools, 45, 333, 60)
		load := lab.Workload{Kind: lab.Deadline, Work: 24 * time.Hour, Within: 36 * time.Hour, Restart: 6 * time.Minute, Checkpoint: true}
		b.Run(fmt.Sprintf("24h within 36h, %d pools", pools), func(b *testing.B) {
			for b.Loop() {
				if r, err := Job(w, load, w.From.Add(50*time.Hour)); err != nil || r.Outcome.Cost >= r.Outcome.OnDemand {
					b.Fatal(r, err)
				}
			}
		})
	}
}

func BenchmarkBatch(b *testing.B) {
	w := large(120, 60, 109, 60)
	load := lab.Workload{Kind: lab.Batch, PerHour: 40, Work: 30 * time.Minute, Most: 40, Checkpoint: true}
	for b.Loop() {
		if r, err := Batch(w, load); err != nil || r.Outcome.Cost >= r.Outcome.OnDemand {
			b.Fatal(r, err)
		}
	}
}
