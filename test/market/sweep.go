package main

import (
	"slices"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/market/model"
)

// sweptRule is the rule that the parameters are swept under: the one that weighs losses and money alike.
const sweptRule = plan.Balanced

// around are the values that are tried beside the one in force.
func around(s setting) (all []setting) {
	for _, times := range []float64{0, 0.25, 0.5, 2, 4} {
		other := s
		other.value *= times
		if times == 0 && (s.name == "Youth" || s.name == "Trust" || s.name == "Memory") {
			continue // the law divides by it
		}
		all = append(all, other)
	}
	return all
}

// runSweep changes one parameter at a time, on training data alone.
func runSweep(b *bench, r *result) error {
	all, err := b.recordings(r)
	if err != nil {
		return err
	}
	for n, m := range all {
		ends := windows(span{m.world.From, m.world.Until})
		all[n].world, all[n].name = until(m.world, ends[len(ends)/2-1]), m.name+", training"
	}
	who := []contender{base(), ours(sweptRule)}
	for _, s := range settings(model.Usual()) {
		for _, other := range around(s) {
			c := ours(sweptRule)
			c.label, c.model = s.name+" = "+other.text(), other.in(model.Usual())
			who = append(who, c)
		}
	}
	found := make([]piece, len(all))
	for n := range found {
		found[n] = make(piece, len(who))
	}
	err = b.each(len(all)*len(who), func(n int) error {
		at, c := n/len(who), n%len(who)
		best, err := hindsight(0).run(b.ctx, all[at].world, 1)
		if err != nil {
			return err
		}
		out, err := who[c].run(b.ctx, all[at].world, 1)
		found[at][c] = tallyOf(out, cheapestList(all[at].world))
		found[at][c].best = best.Cost.Dollars()
		return err
	})
	if err != nil {
		return err
	}
	arenas := make([]arena, len(all))
	for n := range all {
		arenas[n].name = all[n].name
		arenas[n].parts[0] = []piece{found[n]}
	}
	r.note("Training data alone, rule %s; one parameter is changed at a time, the others stay as they are in force. Means of %d worlds; intervals by drawing worlds with replacement: they overlap wherever the worlds differ more than the settings do.", sweptRule, len(all))
	c := compare(arenas, 0, 0, true)
	t := table{Columns: []string{"setting", "of on demand", "÷ hindsight", "dearer than in force", "interruptions in 1,000 h", "fewer than in force"}}
	against := compare(arenas, 0, 1, true)
	for n, one := range who {
		v, w := c.values[n], against.values[n]
		label := one.label
		if n == 1 {
			label = "as in force"
		}
		row := []cell{words("%s", label), percent(v[ofOnDemand], 2), number(v[overBest], 1, 4, ""), percent(w[dearer], 2), number(v[rate], 1, 1, ""), percent(w[fewer], 1)}
		if n == 1 {
			row[3], row[5] = words("–"), words("–")
		}
		t.Rows = append(t.Rows, row)
	}
	t.Rows = slices.Concat(t.Rows[1:], t.Rows[:1])
	r.Tables = append(r.Tables, t)
	return nil
}
