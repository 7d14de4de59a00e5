package main

import (
	"fmt"
	"slices"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab/world"
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

// swept are the contenders of a sweep: base, the parameters in force, and every change of one of them.
func swept() []contender {
	who := []contender{base(), ours(sweptRule)}
	for _, s := range settings(model.Usual()) {
		for _, other := range around(s) {
			c := ours(sweptRule)
			c.label, c.model = s.name+" = "+other.text(), other.in(model.Usual())
			who = append(who, c)
		}
	}
	return who
}

// runSweep changes one parameter at a time, on training data alone.
func runSweep(b *bench, r *result) error {
	all, err := b.recordings(r)
	if err != nil {
		return err
	}
	var recorded [][]*world.World
	for _, m := range all {
		ends := windows(span{m.world.From, m.world.Until})
		recorded = append(recorded, []*world.World{until(m.world, ends[len(ends)/2-1])})
	}
	p, err := b.data.pricesOf(filePrices2021)
	if err != nil {
		return err
	}
	march, seeds := months()[0], quickly(b, 3, 1)
	if b.quick {
		march = march.first(10)
	}
	var priced [][]*world.World
	for _, one := range mixed(baskets())[:quickly(b, 5, 2)] {
		var of []*world.World
		for seed := range seeds {
			w, err := one.drawn(p, march, uint64(seed+1), false)
			if err != nil {
				return err
			}
			of = append(of, w)
		}
		priced = append(priced, of)
	}
	r.note("Recorded prices: %s, %s, losses drawn with %s.", source(p.Name, p.Digest), march, seedText(seeds))
	r.note("Training data alone, rule %s; one parameter is changed at a time, the others stay as they are in force. Intervals by drawing worlds with replacement: those of costs overlap wherever worlds differ more than settings do, those of differences don't.", sweptRule)
	for _, part := range []struct {
		title  string
		worlds [][]*world.World
	}{{"Recorded availability", recorded}, {"Recorded prices, losses drawn", priced}} {
		t, err := b.sweep(part.title, part.worlds)
		if err != nil {
			return err
		}
		r.Tables = append(r.Tables, t)
	}
	return nil
}

// sweep runs all settings in all worlds, which come in groups of the same market drawn anew.
func (b *bench) sweep(title string, groups [][]*world.World) (t table, err error) {
	who := swept()
	arenas := make([]arena, len(groups))
	type place struct{ group, piece, contender int }
	var places []place
	for n, of := range groups {
		arenas[n].parts[0] = make([]piece, len(of))
		for i := range of {
			arenas[n].parts[0][i] = make(piece, len(who))
			for c := range who {
				places = append(places, place{n, i, c})
			}
		}
	}
	err = b.each(len(places), func(n int) error {
		at := places[n]
		found, err := b.all(groups[at.group][at.piece], who[at.contender:at.contender+1], uint64(at.piece+1))
		if err == nil {
			arenas[at.group].parts[0][at.piece][at.contender] = found[0]
		}
		return err
	})
	if err != nil {
		return t, err
	}
	t = table{Detail: true, Title: fmt.Sprintf("%s, %d markets", title, len(groups)), Columns: []string{"setting", "of on demand", "÷ hindsight", "dearer than in force", "interruptions in 1,000 h", "against those in force"}}
	c := compare(arenas, 0, 1, true)
	for n, one := range who {
		v, label := c.values[n], one.label
		if n == 1 {
			label = "as in force"
		}
		row := []cell{words("%s", label), percent(v[ofOnDemand], 2), number(v[overBest], 1, 4, ""), percent(v[dearer], 2), number(v[rate], 1, 2, ""), v[fewer].times()}
		if n == 1 {
			row[3], row[5] = words("–"), words("–")
		}
		t.Rows = append(t.Rows, row)
	}
	t.Rows = slices.Concat(t.Rows[1:], t.Rows[:1])
	return t, nil
}
