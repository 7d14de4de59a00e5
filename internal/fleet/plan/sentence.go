package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// mostOptions is how many markets a decision shows beside those that were chosen.
const mostOptions = 20

// decision puts the draft into its final form: what frees the balancers first, then what frees capacity, then launches, then what their arrival allows.
func (d *draft) decision() Decision {
	actions := slices.Concat(d.urgent, d.ends)
	for _, o := range d.orders {
		actions = append(actions, d.launch(o))
	}
	actions = append(actions, d.relief...)
	if actions == nil {
		actions = []Action{} // "no actions" is an empty list, never null
	}
	return Decision{
		Version: Version, Summary: d.summary(actions), Actions: actions, Options: d.options(), Short: d.short, Notes: d.notes, Next: d.next,
	}
}

func (d *draft) launch(o *order) Action {
	a := Action{Verb: LaunchVerb, Type: o.Type, Zone: o.Zone, Lifecycle: o.Lifecycle, Count: o.count, Reason: o.reason}
	for _, m := range o.replaces {
		a.Replaces = append(a.Replaces, m.ID)
	}
	a.Because = d.purpose(o) + ": " + o.praise() + "."
	if o.next != nil {
		a.Because = strings.TrimSuffix(a.Because, ".") + fmt.Sprintf("; next best was %s %s in %s (%s, %s points).",
			o.next.Lifecycle, o.next.Type, o.next.Zone, o.next.Price, pointText(o.next.score()))
	}
	return a
}

// purpose says what a launch is for.
func (d *draft) purpose(o *order) string {
	what := fmt.Sprintf("%d of %d units are missing", o.missing, d.intent.Capacity.Target)
	if len(o.replaces) > 0 {
		what = "in place of " + named(o.replaces)
	}
	if o.reason == ReasonFallback {
		what += " and no spot market is available"
	}
	return upperFirst(what)
}

// praise says what speaks for a market, with the figures.
func (o *option) praise() string {
	text := fmt.Sprintf("%s %s in %s at %s", o.Lifecycle, o.Type, o.Zone, o.Price)
	if o.Lifecycle == Spot {
		if o.OnDemand > 0 {
			text += fmt.Sprintf(" (%d%% below on demand)", 100-100*int64(o.Price)/int64(o.OnDemand))
		}
		text += fmt.Sprintf(", interruption risk %.1f%% in 30 days,", o.Risk*100)
	}
	return text + fmt.Sprintf(" scores %s points", pointText(o.score()))
}

// named lists members with why they go, at most three by name.
func named(members []*member) string {
	var names []string
	for n, m := range members {
		if n == 3 {
			names = append(names, fmt.Sprintf("%d more", len(members)-n))
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", m.ID, m.reason.phrase()))
	}
	return strings.Join(names, ", ")
}

// phrase completes "it leaves because …".
func (r Reason) phrase() string {
	switch r {
	case ReasonScaleIn:
		return "there was too much capacity"
	case ReasonInterruption:
		return "the cloud takes it"
	case ReasonRebalance:
		return "the cloud may take it soon"
	case ReasonUnhealthy:
		return "it is unhealthy"
	case ReasonRevert:
		return "it is on demand and its place is to be spot"
	case ReasonCheaper:
		return "a cheaper spot market is open"
	case ReasonDetach:
		return "its owner detached it"
	case ReasonDelete:
		return "the fleet is being deleted"
	case ReasonLost:
		return "it ended without Neap's doing"
	default:
		return "another instance takes its place"
	}
}

// summary tells the whole plan in one sentence.
func (d *draft) summary(actions []Action) string {
	target, unit := d.intent.Capacity.Target, "instances"
	if d.intent.Capacity.Unit == Weight {
		unit = "units"
	}
	var parts []string
	for _, verb := range []Verb{LaunchVerb, DrainVerb, TerminateVerb} {
		if part := tally(actions, verb); part != "" {
			parts = append(parts, part)
		}
	}
	state := fmt.Sprintf("%d of %d %s serve or are on their way", d.have.all(), target, unit)
	if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	if d.short > 0 {
		state += fmt.Sprintf(", and %d cannot be bought now", d.short)
	}
	return upperFirst(strings.Join(parts, ", ")) + ": " + state + "."
}

// tally counts a verb's instances by reason, in the order in which the reasons first occur.
func tally(actions []Action, verb Verb) string {
	var reasons []Reason
	counts := map[Reason]int{}
	total := 0
	for _, a := range actions {
		if a.Verb != verb {
			continue
		}
		if counts[a.Reason] == 0 {
			reasons = append(reasons, a.Reason)
		}
		counts[a.Reason] += max(1, a.Count)
		total += max(1, a.Count)
	}
	if total == 0 {
		return ""
	}
	var details []string
	for _, r := range reasons {
		details = append(details, fmt.Sprintf("%d for %s", counts[r], r))
	}
	return fmt.Sprintf("%s %d (%s)", verb, total, strings.Join(details, ", "))
}

// options are the markets that were weighed: every chosen one and the best others, best first, only if something was sought.
func (d *draft) options() []Option {
	var list []*option
	for _, s := range []*shelf{d.spot, d.onDemand} {
		if s == nil || !s.used {
			continue
		}
		others := 0
		for _, o := range s.all {
			if o.chosen == 0 {
				if others == mostOptions {
					continue
				}
				others++
			}
			list = append(list, o)
		}
	}
	if len(d.orders) == 0 && d.short == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b *option) int { return int(b.score() - a.score()) })
	kept := make([]Option, 0, len(list))
	others := 0
	for _, o := range list {
		if o.chosen == 0 {
			if others++; others > mostOptions {
				continue
			}
		}
		kept = append(kept, o.shown())
	}
	return kept
}

// score is what an option scored before this plan bought anything.
func (o *option) score() int64 { return o.base + o.spreadTerm }

func (o *option) shown() Option {
	return Option{
		Type: o.Type, Zone: o.Zone, Lifecycle: o.Lifecycle, Price: o.Pool.Price, Risk: o.Risk, Score: points(o.score()),
		Terms: Terms{Price: points(o.priceTerm), Safety: points(o.safetyTerm), Spread: points(o.spreadTerm)}, Chosen: o.chosen, Rejected: o.why,
	}
}

// points turns thousandths into points: one exact division, the same everywhere.
func points(thousandths int64) float64 { return float64(thousandths) / 1000 }

func pointText(thousandths int64) string { return fmt.Sprintf("%.1f", points(thousandths)) }

func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// clockText is a moment for people.
func clockText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
