package ledger

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// drawBook is any sequence of prices over the day around noon, changing at any instant.
func drawBook(t *rapid.T) book {
	moments := rapid.SliceOfN(rapid.Int64Range(-12*3600_000, 12*3600_000), 0, 12).Draw(t, "changes, in ms from noon")
	slices.Sort(moments)
	changes := []market.Segment{{From: noon.AddDate(-1, 0, 0)}}
	for _, ms := range slices.Compact(moments) {
		changes = append(changes, market.Segment{From: noon.Add(time.Duration(ms) * time.Millisecond)})
	}
	for i := range changes {
		changes[i].Price = money.Price(rapid.Int64Range(0, 5_000_000).Draw(t, "price"))
		changes[i].OnDemand = money.Price(rapid.Int64Range(0, 9_000_000).Draw(t, "on demand"))
		changes[i].Source = "feed"
	}
	return bookOf(noon, changes...)
}

// bySeconds counts a meter's cost the slow way: one second after the other, each at the price of its beginning.
func bySeconds(prices book, began, ended, from, to time.Time) Cost {
	var total Cost
	for second := floor(began); second.Before(floor(ended)); second = second.Add(time.Second) {
		if second.Before(from) || !second.Before(to) {
			continue
		}
		for _, s := range prices {
			if !second.Before(s.From) && second.Before(s.Until) {
				total.Running += time.Second
				total.Actual += money.Amount(s.Price)
				total.Potential += money.Amount(s.OnDemand)
			}
		}
	}
	return total
}

func drawInstant(t *rapid.T, name string, span time.Duration) time.Time {
	return noon.Add(time.Duration(rapid.Int64Range(0, int64(span/time.Millisecond)).Draw(t, name)) * time.Millisecond)
}

func TestCutLinesCountEverySecondOnceAtItsPrice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prices := drawBook(t)
		from := floor(drawInstant(t, "from", 3*time.Hour))
		to := from.Add(time.Duration(rapid.IntRange(0, 3*3600).Draw(t, "seconds")) * time.Second)
		held, _ := prices.Prices(context.Background(), "sim", spot, from, to)
		lines, err := cut(meter("i-1", from), from, to, held)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := Sum(lines), bySeconds(prices, from, to, from, to); got != want {
			t.Fatalf("got %v, second by second %v", got, want)
		}
		at := from
		for _, line := range lines {
			if !line.From.Equal(at) || !line.From.Before(line.To) || line.To.After(line.From.Truncate(time.Hour).Add(time.Hour)) {
				t.Fatalf("line %s … %s does not follow %s inside one hour", line.From, line.To, at)
			}
			at = line.To
		}
		middle := drawInstant(t, "cut at", 6*time.Hour)
		var left, right []Line
		for _, line := range lines {
			if part, ok := line.within(from, middle); ok {
				left = append(left, part)
			}
			if part, ok := line.within(middle, to); ok {
				right = append(right, part)
			}
		}
		if middle = ceil(middle); !middle.Before(from) && !middle.After(to) {
			if got, want := Sum(append(left, right...)), Sum(lines); got != want {
				t.Fatalf("parts before and after %s make %v, the whole %v", middle, got, want)
			}
		}
	})
}

func TestPricesWithAGapAreRefused(t *testing.T) {
	until := noon.Add(time.Hour)
	for name, gapped := range map[string][]market.Segment{
		"none":      nil,
		"at start":  {{From: noon.Add(time.Second), Until: until}},
		"inside":    {{From: noon, Until: noon.Add(time.Minute)}, {From: noon.Add(2 * time.Minute), Until: until}},
		"at end":    {{From: noon, Until: until.Add(-time.Second)}},
		"all empty": {{From: noon, Until: noon}},
	} {
		if _, err := cut(meter("i-1", noon), noon, until, gapped); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a gap %s gives %v", name, err)
		}
	}
}

// life is what happens to one instance.
type life struct {
	id           string
	began, ended time.Time
	told         time.Time // when the ledger hears of the end
	opened, gone bool
}

func drawLives(t *rapid.T) []*life {
	lives := make([]*life, rapid.IntRange(1, 4).Draw(t, "instances"))
	for i := range lives {
		began := drawInstant(t, "began", 6*time.Hour)
		ended := began.Add(time.Duration(rapid.Int64Range(0, int64(6*time.Hour)/1e6).Draw(t, "ran ms")) * time.Millisecond)
		late := rapid.SampledFrom([]time.Duration{0, time.Second, 50 * time.Minute, 2 * time.Hour, 5 * time.Hour}).Draw(t, "told late")
		lives[i] = &life{id: fmt.Sprintf("i-%d", i), began: began, ended: ended, told: ended.Add(late)}
	}
	return lives
}

// tick lets the ledger hear what it can have heard by now.
func (l *life) tick(t *rapid.T, ledger *Ledger, now time.Time) {
	err := ledger.db.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
		if !now.Before(l.began) {
			l.opened = true
			if err := ledger.Open(ctx, tx, meter(l.id, l.began)); err != nil {
				return err
			}
		}
		if now.Before(l.told) {
			return nil
		}
		l.gone = true
		return ledger.Close(ctx, tx, "act-1", l.id, l.ended)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seen is when the instance ends as far as the ledger can know.
func (l *life) seen(now time.Time) time.Time {
	if l.gone {
		return l.ended
	}
	return now
}

func TestCostsAgreeWithCountingEverySecondUnderAnySchedule(t *testing.T) {
	db := storetest.Open(t, store.Config{Memory: true})
	rapid.Check(t, func(t *rapid.T) {
		wipe(t, db)
		prices, lives := drawBook(t), drawLives(t)
		now := clock.NewManual(noon)
		ledger := New(Config{DB: db, Clock: now, Market: prices})
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			now.Advance(rapid.SampledFrom([]time.Duration{0, 1234 * time.Millisecond, 7 * time.Minute, time.Hour, 3 * time.Hour}).Draw(t, "step"))
			for _, l := range lives {
				l.tick(t, ledger, now.Now())
			}
			for range rapid.IntRange(0, 2).Draw(t, "posts") {
				if err := ledger.Post(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			from := drawInstant(t, "from", 10*time.Hour)
			to := from.Add(time.Duration(rapid.Int64Range(0, 12*3600_000).Draw(t, "range ms")) * time.Millisecond)
			agree(t, ledger, prices, lives, from, to)
			agree(t, ledger, prices, lives, noon, noon.AddDate(0, 0, 2))
		}
		now.Advance(24 * time.Hour)
		for _, l := range lives {
			l.tick(t, ledger, now.Now())
		}
		if err := ledger.Post(context.Background()); err != nil {
			t.Fatal(err)
		}
		agree(t, ledger, prices, lives, noon, noon.AddDate(0, 0, 2))
		kept(t, ledger, prices, lives)
	})
}

// kept checks that the stored lines alone, once everything has settled, are every second exactly once.
func kept(t *rapid.T, ledger *Ledger, prices book, lives []*life) {
	docs, _, err := posted.List(context.Background(), ledger.db, store.Account("act-1"), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var got, want Cost
	for _, doc := range docs {
		got.add(doc.Value.line(Meter{}))
	}
	for _, l := range lives {
		one := bySeconds(prices, l.began, l.ended, noon, noon.AddDate(0, 0, 2))
		want.Running, want.Actual, want.Potential = want.Running+one.Running, want.Actual+one.Actual, want.Potential+one.Potential
	}
	if got != want {
		t.Fatalf("stored lines make %v, second by second %v", got, want)
	}
}

// agree compares the ledger's answer with the slow count.
func agree(t *rapid.T, ledger *Ledger, prices book, lives []*life, from, to time.Time) {
	lines, err := ledger.Lines(context.Background(), "act-1", "sig-1", from, to)
	if err != nil {
		t.Fatal(err)
	}
	var want Cost
	for _, l := range lives {
		if l.opened {
			one := bySeconds(prices, l.began, l.seen(ledger.clock.Now()), from, to)
			want.Running, want.Actual, want.Potential = want.Running+one.Running, want.Actual+one.Actual, want.Potential+one.Potential
		}
	}
	if got := Sum(lines); got != want {
		t.Fatalf("%s … %s: got %v, second by second %v", from, to, got, want)
	}
}

func wipe(t *rapid.T, db *store.DB) {
	ctx := context.Background()
	err := db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM meters"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM ledger_lines")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
