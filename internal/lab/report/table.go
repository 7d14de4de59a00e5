package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/neap-cloud/neap/internal/lab"
)

// column is one column of the figures for people, in the table and on the page.
type column struct {
	head, title string // in the table, on the page
	wide        bool   // only in the wide table; the page shows all
	cell        func(p Policy) string
}

// columns are those that mean something for the workload.
func (r Report) columns() []column {
	of := func(head, title, figure string, as func(v float64) string) column {
		return column{head, title, false, func(p Policy) string { return p.show(figure, as) }}
	}
	cost := []column{
		of("COST", "Cost", figureCost, dollars),
		of("×HINDSIGHT", "× hindsight", figureRatio, places(3)),
		of("OF-ON-DEMAND", "Of on demand", figureOnDemand, percent(1)),
	}
	interrupted := column{"INTERRUPTIONS/1000H", "Interruptions in 1,000 hours (forced + voluntary)", false, Policy.interruptions}
	bought := []column{
		of("ON-DEMAND-SHARE", "On-demand hours", figureDemand, percent(1)),
		{"HOURS-SERVED", "Hours served", true, func(p Policy) string { return p.show(figureServed, count) }},
		{"LAUNCHES", "Launches", true, func(p Policy) string { return p.show(figureLaunches, count) }},
		{"REFUSALS", "Refusals", true, func(p Policy) string { return p.show(figureRefusals, count) }},
	}
	switch r.Workload.Kind {
	case lab.Deadline:
		missed := column{"DEADLINES-MISSED", "Deadlines missed", false, func(p Policy) string {
			return p.show(figureMissed, count) + " of " + p.show(figureJobs, count)
		}}
		return slices.Concat(cost, []column{missed, interrupted}, bought)
	case lab.Batch:
		return slices.Concat(cost, []column{of("TASKS", "Tasks", figureJobs, count), interrupted}, bought)
	}
	return slices.Concat(cost, []column{
		interrupted,
		{"SHORT-HOURS", "Hours short", false, Policy.shortage},
		of("MOVES", "Moves", figureMoves, count),
		of("MOVES-SAVED", "Moves saved", figureSaved, dollars),
	}, bought)
}

// Table writes the figures, between what kind of evidence they are and what they were made of. wide adds columns.
func (r Report) Table(w io.Writer, wide bool) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "%s\n%s\n\n", r.World.Headline(), r.setting())
	columns := slices.DeleteFunc(r.columns(), func(c column) bool { return c.wide && !wide })
	line := func(first string, cell func(c column) string) {
		fmt.Fprint(out, first)
		for _, c := range columns {
			fmt.Fprint(out, "\t"+cell(c))
		}
		fmt.Fprintln(out)
	}
	line("POLICY", func(c column) string { return c.head })
	for _, p := range r.Policies {
		line(p.Name, func(c column) string { return c.cell(p) })
	}
	fmt.Fprintln(out)
	for _, sentence := range r.provenance() {
		fmt.Fprintln(out, flat(sentence))
	}
	return out.Flush() // the first failure of the writer is kept until here
}

// setting says what was replayed, where and for how long.
func (r Report) setting() string {
	text := fmt.Sprintf("%s for %s from %s to %s, in %d pools of %s", r.Workload, length(r.World.Span()), moment(r.World.From), moment(r.World.Until), len(r.Pools), flat(r.World.Name))
	if len(r.Seeds) > 1 {
		return text + fmt.Sprintf("; means over %d seeds ± what holds the true mean with 95 %% confidence.", len(r.Seeds))
	}
	return text + fmt.Sprintf(", seed %d.", r.Seeds[0])
}

// provenance tells what the figures were made of.
func (r Report) provenance() (all []string) {
	for _, s := range r.Data {
		text := fmt.Sprintf("Data: %s from %s (SHA-256 %s…)", s.Kind, s.Name, s.short())
		for _, skip := range s.Skipped {
			text += fmt.Sprintf("; skipped %d rows, the first in line %d: %s", skip.Rows, skip.First, skip.Why)
		}
		all = append(all, text+".")
	}
	if r.Hindsight != "" {
		all = append(all, "Hindsight: "+r.Hindsight)
	}
	return append(all, r.Notes...)
}

// show is a figure for people, with half its interval where there were several runs; "-" when it is not known.
func (p Policy) show(name string, as func(v float64) string) string {
	v := p.value(name)
	switch {
	case !v.isKnown():
		return "-"
	case v.Low < v.High:
		return as(v.Mean) + " ± " + as(v.half())
	}
	return as(v.Mean)
}

// interruptions are the rate, and the counts it comes from.
func (p Policy) interruptions() string {
	rate := p.show(figurePerHour, places(2))
	if forced, voluntary := p.value(figureForced), p.value(figureVoluntary); forced.isKnown() || voluntary.isKnown() {
		return rate + " (" + count(known(forced)) + " + " + count(known(voluntary)) + ")"
	}
	return rate
}

// shortage is in hours, and as a part of those wanted.
func (p Policy) shortage() string {
	hours, share := p.show(figureShort, places(2)), p.value(figureShare)
	if share.isKnown() {
		return hours + " (" + percent(3)(share.Mean) + ")"
	}
	return hours
}

// known is the mean, 0 when it is not known.
func known(v Value) float64 {
	if v.isKnown() {
		return v.Mean
	}
	return 0
}

// dollars are to the cent, with thousands set apart.
func dollars(v float64) string {
	if math.Round(v*100) < 0 {
		return "-$" + grouped(-v, 2)
	}
	return "$" + grouped(math.Abs(v), 2)
}

func places(n int) func(v float64) string {
	return func(v float64) string { return grouped(v, n) }
}

func percent(n int) func(v float64) string {
	return func(v float64) string { return strconv.FormatFloat(100*v, 'f', n, 64) + "%" }
}

// count is whole unless it is a mean that is not.
func count(v float64) string {
	if v == math.Round(v) || v >= 1000 {
		return grouped(v, 0)
	}
	return grouped(v, 1)
}

// grouped is a number with so many places and its thousands set apart.
func grouped(v float64, places int) string {
	whole, rest, _ := strings.Cut(strconv.FormatFloat(v, 'f', places, 64), ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if rest == "" {
		return whole
	}
	return whole + "." + rest
}

// flat keeps a name from breaking the table.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// find is the policy of that name.
func (r Report) find(name string) (Policy, bool) {
	i := slices.IndexFunc(r.Policies, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, false
	}
	return r.Policies[i], true
}

// brief says in a sentence what Neap's own policy made of it.
func (r Report) brief() string {
	p, found := r.find(lab.PolicyNeap)
	if !found || !p.value(figureOnDemand).isKnown() {
		return ""
	}
	text := fmt.Sprintf("Neap's own policy cost %s, %s of what the target costs on demand", p.show(figureCost, dollars), p.show(figureOnDemand, percent(1)))
	if ratio := p.value(figureRatio); ratio.isKnown() {
		text += fmt.Sprintf(" and %.1f %% above the hindsight bound", 100*(ratio.Mean-1))
	}
	text += fmt.Sprintf("; it was interrupted %s times in 1,000 instance-hours", p.show(figurePerHour, places(2)))
	switch r.Workload.Kind {
	case lab.Deadline:
		text += fmt.Sprintf(" and missed %s of %s deadlines", p.show(figureMissed, count), p.show(figureJobs, count))
	case lab.Steady, lab.Diurnal:
		text += fmt.Sprintf(" and %s hours short", p.show(figureShort, places(2)))
	}
	return text + "."
}
