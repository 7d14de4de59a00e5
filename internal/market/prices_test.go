package market

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
)

func (s stall) prices(t interface {
	Helper()
	Fatal(...any)
}, in cloud.Market, from, until time.Time) []Segment {
	t.Helper()
	list, err := s.Prices(context.Background(), "sim", in, from, until)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPricesAreTheFeedsFromItsDatesAndTheCataloguesBefore(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	s.observe(t, in, 40_000, noon.Add(-time.Hour))
	s.clock.Advance(30 * time.Hour)
	s.observe(t, in, 40_000, noon.Add(-time.Hour)) // nothing new
	s.observe(t, in, 45_000, noon.Add(20*time.Hour))
	list := s.prices(t, in, noon.Add(-2*time.Hour), noon.Add(40*time.Hour))
	offer, _ := catalog.AWS().Offer(region, catalog.Linux, "m5.large")
	want := []Segment{
		{noon.Add(-2 * time.Hour), noon.Add(-time.Hour), offer.Spot, offer.OnDemand, SourceCatalogue},
		{noon.Add(-time.Hour), noon.Add(20 * time.Hour), 40_000, offer.OnDemand, SourceFeed},
		{noon.Add(20 * time.Hour), noon.Add(40 * time.Hour), 45_000, offer.OnDemand, SourceFeed},
	}
	if len(list) != len(want) {
		t.Fatalf("got %+v", list)
	}
	for n := range want {
		if list[n] != want[n] {
			t.Errorf("segment %d: got %+v, want %+v", n, list[n], want[n])
		}
	}
}

func TestOnDemandHasOnePriceAndUnknownMarketsHaveNone(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	in.Lifecycle = cloud.OnDemand
	if list := s.prices(t, in, noon, noon.Add(time.Hour)); len(list) != 1 || list[0].Price != list[0].OnDemand || list[0].Price == 0 {
		t.Errorf("got %+v", list)
	}
	in.Type = "m99.huge"
	if _, err := s.Prices(t.Context(), "sim", in, noon, noon.Add(time.Hour)); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown type: %v, want not found", err)
	}
	if list := s.prices(t, in, noon, noon); len(list) != 0 {
		t.Errorf("an empty span has prices: %+v", list)
	}
}

func TestPricesLeaveNoGapAndAskingInPartsGivesTheSame(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	at := noon
	for n := range 200 {
		s.observe(t, in, money.Price(30_000+n%5*1000), at.Add(-time.Duration(n%7)*time.Minute))
		s.clock.Advance(time.Duration(n%37) * 10 * time.Minute)
		at = s.clock.Now()
	}
	minutes := int(at.Sub(noon)/time.Minute) + 600
	rapid.Check(t, func(r *rapid.T) {
		from := noon.Add(time.Duration(rapid.IntRange(-300, minutes).Draw(r, "from")) * time.Minute)
		until := from.Add(time.Duration(rapid.IntRange(1, minutes).Draw(r, "span")) * time.Minute)
		middle := from.Add(time.Duration(rapid.Int64Range(0, int64(until.Sub(from))).Draw(r, "middle")))
		whole := s.prices(r, in, from, until)
		checkGapless(r, whole, from, until)
		parts := append(s.prices(r, in, from, middle), s.prices(r, in, middle, until)...)
		checkGapless(r, parts, from, until)
		for _, p := range parts {
			if w := holding(whole, p.From); w.Price != p.Price || w.Source != p.Source {
				r.Fatalf("at %s the whole says %+v, the part %+v", p.From, w, p)
			}
		}
	})
}

func checkGapless(r *rapid.T, list []Segment, from, until time.Time) {
	at := from
	for _, s := range list {
		if !s.From.Equal(at) || !s.Until.After(s.From) || s.Price <= 0 {
			r.Fatalf("a gap or an empty segment at %s: %+v", at, list)
		}
		at = s.Until
	}
	if !at.Equal(until) {
		r.Fatalf("ends at %s, want %s", at, until)
	}
}

func holding(list []Segment, at time.Time) Segment {
	for _, s := range list {
		if !at.Before(s.From) && at.Before(s.Until) {
			return s
		}
	}
	return Segment{}
}

func TestWhatIsPatchedInMemoryIsWhatAFreshMarketReads(t *testing.T) {
	s := open(t)
	for n := range 60 { // some days, with changes of the page
		in := spot([]string{"m5.large", "c5.large", "r5.xlarge"}[n%3], string(rune('a'+n%4)))
		if n%7 == 0 {
			in.Product = catalog.Windows
		}
		s.observe(t, in, money.Price(30_000+n*100), s.clock.Now())
		s.clock.Advance(time.Duration(n) * time.Minute)
		old := s.snapshot(t, "act-1")
		fresh := over(t, s.db, s.clock).snapshot(t, "act-1")
		if len(old.Pools) != len(fresh.Pools) || old.Stale != fresh.Stale {
			t.Fatalf("%d pools and stale %v, fresh %d and %v", len(old.Pools), old.Stale, len(fresh.Pools), fresh.Stale)
		}
		for i := range old.Pools {
			if old.Pools[i] != fresh.Pools[i] {
				t.Fatalf("after %d feeds: %+v, fresh %+v", n, old.Pools[i], fresh.Pools[i])
			}
		}
	}
}
