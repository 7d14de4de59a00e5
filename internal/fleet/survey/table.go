package survey

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
)

// Table writes the groups, the total with its baseline, and then, never left out, what the total does not cover; wide adds columns and the single instances, why the
// reasons.
func (r Report) Table(w io.Writer, wide, why bool) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Groups) == 0 {
		fmt.Fprintf(out, "No scaling group was found in %s.\n", strings.Join(r.Regions, ", "))
	} else {
		r.writeGroups(out, wide)
		r.writeTotal(out)
	}
	for _, g := range r.Groups {
		if why {
			g.explain(out)
		}
	}
	r.writeApart(out)
	if wide && len(r.Singles) > 0 {
		r.writeSingles(out)
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(out, "\nLeft out in %s: %s\n  %s It takes %s.\n", g.Region, g.LeftOut, flat(g.Reason), strings.Join(g.Needs, ", "))
	}
	if !why && len(r.Groups) > 0 {
		fmt.Fprint(out, "\nWhy, and what stands in the way: neap observe --group NAME, or everything as a page: -o html.\n")
	}
	return out.Flush() // the first failure of the writer is kept until here
}

// flat keeps a name from breaking the table.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// aMonth is for people: to the cent.
func (c Cost) aMonth() string { return dollars(c.Month, 2) }

func percentText(percent float64) string { return fmt.Sprintf("%.1f%%", percent) }

func (r Report) writeGroups(w io.Writer, wide bool) {
	line := func(name string, cells []string, more []string) {
		if wide {
			cells = append(cells, more...)
		}
		fmt.Fprintln(w, name+"\t"+strings.Join(cells, "\t"))
	}
	line("GROUP", []string{"REGION", "INSTANCES", "ON-DEMAND", "NOW/MONTH", "NEAP/MONTH", "SAVING", "OF-NOW", "RISK/30D", "SPOT-PRICES", "NOTES"}, []string{"BASELINE/MONTH", "OF-BASELINE", "MOVES"})
	for _, g := range r.Groups {
		line(flat(g.Name), []string{
			g.Region, strconv.Itoa(g.Present.Instances), fmt.Sprintf("%d -> %d", g.Present.OnDemand, g.Future.OnDemand), g.Now.aMonth(), g.Planned.aMonth(), g.SavingNow.aMonth(),
			percentText(g.SavingNow.Percent), percentText(100 * g.Future.Risk), g.spotPrices(), strconv.Itoa(len(g.Obstacles) + len(g.LeftOut)),
		}, []string{g.OnDemand.aMonth(), percentText(g.SavingBaseline.Percent), strconv.Itoa(g.Moves)})
	}
}

func (r Report) writeTotal(w io.Writer) {
	t := r.Total
	fmt.Fprintf(w, "\n%d groups with %d instances: %s a month now, %s with Neap, which replaces %d of them.\n", t.Groups, t.Instances, t.Now.aMonth(), t.Planned.aMonth(), t.Moves)
	fmt.Fprintf(w, "Saving: %s a month (%s) against now; %s (%s) against the same instances all on demand at list price, %s.\n",
		t.SavingNow.aMonth(), percentText(t.SavingNow.Percent), t.SavingBaseline.aMonth(), percentText(t.SavingBaseline.Percent), t.OnDemand.aMonth())
	if t.Guessed > 0 {
		fmt.Fprintf(w, "%d of the groups stand on the catalogue's spot prices, not on today's.\n", t.Guessed)
	}
}

// spotPrices says whose spot prices a row stands on.
func (r *Row) spotPrices() string {
	of := map[string]bool{}
	for _, c := range []Composition{r.Present, r.Future} {
		for _, p := range c.Parts {
			of[p.Source] = of[p.Source] || p.Lifecycle == cloud.Spot
		}
	}
	switch {
	case of[market.SourceCatalogue] && of[market.SourceFeed]:
		return "mixed"
	case of[market.SourceCatalogue]:
		return "catalogue"
	case of[market.SourceFeed]:
		return "live"
	}
	return "-"
}

// explain tells why a group would become what it would become.
func (r *Row) explain(w io.Writer) {
	fmt.Fprintf(w, "\n%s in %s\n", flat(r.Name), r.Region)
	for _, c := range []struct {
		title string
		parts []Part
	}{{"now", r.Present.Parts}, {"with Neap", r.Future.Parts}} {
		for _, p := range c.parts {
			fmt.Fprintf(w, "  %s:\t%d x %s\t%s\t%s\t%s each (%s)\n", c.title, p.Count, p.Type, p.Lifecycle, p.Zone, p.Price, p.Source)
		}
	}
	for _, sentence := range r.Why {
		fmt.Fprintf(w, "  why: %s\n", flat(sentence))
	}
	for _, o := range r.Obstacles {
		fmt.Fprintf(w, "  note: %s\n", flat(o.Text))
	}
	for _, left := range r.LeftOut {
		fmt.Fprintf(w, "  left out: %s: %s\n", flat(left.Instance), flat(left.Why))
	}
}

// writeApart tells what the total does not cover.
func (r Report) writeApart(w io.Writer) {
	a, first := r.Apart, true
	say := func(count int, format string, args ...any) {
		if count == 0 {
			return
		}
		if first {
			fmt.Fprintln(w)
		}
		first = false
		fmt.Fprintf(w, "Not in these figures: "+format+"\n", args...)
	}
	say(a.Singles, "%d instances in no group (%s a month now; the price of %d is not known): nothing says that they may be replaced.", a.Singles, a.Now.aMonth(), a.Unpriced)
	say(a.LeftOut, "%d members of groups that could not be counted.", a.LeftOut)
	say(a.Managed, "%d instances that a Neap keeps already.", a.Managed)
	say(a.Stopped, "%d instances that are stopped.", a.Stopped)
}

func (r Report) writeSingles(w io.Writer) {
	known := func(p money.Price) string {
		if p == 0 {
			return "-"
		}
		return p.String()
	}
	fmt.Fprint(w, "\nINSTANCE\tNAME\tTYPE\tZONE\tBOUGHT\tPRICE\tLIST-PRICE\n")
	for _, s := range r.Singles {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Instance, flat(s.Name), s.Type, s.Zone, s.Lifecycle, known(s.Price), known(s.OnDemand))
	}
}
