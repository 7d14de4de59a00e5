package ledger

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var spot = cloud.Market{Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}

// book is a working price book of one market: prices from moments on, the last one for ever.
type book []market.Segment

func (b book) Prices(_ context.Context, _ string, _ cloud.Market, from, until time.Time) ([]market.Segment, error) {
	var held []market.Segment
	for _, s := range b {
		s.From, s.Until = later(s.From, from), earlier(s.Until, until)
		if s.From.Before(s.Until) {
			held = append(held, s)
		}
	}
	return held, nil
}

// bookOf makes a price book from prices that each hold until the next one begins.
func bookOf(start time.Time, changes ...market.Segment) book {
	for i := range changes {
		changes[i].Until = start.AddDate(10, 0, 0)
		if i > 0 {
			changes[i-1].Until = changes[i].From
		}
	}
	return changes
}

func steady() book {
	return bookOf(noon, market.Segment{From: noon.AddDate(-1, 0, 0), Price: 30_000, OnDemand: 96_000, Source: "feed"})
}

// bench is a ledger on a database of its own, with a clock that stands still.
type bench struct {
	*Ledger
	testing.TB
	clock *clock.Manual
}

func newBench(t testing.TB, prices PriceBook) bench {
	t.Helper()
	return benchOn(t, storetest.Open(t, store.Config{Memory: true}), prices)
}

func benchOn(t testing.TB, db *store.DB, prices PriceBook) bench {
	manual := clock.NewManual(noon)
	return bench{Ledger: New(Config{DB: db, Clock: manual, Market: prices}), TB: t, clock: manual}
}

func (b bench) open(m Meter) {
	b.Helper()
	b.must(b.db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error { return b.Open(ctx, tx, m) }))
}

func (b bench) close(instance string, at time.Time) {
	b.Helper()
	b.must(b.db.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error { return b.Close(ctx, tx, "act-1", instance, at) }))
}

func (b bench) post() {
	b.Helper()
	b.must(b.Post(b.Context()))
}

func (b bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b bench) cost(from, to time.Time) Cost {
	b.Helper()
	lines, err := b.Lines(b.Context(), "act-1", "sig-1", from, to)
	b.must(err)
	return Sum(lines)
}

// stored is what the collection of lines holds, as costs.
func (b bench) stored() (total Cost, count int) {
	b.Helper()
	docs, _, err := posted.List(b.Context(), b.db, store.Account("act-1"), store.Query{})
	b.must(err)
	for _, doc := range docs {
		total.add(doc.Value.line(Meter{}))
	}
	return total, len(docs)
}

func meter(instance string, from time.Time) Meter {
	return Meter{Instance: instance, Request: "sir-" + instance, Account: "act-1", Group: "sig-1", Provider: "sim", Market: spot, From: from}
}

// at is the cost of so many seconds at steady prices.
func at(seconds int64) Cost {
	return Cost{Running: time.Duration(seconds) * time.Second, Actual: money.Amount(30_000 * seconds), Potential: money.Amount(96_000 * seconds)}
}

func check[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestARunningMeterCostsItsSecondsBeforeAnythingIsPosted(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.clock.Advance(90*time.Second + 700*time.Millisecond)
	check(t, "cost", b.cost(noon, noon.Add(time.Hour)), at(90))
}

func TestOpeningTwiceChangesNothing(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.open(meter("i-1", noon.Add(30*time.Second)))
	b.clock.Advance(time.Minute)
	check(t, "cost", b.cost(noon, noon.Add(time.Hour)), at(60))
}

func TestClosingEndsTheMeterOnce(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.clock.Advance(time.Hour)
	b.close("i-1", noon.Add(10*time.Minute+900*time.Millisecond))
	b.close("i-1", noon.Add(20*time.Minute))
	b.close("i-never", noon)
	check(t, "cost", b.cost(noon, noon.Add(time.Hour)), at(600))
}

func TestAnEndBeforeTheStartCostsNothing(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.close("i-1", noon.Add(-time.Minute))
	b.clock.Advance(time.Hour)
	b.post()
	check(t, "cost", b.cost(noon.Add(-time.Hour), noon.Add(time.Hour)), Cost{})
}

func TestANewsOfTheEndThatComesLateTakesPostedSecondsBack(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.clock.Advance(5 * time.Hour)
	b.post()
	if before, _ := b.stored(); before != at(4*3600) {
		t.Fatalf("posted %v before the end was known", before)
	}
	b.close("i-1", noon.Add(90*time.Minute))
	check(t, "cost", b.cost(noon, noon.Add(24*time.Hour)), at(5400))
	b.post()
	after, count := b.stored()
	check(t, "stored", after, at(5400))
	check(t, "stored lines", count, 2)
	check(t, "cost after posting", b.cost(noon, noon.Add(24*time.Hour)), at(5400))
}

func TestAnEndWithoutADateIsNow(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.clock.Advance(time.Minute)
	b.close("i-1", time.Time{})
	b.clock.Advance(time.Minute)
	check(t, "cost", b.cost(noon, noon.Add(time.Hour)), at(60))
}

func TestAMeterOfAnotherAccountIsNeitherClosedNorCounted(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon))
	b.must(b.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return b.Close(ctx, tx, "act-2", "i-1", noon) }))
	b.clock.Advance(time.Minute)
	check(t, "own cost", b.cost(noon, noon.Add(time.Hour)), at(60))
	lines, err := b.Lines(t.Context(), "act-2", "", noon, noon.Add(time.Hour))
	b.must(err)
	check(t, "lines seen by the other account", len(lines), 0)
	err = b.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		m := meter("i-1", noon)
		m.Account = "act-2"
		return b.Open(ctx, tx, m)
	})
	check(t, "opening another account's meter", fault.KindOf(err), fault.Exists)
}

func TestAMeterWithoutInstanceAccountOrStartIsRefused(t *testing.T) {
	b := newBench(t, steady())
	for _, broken := range []Meter{{Account: "act-1", From: noon}, {Instance: "i-1", From: noon}, {Instance: "i-1", Account: "act-1"}} {
		err := b.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return b.Open(ctx, tx, broken) })
		check(t, fmt.Sprintf("opening %+v", broken), fault.KindOf(err), fault.Internal)
	}
}

func TestWithoutAGroupTheWholeAccountIsCounted(t *testing.T) {
	b := newBench(t, steady())
	for i, group := range []string{"sig-1", "sig-2", ""} {
		m := meter(fmt.Sprintf("i-%d", i), noon)
		m.Group = group
		b.open(m)
	}
	b.clock.Advance(3 * time.Hour)
	b.post()
	lines, err := b.Lines(t.Context(), "act-1", "", noon, noon.Add(3*time.Hour))
	b.must(err)
	check(t, "account", Sum(lines), at(3*3*3600))
	check(t, "group", b.cost(noon, noon.Add(3*time.Hour)), at(3*3600))
	if !slices.IsSortedFunc(lines, func(a, c Line) int { return a.From.Compare(c.From) }) {
		t.Error("lines are not in order of time")
	}
}
