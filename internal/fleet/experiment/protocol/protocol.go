// Package protocol is what an experiment fixes before it begins, and everything that follows from that: who is under which policy when, what a block measured,
// and what all of it means.
//
// It owns the design (a switchback of paired blocks), the arithmetic of a block, and the statistics. It is pure: no clock, no I/O, randomness only from the
// protocol's seed. It must not know stores, ledgers or groups. Start reading at Protocol, then schedule.go and analyse.go.
package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// Measure is what an experiment is about.
type Measure string

// The measures. Every report has both; the one that the protocol names is the one that counts.
const (
	Cost          Measure = "cost-per-capacity-hour"
	Interruptions Measure = "interruptions"
)

// Measures lists them.
func Measures() []Measure { return []Measure{Cost, Interruptions} }

// Baselines are the policies that the model can be measured against.
func Baselines() []plan.Policy {
	return []plan.Policy{plan.ByPriceCapacityOptimized, plan.ByCapacityOptimized, plan.ByLowestPrice}
}

// How every experiment of this release is laid out and weighed. Another way would get another name, so that an old report keeps its meaning.
const (
	Design   = "switchback of paired blocks"
	Analysis = "mean over pairs with a 95 % interval by Student's t, and a two-sided sign-flip test"
)

const (
	// FewestPairs is how many pairs a sign-flip test needs before it can say anything at 5 %: with five, the luckiest draw of all still has a chance of 1 in 16.
	FewestPairs = 6

	mostPairs     = 20_000
	shortestBlock = 10 * time.Minute
	usualBlock    = 24 * time.Hour
	usualWashout  = time.Hour
	longestRun    = 366 * 24 * time.Hour
)

// Protocol is fixed when an experiment is created, and never changed.
type Protocol struct {
	Name     string
	Groups   []string // ids, in order
	Measure  Measure
	Design   string
	Analysis string
	Schedule
}

// Draft is a protocol as somebody asks for it; zero fields take what is usual.
type Draft struct {
	Name     string
	Groups   []string
	Baseline plan.Policy
	Measure  Measure
	From     time.Time
	For      time.Duration // a whole number of pairs of blocks
	Every    time.Duration // of a block; 0 = a day
	Washout  *time.Duration
	Seed     uint64
}

// Make checks a draft, and fixes it. All faults are told together.
func Make(d Draft) (Protocol, error) {
	if d.Every == 0 {
		d.Every = usualBlock
	}
	washout := min(usualWashout, d.Every/4)
	if d.Washout != nil {
		washout = *d.Washout
	}
	groups := slices.Clone(d.Groups)
	slices.Sort(groups)
	groups = slices.Compact(groups)
	p := Protocol{
		Name: d.Name, Groups: groups, Measure: d.Measure, Design: Design, Analysis: Analysis,
		Schedule: Schedule{Seed: d.Seed, Baseline: d.Baseline, From: d.From.UTC(), Every: d.Every, Washout: washout},
	}
	if p.Measure == "" {
		p.Measure = Cost
	}
	faults := p.check(d.For)
	if len(faults) > 0 {
		return Protocol{}, fault.All(faults)
	}
	p.Pairs = int(d.For / (2 * d.Every))
	if err := p.enough(); err != nil {
		return Protocol{}, err
	}
	return p, nil
}

var isName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`).MatchString

// check tells what is wrong with the protocol's members, one by one.
func (p Protocol) check(length time.Duration) (faults []*fault.Error) {
	object := func(wrong bool, field, format string, args ...any) {
		if wrong {
			faults = append(faults, fault.Field(field, format, args...))
		}
	}
	object(!isName(p.Name), "name", "A name has letters, digits, dots, dashes and underscores, at most 63, and begins with a letter or digit; %.80q has not.", p.Name)
	object(len(p.Groups) == 0, "groups", "Name at least one group.")
	object(!slices.Contains(Baselines(), p.Baseline), "baseline", "must be %s, not %.60q", listed(Baselines()), p.Baseline)
	object(!slices.Contains(Measures(), p.Measure), "measure", "must be %s, not %.60q", listed(Measures()), p.Measure)
	object(p.Every < shortestBlock || p.Every%time.Minute != 0, "switchEvery", "A block lasts whole minutes, at least %s, not %s.", Span(shortestBlock), p.Every)
	object(p.Washout < 0 || p.Washout > p.Every/2 || p.Washout%time.Second != 0, "washOut", "The first part of a block that is not measured lasts whole seconds, at most half of the block; %s is not that.", p.Washout)
	switch pair := 2 * p.Every; {
	case len(faults) > 0:
	case length <= 0 || length > longestRun:
		object(true, "for", "Say how long the experiment runs, at most %s: {\"for\": \"14d\"}.", Span(longestRun))
	case length%pair != 0:
		below, above := length/pair*pair, (length/pair+1)*pair
		object(true, "for", "%s is no whole number of pairs of blocks of %s: %s would be.", Span(length), Span(p.Every), either(below, above))
	}
	return faults
}

func either(below, above time.Duration) string {
	if below == 0 {
		return Span(above)
	}
	return Span(below) + " or " + Span(above)
}

// enough refuses what could never give an answer, and what nobody could measure.
func (p Protocol) enough() error {
	n := len(p.Groups) * p.Pairs
	if n > mostPairs {
		return fault.Field("for", "%d groups with %d pairs of blocks each are %d pairs; at most %d are measured. Make the blocks longer, or the experiment shorter.", len(p.Groups), p.Pairs, n, mostPairs)
	}
	if n >= FewestPairs {
		return nil
	}
	groups := (FewestPairs + p.Pairs - 1) / p.Pairs
	pairs := (FewestPairs + len(p.Groups) - 1) / len(p.Groups)
	return fault.Field("groups", "%s with %s of blocks each make %d, and an answer needs at least %d: name %s, or let these run for %s, or switch more often.",
		count(len(p.Groups), "group"), count(p.Pairs, "pair"), n, FewestPairs, count(groups, "group"), Span(time.Duration(pairs)*2*p.Every))
}

// Hash names a protocol by its content.
func (p Protocol) Hash() string {
	text, err := json.Marshal(p)
	if err != nil {
		return "" // a protocol holds only text, numbers and lists: it always encodes
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func listed[T ~string](all []T) string {
	words := make([]string, len(all))
	for n, one := range all {
		words[n] = string(one)
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// Span writes a duration as people do: "14d", "1d12h", "90m".
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	var text strings.Builder
	for _, unit := range []struct {
		length time.Duration
		letter string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / unit.length; n > 0 {
			fmt.Fprintf(&text, "%d%s", n, unit.letter)
			d -= n * unit.length
		}
	}
	if d != 0 || text.Len() == 0 {
		text.WriteString(d.String())
	}
	return text.String()
}

// ParseSpan reads a duration, with days besides what Go's own have: "14d", "1d12h", "90m".
func ParseSpan(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	whole := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return whole, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	return whole + more, nil
}
