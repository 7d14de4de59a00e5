package breaker

import (
	"slices"
	"time"
)

// Tally counts what an account's groups did within the last hour and minute, each deed once. It is not safe for concurrent use.
type Tally struct {
	newest  time.Time
	seen    map[string]*entry
	windows []*window
	groups  map[string][]*entry // by group
}

// window is what was done within a span, oldest first.
type window struct {
	span  time.Duration
	order []*entry
	used  Churn
}

type entry struct {
	id      string
	at      time.Time
	windows []*window // that count it
	Churn
}

// NewTally has counted nothing.
func NewTally() *Tally {
	return &Tally{seen: map[string]*entry{}, windows: []*window{{span: Minute}, {span: Hour}}, groups: map[string][]*entry{}}
}

// Newest is when the newest deed was done that was ever put in.
func (t *Tally) Newest() time.Time { return t.newest }

// Put counts a group's deed. One that was counted before is counted anew, from when it was first seen.
func (t *Tally) Put(id, group string, at time.Time, c Churn) {
	if at.After(t.newest) {
		t.newest = at
	}
	if known, ok := t.seen[id]; ok {
		for _, w := range known.windows {
			w.used.Add(known.times(-1))
			w.used.Add(c)
		}
		known.Churn = c
		return
	}
	if c == (Churn{}) {
		return
	}
	e := &entry{id: id, at: at, windows: slices.Clone(t.windows), Churn: c}
	t.seen[id] = e
	t.groups[group] = append(t.groups[group], e)
	for _, w := range t.windows {
		n := len(w.order)
		for n > 0 && w.order[n-1].at.After(at) { // what another replica did may be seen late
			n--
		}
		w.order = slices.Insert(w.order, n, e)
		w.used.Add(c)
	}
}

// forget drops what no longer counts. The longest window knows the others' entries too.
func (t *Tally) forget(now time.Time) {
	for _, w := range t.windows {
		old := 0
		for _, e := range w.order {
			if e.at.Add(w.span).After(now) {
				break
			}
			w.used.Add(e.times(-1))
			e.windows = slices.DeleteFunc(e.windows, func(of *window) bool { return of == w })
			if len(e.windows) == 0 {
				delete(t.seen, e.id)
			}
			old++
		}
		w.order = slices.Delete(w.order, 0, old)
	}
}

// All is what was done within a span, and when the oldest of it no longer counts.
func (t *Tally) All(now time.Time, span time.Duration) (used Churn, opens time.Time) {
	t.forget(now)
	for _, w := range t.windows {
		if w.span == span && len(w.order) > 0 {
			return w.used, w.order[0].at.Add(span)
		}
	}
	return Churn{}, time.Time{}
}

// Of is the same for one group.
func (t *Tally) Of(group string, now time.Time, span time.Duration) (used Churn, opens time.Time) {
	list := slices.DeleteFunc(t.groups[group], func(e *entry) bool { return !e.at.Add(Hour).After(now) })
	if len(list) == 0 {
		delete(t.groups, group)
		return Churn{}, time.Time{}
	}
	t.groups[group] = list
	for _, e := range list {
		if until := e.at.Add(span); until.After(now) {
			used.Add(e.Churn)
			if opens.IsZero() || until.Before(opens) {
				opens = until
			}
		}
	}
	return used, opens
}
