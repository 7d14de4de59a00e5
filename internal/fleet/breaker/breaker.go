// Package breaker bounds what the engine does within an hour and within a minute, whatever it is told.
//
// It owns the budgets, the count of what was done, and the pure function that narrows a plan to them. It must not know stores, clouds or dialects.
// Start reading at Limit; the figures stand in budget.go.
package breaker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/money"
)

// Trip is a budget that did not suffice.
type Trip struct {
	Class  string
	Budget Allowance
	Left   int // how many actions' instances were left undone
}

// String is a sentence for people, with the figures and when the budget opens again.
func (t Trip) String() string {
	c, within := classOf(t.Class), "an hour"
	if t.Budget.span() == Minute {
		within = "a minute"
	}
	opens := ""
	if !t.Budget.Opens.IsZero() {
		opens = ", which opens again from " + t.Budget.Opens.UTC().Format(time.TimeOnly) + " on"
	}
	return fmt.Sprintf("The breaker holds back %d more: %s has used %s of the %s %s that it may make within %s%s.",
		t.Left, t.Budget.Scope, c.text(t.Budget.Used), c.text(t.Budget.Limit), c.name, within, opens)
}

// IsForced tells departures that no budget holds up: the cloud takes the instance anyway, or a person asked for it.
func IsForced(r plan.Reason) bool {
	return slices.Contains([]plan.Reason{plan.ReasonInterruption, plan.ReasonDetach, plan.ReasonDelete, plan.ReasonLost}, r)
}

// IsVoluntary tells moves that only save money.
func IsVoluntary(r plan.Reason) bool { return r == plan.ReasonRevert || r == plan.ReasonCheaper }

// limiter narrows a decision to what every budget allows.
type limiter struct {
	budgets []Allowance
	price   func(plan.Action) money.Price
	leaving map[string]bool // instances whose departure has been counted already
	trips   []Trip
}

// Limit is the breaker: a decision without the actions for which a budget does not suffice, and which budgets these were. It is pure.
func Limit(d plan.Decision, budgets []Allowance, observed plan.Observed, price func(plan.Action) money.Price, holdMoves string) (plan.Decision, []Trip) {
	l := &limiter{budgets: slices.Clone(budgets), price: price, leaving: map[string]bool{}}
	for _, i := range observed.Instances {
		l.leaving[i.ID] = i.Phase == plan.Draining || i.Phase == plan.Terminating
	}
	kept := d.Actions[:0:0]
	held := 0
	for _, a := range d.Actions {
		switch {
		case a.Verb == plan.LaunchVerb && IsVoluntary(a.Reason) && holdMoves != "":
			held += a.Count
			continue
		case a.Verb == plan.LaunchVerb:
			a.Count = l.launch(a)
			a.Replaces = a.Replaces[:min(len(a.Replaces), a.Count)]
			if a.Count == 0 {
				continue
			}
		case !l.depart(a):
			continue
		}
		kept = append(kept, a)
	}
	if held == 0 && len(l.trips) == 0 {
		return d, nil
	}
	return l.tell(d, kept, held, holdMoves), l.trips
}

// tell brings a decision's words in line with what is left of it.
func (l *limiter) tell(d plan.Decision, kept []plan.Action, held int, holdMoves string) plan.Decision {
	d.Notes = slices.Clone(d.Notes)
	var news []string
	if held > 0 {
		news = append(news, fmt.Sprintf("%d moves that would save money wait: %s", held, holdMoves))
	}
	for _, t := range l.trips {
		news = append(news, t.String())
		if opens := t.Budget.Opens; !opens.IsZero() && (d.Next.IsZero() || opens.Before(d.Next)) {
			d.Next = opens
		}
	}
	d.Notes = append(d.Notes, news...)
	d.Actions = kept
	if len(kept) == 0 {
		d.Actions = []plan.Action{}
	}
	d.Summary = news[0]
	return d
}

// launch is how many of a launch's instances the budgets allow.
func (l *limiter) launch(a plan.Action) int {
	one := Churn{Launches: 1, Spend: max(0, l.price(a))}
	if IsVoluntary(a.Reason) {
		one.Moves, one.Launches = 1, 0
	}
	return l.take(one, a.Count)
}

// depart reports whether an instance may leave.
func (l *limiter) depart(a plan.Action) bool {
	if IsForced(a.Reason) || l.leaving[a.Instance] {
		return true
	}
	l.leaving[a.Instance] = true
	return l.take(Churn{Departures: 1}, 1) == 1
}

// take uses up to n times one of every budget and tells how many times that is.
func (l *limiter) take(one Churn, n int) int {
	for _, c := range classes() {
		each := c.of(one)
		if each == 0 {
			continue
		}
		for _, b := range l.budgets {
			if !b.bounds(c) {
				continue
			}
			if left := int(max(0, c.of(b.Limit)-c.of(b.Used)) / each); left < n {
				l.trip(c.name, b, n-left)
				n = left
			}
		}
	}
	for at := range l.budgets {
		l.budgets[at].Used.Add(one.times(n))
	}
	return n
}

// trip remembers once per budget and class that it did not suffice.
func (l *limiter) trip(name string, b Allowance, left int) {
	at := slices.IndexFunc(l.trips, func(t Trip) bool { return t.Class == name && t.Budget.Scope == b.Scope && t.Budget.Span == b.Span })
	if at < 0 {
		l.trips = append(l.trips, Trip{Class: name, Budget: b, Left: left})
		return
	}
	l.trips[at].Left += left
}

// PriceOf is what one instance of a launch costs per hour now.
func PriceOf(m plan.Market, a plan.Action) money.Price {
	for _, p := range m.Pools {
		if p.Type == a.Type && p.Zone == a.Zone && p.Lifecycle == a.Lifecycle {
			return cmp.Or(p.Price, p.OnDemand)
		}
	}
	return 0
}

// Departures counts the actions that take an instance out of service by our own wish.
func Departures(list []plan.Action, leaving func(id string) bool) (n int) {
	for _, a := range list {
		if a.Verb != plan.LaunchVerb && !IsForced(a.Reason) && !leaving(a.Instance) {
			n++
		}
	}
	return n
}
