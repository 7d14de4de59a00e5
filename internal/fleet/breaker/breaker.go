// Package breaker bounds what the engine does within an hour, whatever it is told.
//
// It owns the budgets, the count of what was done, and the pure function that narrows a plan to them. It must not know stores, clouds or dialects.
// Start reading at Limit.
package breaker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/money"
)

// The breaker bounds what the engine does within any hour, whatever it is told: to a group, and to an account as a whole. Moves that only save money have a
// budget of their own, so that they freeze long before recovery does. All figures are ours.
//
//	            a group            an account
//	moves       max(10, 25 %)      max(50, 25 %)      of the size, that is the target in instances, or units
//	launches    max(20, 3 × size)  max(100, 3 × size)
//	departures  max(20, 3 × size)  max(100, 3 × size) with the living, where they are more than the target
//	spend       none               as configured: the hourly price of everything that was launched within the hour
//
// Departures are instances that we take out of service by our own wish. What the cloud takes, what the user detaches and what is left of a deleted group
// goes whatever the budget says: it is bounded by what was launched.
const (
	// Span is the rolling time that budgets are for.
	Span = time.Hour

	movesPart     = 25 // percent
	recoveryTimes = 3
)

// Churn is what was done, or may be done, within an hour.
type Churn struct {
	Moves      int         `json:"moves,omitempty"`
	Launches   int         `json:"launches,omitempty"`
	Departures int         `json:"departures,omitempty"`
	Spend      money.Price `json:"spend,omitempty"`
}

// Add counts another one in.
func (c *Churn) Add(o Churn) {
	c.Moves += o.Moves
	c.Launches += o.Launches
	c.Departures += o.Departures
	c.Spend += o.Spend
}

// Allowance is what one scope may do within an hour, and what it did within the last one. A decision keeps its budgets, so that it can be replayed.
type Allowance struct {
	Scope string    `json:"scope"`          // "group sig-…" or "account act-…"
	Limit Churn     `json:"limit"`          // Spend 0 = without limit
	Used  Churn     `json:"used"`           //
	Opens time.Time `json:"opens,omitzero"` // when the oldest of what was used no longer counts
}

// GroupLimit is what a group of a size may do within Span.
func GroupLimit(target, living int) Churn {
	return Churn{Moves: max(10, target*movesPart/100), Launches: max(20, target*recoveryTimes), Departures: max(20, max(target, living)*recoveryTimes)}
}

// AccountLimit is what an account may do whose groups have that size together; spend 0 = no limit.
func AccountLimit(target, living int, spend money.Price) Churn {
	return Churn{
		Moves: max(50, target*movesPart/100), Launches: max(100, target*recoveryTimes), Departures: max(100, max(target, living)*recoveryTimes), Spend: spend,
	}
}

// class is one kind of Churn as the breaker speaks of it.
type class struct {
	name string
	of   func(*Churn) *int
}

// costClass names the spend budget, which is counted in money.
const costClass = "new cost"

func moveClass() class   { return class{"moves", func(c *Churn) *int { return &c.Moves }} }
func launchClass() class { return class{"launches", func(c *Churn) *int { return &c.Launches }} }
func departureClass() class {
	return class{"terminations", func(c *Churn) *int { return &c.Departures }}
}

// Trip is a budget that did not suffice.
type Trip struct {
	Class  string
	Budget Allowance
	Left   int // how many actions' instances were left undone
}

// String is a sentence for people, with the figures and when the budget opens again.
func (t Trip) String() string {
	limit, used := fmt.Sprint(t.Budget.Limit.Launches), fmt.Sprint(t.Budget.Used.Launches)
	switch t.Class {
	case moveClass().name:
		limit, used = fmt.Sprint(t.Budget.Limit.Moves), fmt.Sprint(t.Budget.Used.Moves)
	case departureClass().name:
		limit, used = fmt.Sprint(t.Budget.Limit.Departures), fmt.Sprint(t.Budget.Used.Departures)
	case costClass:
		limit, used = t.Budget.Limit.Spend.String(), t.Budget.Used.Spend.String()
	}
	opens := ""
	if !t.Budget.Opens.IsZero() {
		opens = ", which opens again from " + t.Budget.Opens.UTC().Format(time.TimeOnly) + " on"
	}
	return fmt.Sprintf("The breaker holds back %d more: %s has used %s of the %s %s that it may make within an hour%s.", t.Left, t.Budget.Scope, used, limit, t.Class, opens)
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
	c := launchClass()
	if IsVoluntary(a.Reason) {
		c = moveClass()
	}
	n := l.take(c, a.Count)
	price := l.price(a)
	for at := range l.budgets {
		b := &l.budgets[at]
		if b.Limit.Spend == 0 || price <= 0 {
			continue
		}
		if affordable := max(0, int((b.Limit.Spend-b.Used.Spend)/price)); affordable < n {
			l.trip(costClass, *b, n-affordable)
			n = affordable
		}
		b.Used.Spend += price * money.Price(n)
	}
	return n
}

// depart reports whether an instance may leave.
func (l *limiter) depart(a plan.Action) bool {
	if IsForced(a.Reason) || l.leaving[a.Instance] {
		return true
	}
	l.leaving[a.Instance] = true
	return l.take(departureClass(), 1) == 1
}

// take uses up to n of every budget and tells how many that is.
func (l *limiter) take(c class, n int) int {
	for _, b := range l.budgets {
		if left := max(0, *c.of(&b.Limit)-*c.of(&b.Used)); left < n {
			l.trip(c.name, b, n-left)
			n = left
		}
	}
	for at := range l.budgets {
		*c.of(&l.budgets[at].Used) += n
	}
	return n
}

// trip remembers once per budget and class that it did not suffice.
func (l *limiter) trip(name string, b Allowance, left int) {
	at := slices.IndexFunc(l.trips, func(t Trip) bool { return t.Class == name && t.Budget.Scope == b.Scope })
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
