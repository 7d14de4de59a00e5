package breaker

import (
	"slices"
	"time"
)

// Tally counts what an account's groups did within the last Span, each deed once. It is not safe for concurrent use.
type Tally struct {
	newest time.Time
	seen   map[string]*entry
	order  []*entry            // by when they were first seen
	groups map[string][]*entry // the same, by group
	used   Churn
}

type entry struct {
	id string
	at time.Time
	Churn
}

// NewTally has counted nothing.
func NewTally() *Tally { return &Tally{seen: map[string]*entry{}, groups: map[string][]*entry{}} }

// Newest is when the newest deed was done that was ever put in.
func (t *Tally) Newest() time.Time { return t.newest }

// Put counts a group's deed. One that was counted before is counted anew, from when it was first seen.
func (t *Tally) Put(id, group string, at time.Time, c Churn) {
	if at.After(t.newest) {
		t.newest = at
	}
	if known, ok := t.seen[id]; ok {
		t.used.Add(known.negative())
		known.Churn = c
		t.used.Add(c)
		return
	}
	if c == (Churn{}) {
		return
	}
	e := &entry{id: id, at: at, Churn: c}
	t.seen[id] = e
	t.order = append(t.order, e)
	t.groups[group] = append(t.groups[group], e)
	t.used.Add(c)
}

func (e *entry) negative() Churn {
	return Churn{Moves: -e.Moves, Launches: -e.Launches, Departures: -e.Departures, Spend: -e.Spend}
}

// All is what was done within the span, and when the oldest of it no longer counts.
func (t *Tally) All(now time.Time) (used Churn, opens time.Time) {
	old := 0
	for _, e := range t.order {
		if e.at.Add(Span).After(now) {
			break
		}
		t.used.Add(e.negative())
		delete(t.seen, e.id)
		old++
	}
	t.order = slices.Delete(t.order, 0, old)
	if len(t.order) == 0 {
		return t.used, time.Time{}
	}
	return t.used, t.order[0].at.Add(Span)
}

// Of is the same for one group.
func (t *Tally) Of(group string, now time.Time) (used Churn, opens time.Time) {
	list := slices.DeleteFunc(t.groups[group], func(e *entry) bool { return !e.at.Add(Span).After(now) })
	if len(list) == 0 {
		delete(t.groups, group)
		return Churn{}, time.Time{}
	}
	t.groups[group] = list
	for _, e := range list {
		used.Add(e.Churn)
	}
	return used, list[0].at.Add(Span)
}
