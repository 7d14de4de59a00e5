package main

import (
	"fmt"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/replay"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// churn is what voluntary moves came to.
type churn struct {
	moves, instances, regretted int // regretted: saved less than their stated risk allows
	promised, saved             money.Amount
	worst                       money.Amount // saved + at risk
	others                      int          // moves without a promise
	otherSaved                  money.Amount
}

func (c *churn) add(moves []lab.Move) {
	for _, m := range moves {
		if m.Promised == 0 && m.AtRisk == 0 {
			c.others, c.otherSaved = c.others+m.Count, c.otherSaved+m.Saved
			continue
		}
		if left := m.Saved + m.AtRisk; c.moves == 0 || left < c.worst {
			c.worst = left
		}
		c.moves, c.instances, c.promised, c.saved = c.moves+1, c.instances+m.Count, c.promised+m.Promised, c.saved+m.Saved
		if m.Saved < -m.AtRisk {
			c.regretted++
		}
	}
}

// runChurn adds up what moves promised, and what became of it.
func runChurn(b *bench, r *result) error {
	p, err := b.data.pricesOf(filePrices2021)
	if err != nil {
		return err
	}
	last := months()[1].until
	when := span{last.AddDate(0, 0, -30), last}
	seeds, some := quickly(b, 3, 1), baskets()[:quickly(b, len(baskets()), 3)]
	if b.quick {
		when = when.first(10)
	}
	r.note("Recorded prices: %s, %s, losses drawn with %s; %s in each of the baskets %s. What a move saved is what the old instance would have cost less what the new one did, "+
		"the time for which both were paid included, until the planner's horizon ends or one of them would have.", source(p.Name, p.Digest), when, seedText(seeds), fleet(), basketText(some))
	t := table{Columns: []string{"rule", "moves to save", "instances", "promised", "saved", "worst: saved + at risk", "below −at risk", "other moves (instances)", "saved by these"}}
	for _, rule := range []plan.Rule{plan.Cheapest, plan.CostOriented, plan.Balanced} {
		found := make([][]lab.Move, len(some)*seeds)
		err := b.each(len(found), func(n int) error {
			seed := uint64(n%seeds + 1)
			w, err := some[n/seeds].drawn(p, when, seed, false)
			if err != nil {
				return err
			}
			found[n], err = b.moves(w, rule, seed)
			return err
		})
		if err != nil {
			return err
		}
		var c churn
		for _, moves := range found {
			c.add(moves)
		}
		t.Rows = append(t.Rows, c.row(string(rule)))
		r.Lines = append(r.Lines, none(fmt.Sprintf("churn, neap %s: voluntary moves over 30 days that lost more than their stated risk", rule), c.regretted, fmt.Sprint(c.moves)))
	}
	r.Tables = append(r.Tables, t)
	return nil
}

func (b *bench) moves(w *world.World, rule plan.Rule, seed uint64) ([]lab.Move, error) {
	out, err := replay.Run(b.ctx, replay.Setup{World: w, Workload: fleet(), Policy: lab.PolicyNeap, Rule: rule, Seed: seed})
	return out.Moves, err
}

func (c churn) row(name string) []cell {
	worst := words("–")
	if c.moves > 0 {
		worst = words("%s", c.worst)
	}
	return []cell{
		words("%s", name), words("%d", c.moves), words("%d", c.instances), words("%s", c.promised), words("%s", c.saved), worst, words("%d", c.regretted), words("%d", c.others), words("%s", c.otherSaved),
	}
}
