package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// large is a fleet that may buy in 1,000 pools: 100 types in 5 zones, spot and on demand.
func large() (Intent, Market) {
	in := intentOf(100)
	in.Choice.SpotTypes, in.Choice.OnDemandTypes, in.Choice.Zones = nil, nil, nil
	for n := range 100 {
		in.Choice.SpotTypes = append(in.Choice.SpotTypes, fmt.Sprintf("t%02d.large", n))
	}
	in.Choice.OnDemandTypes = in.Choice.SpotTypes
	for n := range 5 {
		in.Choice.Zones = append(in.Choice.Zones, fmt.Sprintf("us-east-1%c", 'a'+n))
	}
	m := marketOf(in)
	for n := range m.Pools {
		m.Pools[n].Price += money.Price(n * 7919 % 9973)
		m.Pools[n].Risk = float64(n%5) * 0.05
	}
	return in, m
}

// BenchmarkPlan stands for 100 instances × 1,000 pools, limit 1 ms; the yardstick sorts as many pools once.
func BenchmarkPlan(b *testing.B) {
	in, m := large()
	if len(m.Pools) != 1000 {
		b.Fatalf("%d pools", len(m.Pools))
	}
	var full []Instance
	for n := range 100 {
		full = append(full, running(fmt.Sprintf("i-%03d", n), in.Choice.SpotTypes[n], in.Choice.Zones[n%5], Spot))
	}
	storm := slices.Clone(full)
	for n := range 50 {
		storm[n].InterruptAt = noon.Add(2 * time.Minute)
	}
	smaller := in
	smaller.Capacity.Target = 50
	cheapest := in
	cheapest.Choice.Rule = Cheapest
	for _, c := range []struct {
		name     string
		intent   Intent
		observed Observed
		actions  bool
	}{
		{"at rest", in, Observed{Instances: full}, false},
		{"launch 100", in, Observed{}, true},
		{"storm: 50 interrupted", in, Observed{Instances: storm}, true},
		{"scale in by 50", smaller, Observed{Instances: full}, true},
		{"look for cheaper markets", cheapest, Observed{Instances: full}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if d := Plan(c.intent, c.observed, m, noon); (len(d.Actions) > 0) != c.actions {
					b.Fatal(d.Summary)
				}
			}
		})
	}
	b.Run("yardstick: sort 1000 pools by price", func(b *testing.B) {
		pools := make([]Pool, len(m.Pools))
		for b.Loop() {
			copy(pools, m.Pools)
			slices.SortFunc(pools, func(a, b Pool) int { return int(a.Price - b.Price) })
		}
	})
}
