package fleet

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	tallyReread = time.Second      // how soon what other replicas did is counted
	sizeReread  = 10 * time.Minute // how soon what other replicas' groups grew is
	tallyLap    = 5 * time.Second  // how late a commit may become visible
)

// tally is what one account did within the last hour, counted from its actions: what every replica wrote down, and each action once.
type tally struct {
	mu     sync.Mutex
	readAt time.Time
	lastAt time.Time
	seen   map[string]*entry
	order  []*entry            // by when they were first seen
	groups map[string][]*entry // the same, by group
	used   churn

	sizedAt time.Time
	targets map[string]int
	target  int // the sum
	living  int
}

type entry struct {
	id, group string
	at        time.Time
	churn
}

// churnOf is what an action counts for: a launch what it asks for while it is open, and what it started once it has settled.
func churnOf(a store.Doc[action]) (c churn) {
	v := a.Value
	if v.Launch == nil {
		return churn{Departures: v.Departures}
	}
	n := v.Launch.Count
	if a.State != pending {
		n = v.Started
	}
	c.Spend = v.Price * money.Price(n)
	if isVoluntary(v.Reason) {
		c.Moves = n
	} else {
		c.Launches = n
	}
	return c
}

// take counts an action, or counts it anew.
func (t *tally) take(a store.Doc[action]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(a)
}

func (t *tally) put(a store.Doc[action]) {
	if t.readAt.IsZero() {
		return // everything will be read at the first look
	}
	if a.At.After(t.lastAt) {
		t.lastAt = a.At
	}
	c := churnOf(a)
	if known, ok := t.seen[a.ID]; ok {
		t.used.add(known.negative())
		known.churn = c
		t.used.add(c)
		return
	}
	if c == (churn{}) {
		return
	}
	e := &entry{id: a.ID, group: a.Parent, at: a.At, churn: c}
	t.seen[a.ID] = e
	t.order = append(t.order, e)
	t.groups[a.Parent] = append(t.groups[a.Parent], e)
	t.used.add(c)
}

func (e *entry) negative() churn {
	return churn{Moves: -e.Moves, Launches: -e.Launches, Departures: -e.Departures, Spend: -e.Spend}
}

// look brings the tally up to date. The lock is held.
func (t *tally) look(ctx context.Context, f *Fleet, account string, now time.Time) error {
	if t.readAt.IsZero() || now.Sub(t.readAt) >= tallyReread || now.Before(t.readAt) {
		since := now.Add(-churnSpan)
		if recent := t.lastAt.Add(-tallyLap); recent.After(since) {
			since = recent
		}
		docs, _, err := actions.List(ctx, f.DB, store.Account(account), store.Query{Since: since})
		if err != nil {
			return err
		}
		t.readAt = now
		for _, a := range docs {
			t.put(a)
		}
	}
	t.expire(now)
	age := now.Sub(t.sizedAt)
	if !t.sizedAt.IsZero() && (age < tallyReread || age < sizeReread && !t.isTight()) {
		return nil
	}
	return t.size(ctx, f, account, now)
}

// isTight reports whether more than half of a budget is used: before anything is held back, the size that it goes by must be known anew, because groups also
// grow through other replicas.
func (t *tally) isTight() bool {
	limit := accountLimit(t.target, t.living, 0)
	return 2*t.used.Moves > limit.Moves || 2*t.used.Launches > limit.Launches || 2*t.used.Departures > limit.Departures
}

// expire drops what is older than the span.
func (t *tally) expire(now time.Time) {
	old := 0
	for _, e := range t.order {
		if e.at.Add(churnSpan).After(now) {
			break
		}
		t.used.add(e.negative())
		delete(t.seen, e.id)
		old++
	}
	t.order = slices.Delete(t.order, 0, old)
}

// size reads how large the account's groups are to be, and how many of their instances live.
func (t *tally) size(ctx context.Context, f *Fleet, account string, now time.Time) error {
	docs, _, err := groups.List(ctx, f.DB, store.Account(account), store.Query{States: []string{active}})
	if err != nil {
		return err
	}
	living, err := members.Count(ctx, f.DB, store.Account(account), store.Query{States: aliveStates()})
	if err != nil {
		return err
	}
	t.targets, t.target, t.living, t.sizedAt = make(map[string]int, len(docs)), 0, living, now
	for _, doc := range docs {
		t.targets[doc.ID] = doc.Value.Target
		t.target += doc.Value.Target
	}
	return nil
}

// within is what a group did within the span, and when the oldest of it no longer counts.
func (t *tally) within(group string, now time.Time) (used churn, opens time.Time) {
	list := t.groups[group]
	list = slices.DeleteFunc(list, func(e *entry) bool { return !e.at.Add(churnSpan).After(now) })
	if len(list) == 0 {
		delete(t.groups, group)
		return churn{}, time.Time{}
	}
	t.groups[group] = list
	for _, e := range list {
		used.add(e.churn)
	}
	return used, list[0].at.Add(churnSpan)
}

// budgets are those of a group and of its account, as they stand now.
func (f *Fleet) budgets(ctx context.Context, doc store.Doc[record], intent Intent, observed plan.Observed) ([]allowance, error) {
	now := f.Clock.Now()
	t := f.tallyOf(doc.Account)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.look(ctx, f, doc.Account, now); err != nil {
		return nil, err
	}
	target := intent.Capacity.Target
	t.target += target - t.targets[doc.ID]
	t.targets[doc.ID] = target
	living := len(observed.Instances)
	used, opens := t.within(doc.ID, now)
	own := allowance{Scope: "group " + doc.ID, Limit: groupLimit(target, living), Used: used, Opens: opens}
	all := allowance{Scope: "account " + doc.Account, Limit: accountLimit(t.target, max(t.living, living), f.SpendLimit), Used: t.used}
	if len(t.order) > 0 {
		all.Opens = t.order[0].at.Add(churnSpan)
	}
	return []allowance{own, all}, nil
}

func (f *Fleet) tallyOf(account string) *tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tallies[account] == nil {
		f.tallies[account] = &tally{seen: map[string]*entry{}, groups: map[string][]*entry{}, targets: map[string]int{}}
	}
	return f.tallies[account]
}

// count takes an action into its account's tally once it is committed.
func (f *Fleet) count(tx *store.Tx, a store.Doc[action]) {
	tx.AfterCommit(func() { f.tallyOf(a.Account).take(a) })
}

// departures counts the actions that take an instance out of service by our own wish.
func departures(list []plan.Action, leaving func(id string) bool) (n int) {
	for _, a := range list {
		if a.Verb != plan.LaunchVerb && !isForced(a.Reason) && !leaving(a.Instance) {
			n++
		}
	}
	return n
}
