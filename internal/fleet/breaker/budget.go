package breaker

import (
	"cmp"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// The rolling times that budgets are for.
const (
	Hour   = time.Hour
	Minute = time.Minute // so that a fault has not spent the hour's budget before anybody can look
)

// Churn is what was done, or may be done, within a span.
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

func (c Churn) times(n int) Churn {
	return Churn{Moves: n * c.Moves, Launches: n * c.Launches, Departures: n * c.Departures, Spend: money.Price(n) * c.Spend}
}

// class is one kind of Churn as the breaker speaks of it.
type class struct {
	name string
	of   func(Churn) int64
	set  func(*Churn, int) // nil: its limit is an operator's setting, 0 = none
}

// The names of the classes.
const (
	moves      = "moves"        // that only save money: they freeze long before recovery does
	launches   = "launches"     // for everything else
	departures = "terminations" // instances that we take out of service by our own wish
	newCost    = "new cost"     // the hourly price of all that is launched, moves too
)

func classes() []class {
	return []class{
		{moves, func(c Churn) int64 { return int64(c.Moves) }, func(c *Churn, n int) { c.Moves = n }},
		{launches, func(c Churn) int64 { return int64(c.Launches) }, func(c *Churn, n int) { c.Launches = n }},
		{departures, func(c Churn) int64 { return int64(c.Departures) }, func(c *Churn, n int) { c.Departures = n }},
		{newCost, func(c Churn) int64 { return int64(c.Spend) }, nil},
	}
}

func classOf(name string) class {
	for _, c := range classes() {
		if c.name == name {
			return c
		}
	}
	return class{}
}

// text is a class's part of something, for people.
func (c class) text(of Churn) string {
	if c.name == newCost {
		return of.Spend.String()
	}
	return fmt.Sprint(c.of(of))
}

// share is a part of a size, and the least that it comes to.
type share struct{ least, percent int }

func (s share) of(size int) int { return max(s.least, size*s.percent/100) }

// bound is one budget.
type bound struct {
	class          string
	span           time.Duration
	group, account share
}

// bounds is the table of the breaker [all figures ours]. The size is the target, in instances or units; for departures, the living where they are more.
//
// Recovery is never held up: within an hour a fleet may start and lose all that it has five times (recordings of scarce types show three), and within a minute it may start and lose all that it has, as in a
// storm over the only pool of a fleet that has just begun. What the cloud takes, what the user detaches and what is left of a deleted group goes whatever the
// budget says: it is bounded by what was launched.
func bounds() []bound {
	return []bound{
		{moves, Hour, share{10, 300}, share{50, 300}}, // most are back to spot, after shortages that may come thrice an hour too
		{launches, Hour, share{20, 600}, share{100, 600}},
		{launches, Minute, share{10, 200}, share{50, 200}},
		{departures, Hour, share{20, 600}, share{100, 600}},
		{newCost, Hour, share{}, share{}}, // as the operator says
	}
}

// Allowance is what one scope may do within a span, and what it did within the last one. A decision keeps its budgets, so that it can be replayed.
type Allowance struct {
	Scope string        `json:"scope"`          // "group sig-…" or "account act-…"
	Span  time.Duration `json:"span,omitempty"` // 0 = Hour, as all were once
	Limit Churn         `json:"limit"`          // of what has a bound in this span; Spend 0 = without limit
	Used  Churn         `json:"used"`           //
	Opens time.Time     `json:"opens,omitzero"` // when the oldest of what was used no longer counts
}

func (a Allowance) span() time.Duration { return cmp.Or(a.Span, Hour) }

// bounds reports whether an allowance says anything about a class.
func (a Allowance) bounds(c class) bool {
	for _, b := range bounds() {
		if b.class == c.name && b.span == a.span() {
			return c.set != nil || c.of(a.Limit) > 0
		}
	}
	return false
}

// Size is how large a group is, or all groups of an account.
type Size struct {
	Target int
	Living int
	Spend  money.Price // the new cost that it may make within an hour; 0 = no limit
}

// ForGroup are the allowances of a group, as nothing was used yet.
func ForGroup(id string, s Size) []Allowance {
	return allowances("group "+id, s, func(b bound) share { return b.group })
}

// ForAccount are those of an account with all its groups.
func ForAccount(id string, s Size) []Allowance {
	return allowances("account "+id, s, func(b bound) share { return b.account })
}

func allowances(scope string, s Size, part func(bound) share) []Allowance {
	list := []Allowance{{Scope: scope, Limit: Churn{Spend: s.Spend}}, {Scope: scope, Span: Minute}}
	for _, b := range bounds() {
		size := s.Target
		if b.class == departures {
			size = max(size, s.Living)
		}
		for n := range list {
			if set := classOf(b.class).set; set != nil && list[n].span() == b.span {
				set(&list[n].Limit, part(b).of(size))
			}
		}
	}
	return list
}

// Use fills in what was done, as a tally has it.
func Use(list []Allowance, done func(span time.Duration) (used Churn, opens time.Time)) {
	for n := range list {
		list[n].Used, list[n].Opens = done(list[n].span())
	}
}
