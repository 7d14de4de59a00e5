package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/breaker"
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
	count  *breaker.Tally

	sizedAt time.Time
	targets map[string]int
	target  int // the sum
	living  int
}

// churnOf is what an action counts for: a launch what it asks for while it is open, and what it started once it has settled.
func churnOf(a store.Doc[action]) (c breaker.Churn) {
	v := a.Value
	if v.Launch == nil {
		return breaker.Churn{Departures: v.Departures}
	}
	n := v.Launch.Count
	if a.State != pending {
		n = v.Started
	}
	c.Spend = v.Price * money.Price(n)
	if breaker.IsVoluntary(v.Reason) {
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
	if !t.readAt.IsZero() { // else everything will be read at the first look
		t.count.Put(a.ID, a.Parent, a.At, churnOf(a))
	}
}

// look brings the tally up to date; exact makes sure that whatever is counted was done by a group whose size is known. The lock is held.
func (t *tally) look(ctx context.Context, f *Fleet, account string, now time.Time, exact bool) error {
	if t.readAt.IsZero() || now.Sub(t.readAt) >= tallyReread || now.Before(t.readAt) {
		since := now.Add(-breaker.Hour)
		if recent := t.count.Newest().Add(-tallyLap); recent.After(since) {
			since = recent
		}
		docs, _, err := actions.List(ctx, f.DB, store.Account(account), store.Query{Since: since})
		if err != nil {
			return err
		}
		t.readAt = now
		for _, a := range docs {
			t.count.Put(a.ID, a.Parent, a.At, churnOf(a))
		}
	}
	isOld := t.sizedAt.IsZero() || now.Sub(t.sizedAt) >= sizeReread || exact && t.sizedAt.Before(t.readAt)
	if !isOld {
		return nil
	}
	return t.size(ctx, f, account, now)
}

// size reads how large the account's groups are to be, and how many of their instances live.
func (t *tally) size(ctx context.Context, f *Fleet, account string, now time.Time) error {
	docs, _, err := groups.List(ctx, f.DB, store.Account(account), store.Query{States: []string{active}})
	if err != nil {
		return err
	}
	living, err := members.Count(ctx, f.DB, store.Account(account), store.Query{States: plan.AliveStates()})
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

// allowances are those of a group and of its account, as they stand now. Unless they are to be exact, what other replicas' groups grew lately may be missing.
func (f *Fleet) allowances(ctx context.Context, doc store.Doc[record], intent Intent, observed plan.Observed, exact bool) ([]breaker.Allowance, error) {
	now := f.Clock.Now()
	t := f.tallyOf(doc.Account)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.look(ctx, f, doc.Account, now, exact); err != nil {
		return nil, err
	}
	target := intent.Capacity.Target
	t.target += target - t.targets[doc.ID]
	t.targets[doc.ID] = target
	living := len(observed.Instances)
	own := breaker.ForGroup(doc.ID, breaker.Size{Target: target, Living: living, Spend: f.GroupSpendLimit})
	breaker.Use(own, func(span time.Duration) (breaker.Churn, time.Time) { return t.count.Of(doc.ID, now, span) })
	all := breaker.ForAccount(doc.Account, breaker.Size{Target: t.target, Living: max(t.living, living), Spend: f.SpendLimit})
	breaker.Use(all, func(span time.Duration) (breaker.Churn, time.Time) { return t.count.All(now, span) })
	return append(own, all...), nil
}

func (f *Fleet) tallyOf(account string) *tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tallies[account] == nil {
		f.tallies[account] = &tally{count: breaker.NewTally(), targets: map[string]int{}}
	}
	return f.tallies[account]
}

// count takes an action into its account's tally once it is committed.
func (f *Fleet) count(tx *store.Tx, a store.Doc[action]) {
	tx.AfterCommit(func() { f.tallyOf(a.Account).take(a) })
}
