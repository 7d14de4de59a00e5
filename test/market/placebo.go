package main

import (
	"fmt"
	"slices"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// spared is how many losses in 1,000 instance-hours a fleet is spared because it knows the classes: those of the same fleet that is told none, less its own.
type spared struct {
	rule               plan.Rule
	permuted           bool
	told, untold, idle estimate // losses of those who know, who don't, and of those who only look at the price
	byClasses, byRule  estimate
	losses             float64
}

// runPlacebo asks whether what a fleet gains by knowing the classes vanishes once they say nothing.
func runPlacebo(b *bench, r *result) error {
	p, err := b.data.pricesOf(filePrices2021)
	if err != nil {
		return err
	}
	seeds, some := quickly(b, 10, 3), mixed(baskets())[:quickly(b, 5, 2)]
	when := span{months()[0].from, months()[1].until}
	if b.quick {
		when = when.first(14)
	}
	r.note("Recorded prices: %s, %s, losses drawn with %s. Baskets: %s. Only losses count here, not moves.", source(p.Name, p.Digest), when, seedText(seeds), basketText(some))
	r.note("Permuted: every pool shows its class as before, but loses instances as another one's class says. Intervals: 95 %%, by drawing baskets and seeds with replacement, %d times.", resamples)
	t := table{Columns: []string{
		"rule", "classes", "losses in 1,000 h", "… not told the classes", "… cheapest", "spared by the classes", "spared against cheapest", "losses in all",
	}}
	for _, permuted := range []bool{false, true} {
		all, err := b.placebo(p, some, when, seeds, permuted)
		if err != nil {
			return err
		}
		for _, s := range all {
			name := map[bool]string{false: "true", true: "permuted"}[s.permuted]
			t.Rows = append(t.Rows, []cell{
				words("%s", s.rule), words("%s", name), number(s.told, 1, 3, ""), number(s.untold, 1, 3, ""), number(s.idle, 1, 3, ""), number(s.byClasses, 1, 3, ""), number(s.byRule, 1, 3, ""), words("%.0f", s.losses),
			})
			if permuted {
				r.Lines = append(r.Lines, line{
					Text: fmt.Sprintf("placebo, neap %s: with classes permuted, nothing is spared by knowing them", s.rule), Bound: "0 within the interval", Measured: number(s.byClasses, 1, 3, "").Text,
					By: fmt.Sprintf("lower end %+.3f", s.byClasses.Low), Holds: s.byClasses.Low <= 0,
				})
			}
		}
	}
	r.Tables = append(r.Tables, t)
	return nil
}

// mixed puts those baskets first whose types differ most in class, because only there can knowing them help.
func mixed(all []basket) []basket {
	spread := func(one basket) int {
		least, most := 4, 0
		for _, kind := range one {
			class := classOf(kind)
			least, most = min(least, class), max(most, class)
		}
		return most - least
	}
	slices.SortStableFunc(all, func(a, b basket) int { return spread(b) - spread(a) })
	return all
}

// placebo gives the figures of both rules that mind losses.
func (b *bench) placebo(p trace.Prices, some []basket, when span, seeds int, permuted bool) ([]spared, error) {
	ruled := []plan.Rule{plan.Balanced, plan.AvailabilityOriented}
	who := []contender{ours(plan.Cheapest), ours(ruled[0]), ours(ruled[1])}
	pieces := make([][]piece, len(some)) // three who know, two who don't
	for n := range pieces {
		pieces[n] = make([]piece, seeds)
	}
	err := b.each(len(some)*seeds, func(n int) error {
		w, err := some[n/seeds].drawn(p, when, uint64(n%seeds+1), permuted)
		if err != nil {
			return err
		}
		told, err := b.all(w, who, uint64(n%seeds+1))
		if err != nil {
			return err
		}
		untold, err := b.all(unclassed(w), who[1:], uint64(n%seeds+1))
		pieces[n/seeds][n%seeds] = append(told, untold...)
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []spared
	for n, rule := range ruled {
		v := bootstrap(sizesOf(pieces), true, func(picks []pick) []float64 {
			rates := make([]float64, 5)
			for c := range rates {
				rates[c] = mean(picks, func(p pick) float64 {
					var sum tally
					for _, at := range p.pieces {
						sum = sum.plus(pieces[p.of][at][c], 1)
					}
					return 1000 * sum.forced / (sum.spot + sum.demand)
				})
			}
			told, untold, idle := rates[1+n], rates[3+n], rates[0]
			return []float64{told, untold, idle, untold - told, idle - told}
		})
		s := spared{rule: rule, permuted: permuted, told: v[0], untold: v[1], idle: v[2], byClasses: v[3], byRule: v[4]}
		for _, of := range pieces {
			for _, p := range of {
				s.losses += p[1+n].forced
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func sizesOf(pieces [][]piece) (sizes []int) {
	for _, of := range pieces {
		sizes = append(sizes, len(of))
	}
	return sizes
}

// unclassed is the same world, whose pools show no class.
func unclassed(w *world.World) *world.World {
	hidden := *w
	hidden.Pools = slices.Clone(w.Pools)
	for n := range hidden.Pools {
		hidden.Pools[n].Class = -1
	}
	return &hidden
}
