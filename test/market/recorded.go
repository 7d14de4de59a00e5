package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
)

// runRecorded compares fleets where what could be had and what was lost was measured.
func runRecorded(b *bench, r *result) error {
	all, err := b.recordings(r)
	if err != nil {
		return err
	}
	who := field()
	arenas, err := b.recordedArenas(all, who)
	if err != nil {
		return err
	}
	r.note("Workload %s, seed 1 (nothing is drawn but the numbers of instances). Figures of all worlds are means of the worlds' own.", fleet())
	whole, both := versus(fmt.Sprintf("All %d worlds", len(arenas)), arenas, who, false)
	r.Tables = append(r.Tables, whole)
	for n, a := range arenas {
		t, _ := versus(a.name, arenas[n:n+1], who, false)
		t.Detail = true
		r.Tables = append(r.Tables, t)
	}
	r.Lines = append(r.Lines, linesOf(who, func(n int, one contender) []line {
		return append(both[1].near("recorded, later data", n, one), both[1].better("recorded, later data", n, one)...)
	})...)
	return nil
}

// linesOf are the lines of the two rules between the extremes.
func linesOf(who []contender, of func(n int, one contender) []line) (lines []line) {
	for n, one := range who {
		if one.policy == lab.PolicyNeap && slices.Contains([]plan.Rule{plan.CostOriented, plan.Balanced}, one.rule) {
			lines = append(lines, of(n, one)...)
		}
	}
	return lines
}

// recordings are the worlds of recorded availability, with a note on what they are.
func (b *bench) recordings(r *result) ([]market, error) {
	a, err := b.data.availabilityOf(fileAvailability)
	if err != nil {
		return nil, err
	}
	all, err := regions(a)
	if err != nil {
		return nil, err
	}
	if b.quick {
		all = all[2:5]
		for n := range all {
			all[n].world = until(all[n].world, span{all[n].world.From, all[n].world.Until}.first(6).until)
		}
	}
	r.note("Recorded availability: %s, every region with at least two zones. Each recording is cut into consecutive windows; the first half of them is the training data, the second half the later data. "+
		"A fleet lives through the whole recording. Intervals: 95 %%, by drawing windows with replacement, %d times.", source(a.Name, a.Digest), resamples)
	return all, nil
}

// windows are the ends of an even number of equal parts: about four days each, but eight at least.
func windows(s span) (ends []time.Time) {
	count := 2 * max(4, int(math.Round(s.days()/8)))
	for n := range count {
		ends = append(ends, s.from.Add(s.until.Sub(s.from)*time.Duration(n+1)/time.Duration(count)))
	}
	return ends
}

// recordedArenas lets all contenders live through the recordings.
func (b *bench) recordedArenas(all []market, who []contender) ([]arena, error) {
	who = slices.Clone(who)
	if !slices.ContainsFunc(who, func(c contender) bool { return c.label == hindsight(0).label }) {
		who = append(who, hindsight(0))
	}
	if err := b.live(all, who); err != nil {
		return nil, err
	}
	var arenas []arena
	for _, m := range all {
		a := arena{name: m.name}
		best := b.past[key(m, hindsight(0))]
		for at := range best {
			p := make(piece, len(who))
			for n, c := range who {
				p[n] = b.past[key(m, c)][at]
				p[n].best = best[at].cost
			}
			part := 2 * at / len(best)
			a.parts[part] = append(a.parts[part], p)
		}
		arenas = append(arenas, a)
	}
	return arenas, nil
}

func key(m market, c contender) string { return m.name + "\n" + c.label }

// live replays what was not yet replayed. What a window cost is the difference between two runs from the beginning, one until its end and one until its beginning:
// the same setup lives through the same until then, so nothing has to be told apart afterwards.
func (b *bench) live(all []market, who []contender) error {
	type run struct {
		market
		contender
		until time.Time
	}
	var runs []run
	for _, m := range all {
		for _, c := range who {
			if b.past[key(m, c)] != nil {
				continue
			}
			for _, end := range windows(span{m.world.From, m.world.Until}) {
				runs = append(runs, run{m, c, end})
			}
		}
	}
	found := make([]tally, len(runs))
	err := b.each(len(runs), func(n int) error {
		at := runs[len(runs)-1-n]
		w := until(at.world, at.until)
		o, err := at.run(b.ctx, w, 1)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", at.label, at.name, err)
		}
		found[len(runs)-1-n] = tallyOf(o, cheapestList(w))
		return nil
	})
	if err != nil {
		return err
	}
	for n, at := range runs {
		name := key(at.market, at.contender)
		window := found[n]
		if len(b.past[name]) > 0 {
			window = window.plus(found[n-1], -1)
		}
		b.past[name] = append(b.past[name], window)
	}
	return nil
}
