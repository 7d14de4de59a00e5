// Package report shows what a replay found: as a table, JSON, CSV, and a page with charts.
//
// It owns which figures there are, what they are called and how they look. It must not know how worlds are made or policies run. Start reading at Report and figures.
package report

import (
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// Report is what policies made of one workload in one world, or in the same world drawn anew with several seeds.
type Report struct {
	Workload  lab.Workload
	Rule      string // that Neap's own policy chooses markets by
	Floor     int    // instances that are kept on demand
	Seeds     []uint64
	World     World
	Data      []Source
	Hindsight string // in which sense the bound is one, as a sentence
	Notes     []string
	Policies  []Policy
	Frontier  []lab.Outcome // of hindsight that minds interruptions more and more, in the world of the first seed; for the page
	Pools     []Pool        // for the page
}

// World is where the workload ran.
type World struct {
	Name        string
	From, Until time.Time
	Notice      time.Duration
	Recorded    bool // what could be had and what was lost is a record; false: it is drawn
	Simulated   bool // nothing in it was measured on a real cloud
	Shipped     bool // it is the recording that Neap brings along
}

// Source is one file that the world was made of.
type Source struct {
	Kind    string `json:"kind"`   // "prices", "availability"
	Name    string `json:"name"`   // without its folder
	Digest  string `json:"sha256"` // in hexadecimal
	Skipped []Skip `json:"skipped"`
}

// Skip is how many rows of a file were left out, and why.
type Skip struct {
	Why   string `json:"why"`
	Rows  int    `json:"rows"`
	First int    `json:"first_line"`
}

// Pool is the spot capacity of one type in one zone, as the page draws it.
type Pool struct {
	Type, Zone string
	OnDemand   money.Price
	Prices     []world.Change
	Downs      []world.Span // when the record says that nothing was to be had
}

// Policy is what one policy made of the workload, run by run.
type Policy struct {
	Name  string
	Bound bool          // no run but a bound that nobody can undercut
	Runs  []lab.Outcome // one for each seed
	best  []lab.Outcome // what hindsight made of the same
}

// Compare gathers the outcomes of each seed by policy, in the order of the first seed's, and holds them against what hindsight made of the same seed.
func Compare(seeds [][]lab.Outcome, best []lab.Outcome) []Policy {
	var all []Policy
	for n, outcomes := range seeds {
		for i, o := range outcomes {
			if i == len(all) {
				all = append(all, Policy{Name: o.Policy, Bound: o.Bound})
			}
			all[i].Runs = append(all[i].Runs, o)
			all[i].best = append(all[i].best, best[n])
		}
	}
	return all
}

// Headline says what kind of evidence the figures are, before any of them.
func (w World) Headline() string {
	switch {
	case w.Shipped:
		return "Simulated: the recording that Neap ships, made by its own simulated cloud. Nothing here was measured on a real one."
	case w.Simulated:
		return "Simulated: the data say that they were not recorded on a real cloud."
	case w.Recorded:
		return "Recorded: what could be had, and what was lost, was measured on a real cloud."
	}
	return "Drawn losses: the prices were recorded on a real cloud, but what could be had and what was lost is drawn by the simulated cloud's rules."
}

// Kind is the headline in two words.
func (w World) Kind() string {
	switch {
	case w.Simulated:
		return "simulated"
	case w.Recorded:
		return "recorded losses"
	}
	return "drawn losses"
}

// Lacks tells what figures from such a world cannot show.
func (w World) Lacks() []string {
	var all []string
	switch {
	case w.Simulated:
		all = append(all, "The market is made up. It shows how policies differ under known rules, and says nothing about what they would cost on a real cloud.")
	case w.Recorded:
		all = append(all, "A record tells of one type in few zones, and of as many nodes as were asked for then. That a larger fleet would have met the same is taken for granted, not known.")
	default:
		all = append(all, "Recorded prices hold no losses. The interruptions here follow the Spot Advisor's classes and the simulated cloud's rules, so counts of them and of hours short compare policies; they forecast nothing.")
	}
	return append(all, "On demand never runs dry and is never taken in these worlds. On a real cloud it may.",
		"Only instances are counted: no volumes, addresses or traffic, and nothing that an interruption costs the work that it hits.")
}

// Span is the time replayed.
func (w World) Span() time.Duration { return w.Until.Sub(w.From) }

// skipped is how many rows were left out of all files.
func (r Report) skipped() (rows int) {
	for _, s := range r.Data {
		for _, skip := range s.Skipped {
			rows += skip.Rows
		}
	}
	return rows
}

// short is the beginning of the digest, for people.
func (s Source) short() string { return s.Digest[:min(12, len(s.Digest))] }

// moment is for people.
func moment(t time.Time) string {
	if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04Z")
}

// length is a span for people: days, or hours where it is short.
func length(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%.4g hours", d.Hours())
	}
	return fmt.Sprintf("%.4g days", d.Hours()/24)
}
