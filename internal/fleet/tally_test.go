package fleet

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var morning = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// ledgerOf is a replica that only writes actions down and counts them.
func ledgerOf(db *store.DB, c clock.Clock) *Fleet {
	return &Fleet{Config: Config{DB: db, Clock: c}, tallies: map[string]*tally{}}
}

// act writes an action down, as a turn would; a launch that has started something is settled, too.
func (f *Fleet) act(t *testing.T, group, id string, a action, started int) {
	t.Helper()
	doc := store.Doc[action]{Meta: store.Meta{ID: id, Account: "act-1", Parent: group, State: pending, At: f.Clock.Now()}, Value: a}
	err := f.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		if doc, err = actions.Insert(ctx, tx, doc); err != nil {
			return err
		}
		f.count(tx, doc)
		return nil
	})
	if err == nil && started >= 0 {
		err = f.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			doc.Value.Started = started
			return f.settle(ctx, tx, doc, settled, "")
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func launchOf(n int, why plan.Reason) action {
	return action{Launch: &cloud.Launch{Count: n}, Reason: why, Price: 100}
}

func (f *Fleet) usedBy(t *testing.T, group string, target int) (own, all breaker.Allowance) {
	t.Helper()
	return f.budgetsOf(t, group, target, false)
}

func (f *Fleet) budgetsOf(t *testing.T, group string, target int, exact bool) (own, all breaker.Allowance) {
	t.Helper()
	list, err := f.allowances(t.Context(), store.Doc[record]{Meta: store.Meta{ID: group, Account: "act-1"}}, Intent{Capacity: Capacity{Target: target}}, plan.Observed{}, exact)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		switch {
		case b.Span != 0:
		case strings.HasPrefix(b.Scope, "group "):
			own = b
		default:
			all = b
		}
	}
	return own, all
}

func TestWhatWasDoneIsCountedOnceByWhicheverReplicaAndForgottenAfterAnHour(t *testing.T) {
	t.Parallel()
	db, c := storetest.Memory(t), clock.NewManual(morning)
	one, two := ledgerOf(db, c), ledgerOf(db, c)
	one.usedBy(t, "sig-1", 10) // both have looked before anything happened
	two.usedBy(t, "sig-1", 10)
	one.act(t, "sig-1", "a1", launchOf(5, plan.ReasonCapacity), 3)
	one.act(t, "sig-1", "a2", launchOf(4, plan.ReasonCheaper), -1)
	two.act(t, "sig-1", "a3", action{Leave: []string{"i-1", "i-2"}, Departures: 2}, -1)
	two.act(t, "sig-2", "a4", launchOf(7, plan.ReasonUnhealthy), 0)
	c.Advance(2 * time.Second)
	for name, f := range map[string]*Fleet{"the first": one, "the second": two, "one that starts now": ledgerOf(db, c)} {
		own, all := f.usedBy(t, "sig-1", 10)
		if want := (breaker.Churn{Launches: 3, Moves: 4, Departures: 2, Spend: 700}); own.Used != want || all.Used != want {
			t.Errorf("%s counts %+v, and %+v in the account", name, own.Used, all.Used)
		}
		if !own.Opens.Equal(morning.Add(time.Hour)) {
			t.Errorf("%s opens at %s", name, own.Opens)
		}
	}
	c.Advance(time.Hour)
	for _, f := range []*Fleet{one, two} {
		if own, all := f.usedBy(t, "sig-1", 10); own.Used != (breaker.Churn{}) || all.Used != (breaker.Churn{}) || !own.Opens.IsZero() {
			t.Errorf("after an hour: %+v %+v", own, all)
		}
	}
}

func TestAnAccountsBudgetGrowsWithItsGroups(t *testing.T) {
	t.Parallel()
	f := ledgerOf(storetest.Memory(t), clock.NewManual(morning))
	for n := range 50 {
		f.usedBy(t, fmt.Sprint("sig-", n), 10)
	}
	if _, all := f.usedBy(t, "sig-0", 20); all.Limit.Launches != breaker.ForAccount("", breaker.Size{Target: 510})[0].Limit.Launches {
		t.Errorf("510 wanted instances allow %d launches", all.Limit.Launches)
	}
}

func TestNothingIsHeldBackForSizesThatGrewAtAnotherReplica(t *testing.T) {
	t.Parallel()
	db, c := storetest.Memory(t), clock.NewManual(morning)
	one, two := ledgerOf(db, c), ledgerOf(db, c)
	two.usedBy(t, "sig-0", 1) // it has looked before the account grew
	c.Advance(time.Second)
	for n := range 40 {
		group := fmt.Sprint("sig-", n+1)
		if _, err := groups.Insert(t.Context(), db, store.Doc[record]{Meta: store.Meta{ID: group, Account: "act-1", State: active, At: c.Now()}, Value: record{Target: 3}}); err != nil {
			t.Fatal(err)
		}
		one.act(t, group, fmt.Sprint("a", n), launchOf(3, plan.ReasonCapacity), 3)
	}
	c.Advance(2 * time.Second)
	for range 2 { // also when it has counted the launches already
		if _, all := two.budgetsOf(t, "sig-0", 1, true); all.Used.Launches != 120 || all.Limit.Launches != breaker.ForAccount("", breaker.Size{Target: 121})[0].Limit.Launches {
			t.Errorf("%d launches are allowed, of which %d were made; 121 instances are wanted", all.Limit.Launches, all.Used.Launches)
		}
	}
}

func BenchmarkBudgetsOfABusyAccount(b *testing.B) {
	c := clock.NewManual(morning)
	f := ledgerOf(storetest.Memory(b), c)
	t := f.tallyOf("act-1")
	t.readAt, t.sizedAt = morning, morning
	for n := range 100_000 {
		t.take(store.Doc[action]{Meta: store.Meta{ID: fmt.Sprint(n), Parent: fmt.Sprint("sig-", n%10_000), State: settled, At: morning}, Value: action{Launch: &cloud.Launch{}, Started: 1}})
	}
	for b.Loop() {
		doc := store.Doc[record]{Meta: store.Meta{ID: "sig-1", Account: "act-1"}}
		if _, err := f.allowances(context.Background(), doc, Intent{}, plan.Observed{}, false); err != nil {
			b.Fatal(err)
		}
	}
}
