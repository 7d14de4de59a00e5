package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/money"
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
		a.Because = strings.TrimSuffix(a.Because, ".") + fmt.Sprintf("; next best was %s %s in %s (%s, expected cost %s).",
			o.next.Lifecycle, o.next.Type, o.next.Zone, o.next.Price, priceOf(o.next.cost()))
	}
	if n := money.Amount(o.moves); n > 0 {
		a.Worth = &Worth{Saves: o.worth.Saves / n, Risks: o.worth.Risks / n, Within: o.worth.Within}
		a.Because += fmt.Sprintf(" Each move is expected to save %s within %s, and may cost %s.", a.Worth.Saves, a.Worth.Within.Round(time.Minute), a.Worth.Risks)
	}
	return a
}

// purpose says what a launch is for.
func (d *draft) purpose(o *order) string {
	what := fmt.Sprintf("%d of %d units are missing", o.missing, d.intent.Capacity.Target)
	if len(o.replaces) > 0 {
		what = "in place of " + named(o.replaces)
	}
	switch o.reason {
	case ReasonFallback:
		what += " and no spot market is available"
	case ReasonVolatile:
		what += " and spot, with what its losses cost, is dearer than on demand"
	}
	return upperFirst(what)
}

// praise says what speaks for a market, with the figures.
func (o *option) praise() string {
	text := fmt.Sprintf("%s %s in %s at %s", o.Lifecycle, o.Type, o.Zone, o.Price)
	if o.Lifecycle != Spot {
		return text
	}
	if o.OnDemand > 0 {
		text += fmt.Sprintf(" (%d%% below on demand)", 100-100*int64(o.Price)/int64(o.OnDemand))
	}
	text += ", interruption risk " + riskText(o.Pool)
	var extra []string
	for _, term := range []struct {
		what string
		cost int64
	}{{"losses", o.costs.loss}, {"care", o.costs.care}, {"spread", o.spread}} {
		if term.cost != 0 {
			extra = append(extra, fmt.Sprintf("%s for %s", priceOf(term.cost), term.what))
		}
	}
	if len(extra) == 0 {
		return text
	}
	return text + fmt.Sprintf(", expected cost %s with %s", priceOf(o.cost()), strings.Join(extra, ", "))
}

// riskText tells a calm pool's risk by the month, and a troubled one's by the hour.
func riskText(p *Pool) string {
	if p.Hazard > hourly {
		return fmt.Sprintf("%.1f%% an hour", p.Hazard*100)
	}
	return fmt.Sprintf("%.1f%% in 30 days", p.Risk*100)
}

// hourly is the hazard from which a month says nothing.
const hourly = 0.002

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
	case ReasonEvacuation:
		return "the cloud takes others of its pool"
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
	slices.SortStableFunc(list, func(a, b *option) int {
		return cmp.Or(cmp.Compare(a.costs.shun, b.costs.shun), cmp.Compare(a.cost(), b.cost()))
	})
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

// cost is what an option was expected to cost before this plan bought anything.
func (o *option) cost() int64 { return o.costs.all() + o.spread }

func (o *option) shown() Option {
	return Option{
		Type: o.Type, Zone: o.Zone, Lifecycle: o.Lifecycle, Price: o.Pool.Price, Risk: o.Risk, Hazard: o.Hazard, Cost: priceOf(o.cost()),
		Costs: Costs{priceOf(o.costs.price), priceOf(o.costs.loss), priceOf(o.costs.care), priceOf(o.spread)},
		Last:  o.costs.shun > 0, Chosen: o.chosen, Rejected: o.why,
	}
}

// priceOf rounds thousandths of a micro-dollar.
func priceOf(thousandths int64) money.Price {
	return money.Price((thousandths + thousand/2) / thousand)
}

func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// clockText is a moment for people.
func clockText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
