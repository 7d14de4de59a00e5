package main

import (
	"fmt"
	"strings"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// runPrices compares fleets at recorded prices, with losses that are drawn.
func runPrices(b *bench, r *result) error {
	p, err := b.data.pricesOf(filePrices2021)
	if err != nil {
		return err
	}
	seeds, some := quickly(b, 10, 2), baskets()[:quickly(b, len(baskets()), 2)]
	spans := months()
	if b.quick {
		spans = [2]span{spans[0].first(7), spans[1].first(7)}
	}
	r.note("Recorded prices: %s. Losses and shortages are drawn by the simulated cloud's rules, anew with each seed: %s. Training: %s. Later: %s.", source(p.Name, p.Digest), seedText(seeds), spans[0], spans[1])
	r.note("Baskets: %s. Intervals: 95 %%, by drawing baskets and, in each, seeds with replacement, %d times. %s sees how deep each pool is. Hindsight is a bound here: pools that are drawn count as always open.",
		basketText(some), resamples, base().label)
	who := field()
	arenas, err := b.drawnArenas(p, some, spans, seeds, who)
	if err != nil {
		return err
	}
	whole, both := versus(fmt.Sprintf("%s in each of %d baskets, %d seeds", fleet(), len(some), seeds), arenas, who, true)
	r.Tables = append(r.Tables, whole)
	for n, a := range arenas {
		r.Tables = append(r.Tables, brief(a, arenas[n:n+1], who))
	}
	r.note("In all, the fleets of one policy stood for %.0f instance-hours in each part.", both[1].sums[0].target)
	r.Lines = append(r.Lines, linesOf(who, func(n int, one contender) []line {
		return append(both[1].near("drawn losses, later data", n, one), both[1].better("drawn losses, later data", n, one)...)
	})...)
	return nil
}

// brief is the table of one arena on later data alone.
func brief(a arena, arenas []arena, who []contender) table {
	t, _ := versus(a.name, arenas, who, false)
	var rows [][]cell
	for n := 1; n < len(t.Rows); n += 2 {
		rows = append(rows, t.Rows[n])
	}
	t.Rows, t.Title, t.Detail = rows, t.Title+", later data", true
	return t
}

func seedText(count int) string { return fmt.Sprintf("seeds 1 to %d", count) }

func basketText(all []basket) string {
	var names []string
	for _, one := range all {
		names = append(names, strings.Join(one, " "))
	}
	return strings.Join(names, "; ")
}

// drawnArenas lets all contenders run in every basket with every seed, in both parts.
func (b *bench) drawnArenas(p trace.Prices, some []basket, spans [2]span, seeds int, who []contender) ([]arena, error) {
	arenas := make([]arena, len(some))
	for n, one := range some {
		arenas[n].name = strings.Join(one, " ")
		for part := range arenas[n].parts {
			arenas[n].parts[part] = make([]piece, seeds)
		}
	}
	err := b.each(len(some)*2*seeds, func(n int) error {
		at, part, seed := n/(2*seeds), n/seeds%2, n%seeds
		w, err := some[at].drawn(p, spans[part], uint64(seed+1), false)
		if err != nil {
			return err
		}
		arenas[at].parts[part][seed], err = b.all(w, who, uint64(seed+1))
		return err
	})
	return arenas, err
}

// all lets contenders run in one world.
func (b *bench) all(w *world.World, who []contender, seed uint64) (piece, error) {
	best, err := hindsight(0).run(b.ctx, w, seed)
	if err != nil {
		return nil, err
	}
	p := make(piece, len(who))
	for n, c := range who {
		o, err := c.run(b.ctx, w, seed)
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", c.label, w.Name, err)
		}
		p[n] = tallyOf(o, cheapestList(w))
		p[n].best = best.Cost.Dollars()
	}
	return p, nil
}

// runShipped compares fleets in the recording that comes with the program.
func runShipped(b *bench, r *result) error {
	p, _, err := world.Shipped()
	if err != nil {
		return err
	}
	return b.unseen(r, p, shippedBaskets(p), "made by the simulated cloud, losses drawn anew")
}

// runUnseen compares fleets in a recording that no parameter was set on.
func runUnseen(b *bench, r *result) error {
	p, err := b.data.pricesOf(filePrices2015)
	if err != nil {
		return err
	}
	some := []basket{{"c3.xlarge", "r3.large", "m3.medium"}, {"c3.xlarge", "r3.large", "d2.8xlarge"}}
	return b.unseen(r, p, some, "of the time when the highest bid won and prices rose to many times the list price, losses drawn")
}

// unseen compares fleets in both halves of a recording.
func (b *bench) unseen(r *result, p trace.Prices, some []basket, what string) error {
	who := []contender{}
	for _, rule := range rules() {
		who = append(who, ours(rule))
	}
	who = append(who, base(), yardstick(lab.PolicyLowestPrice), yardstick(lab.PolicyOnDemand), hindsight(0))
	seeds := quickly(b, 10, 2)
	from, end := p.Span()
	whole := span{from.AddDate(0, 0, 1), end}.last(quickly(b, 90, 8))
	arenas, err := b.drawnArenas(p, some, whole.halves(), seeds, who)
	if err != nil {
		return err
	}
	r.note("Recording: %s, %s, %s; %s, %s. No parameter was set on either half. Intervals: 95 %%, by drawing seeds with replacement, %d times.", source(p.Name, p.Digest), what, whole, fleet(), seedText(seeds), resamples)
	t, both := versus(basketText(some), arenas, who, false)
	r.Tables = append(r.Tables, t)
	r.Lines = append(r.Lines, linesOf(who, func(n int, one contender) []line { return both[1].near(p.Name, n, one) })...)
	return nil
}

// shippedBaskets is one basket of all types of a recording.
func shippedBaskets(p trace.Prices) []basket {
	var one basket
	seen := map[string]bool{}
	for _, s := range p.Series {
		if !seen[s.Type] {
			seen[s.Type] = true
			one = append(one, s.Type)
		}
	}
	return []basket{one}
}
