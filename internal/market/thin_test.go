package market

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func TestThinningKeepsOnePricePerMarketAndWhatHeldAtTheEnd(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		quotes := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) quote {
			return quote{Zone: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "zone"), Product: "Linux/UNIX", Lifecycle: cloud.Spot,
				Price: money.Price(rapid.IntRange(1, 9).Draw(r, "price")), From: noon.Add(time.Duration(rapid.IntRange(0, 99).Draw(r, "from")) * time.Minute)}
		}), 0, 6)
		newest := map[string]page{}
		var pages []store.Doc[page]
		for n := range rapid.IntRange(0, 12).Draw(r, "pages") {
			typ := rapid.SampledFrom([]string{"m5.large", "c5.large"}).Draw(r, "type")
			p := page{Region: region, Type: typ, Opening: newest[typ].closing(), Changes: quotes.Draw(r, "changes")}
			newest[typ] = p
			pages = append(pages, store.Doc[page]{Meta: store.Meta{ID: fmt.Sprint(n)}, Value: p})
		}
		slices.Reverse(pages)
		cut := rapid.IntRange(0, len(pages)).Draw(r, "cut") // pages are read a few at a time
		seen := map[string]bool{}
		reduced, dropped := thin(pages[:cut], seen)
		more, others := thin(pages[cut:], seen)
		reduced, dropped = append(reduced, more...), append(dropped, others...)
		if len(dropped) != len(pages)-len(newest) {
			r.Fatalf("%d of %d pages of %d types were dropped", len(dropped), len(pages), len(newest))
		}
		for _, doc := range reduced {
			if slices.Contains(dropped, doc.ID) || !slices.Equal(doc.Value.closing(), newest[doc.Value.Type].closing()) {
				r.Fatalf("%s ends with %v, and ended with %v", doc.ID, doc.Value, newest[doc.Value.Type])
			}
			if len(doc.Value.Opening) > 0 || len(doc.Value.Changes) != len(doc.Value.closing()) {
				r.Fatalf("more than a price for each market: %v", doc.Value)
			}
		}
		if again, gone := thin(reduced, map[string]bool{}); len(again)+len(gone) != 0 {
			r.Fatalf("thinned again: %v %v", again, gone)
		}
	})
}

// watch observes a price every hour for some days; the price tells the hour.
func (s stall) watch(t *testing.T, in cloud.Market, days int) {
	t.Helper()
	for range days * 24 {
		s.observe(t, in, s.price(), s.clock.Now())
		s.clock.Advance(time.Hour)
	}
}

func (s stall) price() money.Price {
	return money.Price(30_000 + s.clock.Now().Sub(noon)/time.Hour)
}

func (s stall) pages(t *testing.T) int {
	t.Helper()
	n, err := prices().Count(t.Context(), s.db, everybody(), store.Query{States: []string{feedKey{"sim", region}.String()}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOldPricesBecomeFewAndTheLastDaysAndWhatIsNotPostedStayExact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		s := open(t)
		s = over(t, at.Open(t), s.clock)
		in := spot("m5.large", "a")
		s.watch(t, in, 30)
		now := s.clock.Now()
		exact := s.prices(t, in, noon, now)
		thinned := func(posted time.Time, pages int, since time.Time) {
			t.Helper()
			if err := s.Thin(t.Context(), posted); err != nil {
				t.Fatal(err)
			}
			if n := s.pages(t); n != pages {
				t.Errorf("%d pages are left, not %d", n, pages)
			}
			if got, want := s.prices(t, in, since, now), s.since(exact, since); !slices.Equal(got, want) {
				t.Errorf("since %s: %d prices, not %d", since, len(got), len(want))
			}
		}
		thinned(time.Time{}, 31, noon)
		thinned(noon, 31, noon)
		// Posted up to the fifth day: of the Saturday and Sunday one page stays, and of the two whole days after them.
		posted := noon.Add(4 * 24 * time.Hour)
		thinned(posted, 29, posted.Truncate(24*time.Hour))
		// The weekend, three weeks, and Monday to Thursday leave a page each; Friday to Monday stay as they are.
		thinned(now, 5+4, now.Add(-keepExact))
		thinned(now, 5+4, now.Add(-keepExact))
		for _, c := range []struct{ at, from time.Time }{
			{monday(0).Add(-time.Hour), monday(0).Add(-time.Hour)}, // the last price of a week, to its date
			{monday(1).Add(-time.Hour), monday(1).Add(-time.Hour)},
			{monday(0).Add(30 * time.Hour), monday(0).Add(-time.Hour)}, // in the middle of it: that of the week before
		} {
			got, want := s.prices(t, in, c.at, c.at.Add(time.Minute)), holding(exact, c.from)
			if len(got) != 1 || got[0].Price != want.Price || got[0].Source != SourceFeed {
				t.Errorf("at %s: %+v, not the price of %s, %+v", c.at, got, c.from, want)
			}
		}
		s.watch(t, in, 10)
		if err := s.Thin(t.Context(), s.clock.Now()); err != nil {
			t.Fatal(err)
		}
		if n := s.pages(t); n > 12 {
			t.Errorf("%d pages after ten days more", n)
		}
		if fresh, old := over(t, s.db, s.clock).snapshot(t, "act-1"), s.snapshot(t, "act-1"); !slices.Equal(fresh.Pools, old.Pools) {
			t.Error("a fresh market reads something else")
		}
	})
}

// monday is the begin of a week after noon.
func monday(n int) time.Time { return noon.Truncate(week).Add(time.Duration(n+1) * week) }

// since is the part of a list that holds after a moment.
func (s stall) since(list []Segment, from time.Time) (part []Segment) {
	for _, p := range list {
		if p.Until.After(from) {
			p.From = latest(p.From, from)
			part = append(part, p)
		}
	}
	return part
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
