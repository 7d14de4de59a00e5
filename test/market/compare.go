package main

import (
	"fmt"
	"math"
	"slices"
)

// arena is one market in which all contenders ran, piece by piece: stretches of time of a recording, or seeds.
type arena struct {
	name  string
	parts [2][]piece // for training, and later
}

// piece is what each contender made of the same.
type piece []tally

// parts are what the two are called.
func parts() [2]string { return [2]string{"training", "later"} }

// The figures of a comparison. Costs count missing hours as bought on demand, except in the share of on demand, which is the bill.
const (
	ofOnDemand = iota
	overBest   // × hindsight
	dearer     // than base, as a share
	shortShare
	rate     // interruptions in 1,000 instance-hours
	fewer    // than base, as a share
	onDemand // share of the hours
	figureCount
)

// comparison are all figures of a part, by contender.
type comparison struct {
	part   int
	values [][]estimate
	sums   piece // over all arenas
	pieces int
}

// compare works out the figures as means over arenas. drawGroups says that arenas were picked out of many.
func compare(arenas []arena, part int, baseAt int, drawGroups bool) comparison {
	contenders := len(arenas[0].parts[part][0])
	c := comparison{part: part, sums: make(piece, contenders)}
	var sizes []int
	for _, a := range arenas {
		sizes = append(sizes, len(a.parts[part]))
		for _, p := range a.parts[part] {
			c.pieces++
			for n, t := range p {
				c.sums[n] = c.sums[n].plus(t, 1)
			}
		}
	}
	flat := bootstrap(sizes, drawGroups, func(picks []pick) []float64 {
		sums := make([]piece, len(picks))
		for i, p := range picks {
			sums[i] = make(piece, contenders)
			for _, at := range p.pieces {
				for n, t := range arenas[p.of].parts[part][at] {
					sums[i][n] = sums[i][n].plus(t, 1)
				}
			}
		}
		return figures(sums, baseAt)
	})
	c.values = slices.Collect(slices.Chunk(flat, figureCount))
	return c
}

// figures of sums by arena and contender, one contender after the other.
func figures(sums []piece, baseAt int) []float64 {
	contenders := len(sums[0])
	all := make([]float64, contenders*figureCount)
	for _, of := range sums {
		for n, t := range of {
			f := all[n*figureCount:]
			f[ofOnDemand] += t.cost / t.onDemand
			f[overBest] += t.fair / t.best
			f[dearer] += t.fair/of[baseAt].fair - 1
			if t.target > 0 {
				f[shortShare] += t.short / t.target
			}
			f[rate] += t.rate()
			f[onDemand] += t.demand / (t.spot + t.demand)
		}
	}
	for n := range all {
		all[n] /= float64(len(sums))
	}
	for n := range contenders {
		all[n*figureCount+fewer] = math.NaN()
		if other := all[baseAt*figureCount+rate]; other > 0 {
			all[n*figureCount+fewer] = 1 - all[n*figureCount+rate]/other
		}
	}
	return all
}

// row shows a contender.
func (c comparison) row(n int, who contender, baseAt int) []cell {
	v, sum := c.values[n], c.sums[n]
	row := []cell{
		words("%s", who.label), words("%s", parts()[c.part]), percent(v[ofOnDemand], 1), number(v[overBest], 1, 3, ""), percent(v[dearer], 1), percent(v[shortShare], 3), number(v[rate], 1, 2, ""),
		words("%.0f + %.0f", sum.forced, sum.voluntary), v[fewer].times(), percent(v[onDemand], 1),
	}
	if n == baseAt {
		row[4], row[8] = words("–"), words("–")
	}
	return row
}

// times shows how many times as many there are, given what share there are fewer.
func (e estimate) times() cell {
	return number(estimate{1 - e.Mean, 1 - e.High, 1 - e.Low}, 1, 2, " ×")
}

// versus is the table of all contenders, in both parts.
func versus(title string, arenas []arena, who []contender, drawGroups bool) (table, [2]comparison) {
	baseAt := slices.IndexFunc(who, func(c contender) bool { return c.label == base().label })
	t := table{Title: title, Columns: []string{
		"policy", "data", "of on demand", "÷ hindsight", "dearer than " + base().label, "hours short", "interruptions in 1,000 h", "forced + voluntary", "interruptions against " + base().label, "hours on demand",
	}}
	both := [2]comparison{compare(arenas, 0, baseAt, drawGroups), compare(arenas, 1, baseAt, drawGroups)}
	for n, c := range who {
		for _, part := range both {
			if c.minutes > 0 {
				settle(part.values[n])
			}
			t.Rows = append(t.Rows, part.row(n, c, baseAt))
		}
	}
	return t, both
}

// settle takes the intervals away. Hindsight that minds interruptions weighs a whole recording at once, so that its windows tell nothing of their own.
func settle(values []estimate) {
	for n, v := range values {
		values[n] = exactly(v.Mean)
	}
}

// near are the lines about a fleet that need no other policy, for one contender.
func (c comparison) near(where string, n int, who contender) []line {
	v, name := c.values[n], where+", "+who.label+": "
	return []line{
		atMost(name+"cost against hindsight", number(v[overBest], 1, 3, " ×"), 1.10, 1, 3, " ×"),
		atMost(name+"hours short", percent(v[shortShare], 4), 0.001, 100, 4, " %"),
	}
}

// better are the lines about a fleet beside base. Where base was never interrupted, nobody can be calmer, and that line is left out.
func (c comparison) better(where string, n int, who contender) []line {
	v, name := c.values[n], where+", "+who.label+": "
	lines := []line{atMost(name+"dearer than "+base().label, percent(v[dearer], 2), 0, 100, 2, " %")}
	if math.IsNaN(v[fewer].Mean) {
		return lines
	}
	return append(lines, line{
		Text: name + "at least 30 % fewer interruptions at most 2 % dearer", Bound: "≥ 30 %, ≤ +2 %", Measured: percent(v[fewer], 0).Text + " fewer, " + percent(v[dearer], 1).Text + " dearer",
		By: fmt.Sprintf("%+.0f %% and %+.1f %%", 100*(v[fewer].Mean-0.30), 100*(v[dearer].Mean-0.02)), Holds: v[fewer].Mean >= 0.30 && v[dearer].Mean <= 0.02,
	})
}
