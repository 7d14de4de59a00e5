package market

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// onDemand is the market of a type's on-demand price, as a feed tells it.
func onDemand(typ string) cloud.Market {
	return cloud.Market{Region: region, Type: typ, Product: catalog.Linux, Lifecycle: cloud.OnDemand}
}

func TestAPriceOnDemandIsToldOnceForAllZonesAndBothLifecycles(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	s.observe(t, in, 40_000, noon)
	s.snapshot(t, "act-1") // from now on it is patched
	s.observe(t, onDemand("m5.large"), 123_000, noon)
	for _, shot := range []Snapshot{s.snapshot(t, "act-1"), over(t, s.db, s.clock).snapshot(t, "act-1")} {
		pools := shot.Of("m5.large")
		if len(pools) < 4 {
			t.Fatalf("%d pools", len(pools))
		}
		for _, p := range pools {
			isOnDemand := p.Market.Lifecycle == cloud.OnDemand
			if p.OnDemand != 123_000 || isOnDemand != (p.Price == 123_000) || isOnDemand && (p.Source != SourceFeed || !p.PriceAt.Equal(noon)) {
				t.Errorf("%+v", p)
			}
		}
		if p := shot.find(t, in); p.Price != 40_000 {
			t.Errorf("spot costs %s", p.Price)
		}
	}
}

func TestSavingsAreCountedAgainstThePriceOnDemandOfTheirTime(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	s.observe(t, in, 40_000, noon)
	s.observe(t, onDemand("m5.large"), 123_000, noon.Add(time.Hour))
	offer, _ := catalog.AWS().Offer(region, catalog.Linux, "m5.large")
	want := []Segment{
		{noon, noon.Add(time.Hour), 40_000, offer.OnDemand, SourceFeed},
		{noon.Add(time.Hour), noon.Add(2 * time.Hour), 40_000, 123_000, SourceFeed},
	}
	list := s.prices(t, in, noon, noon.Add(2*time.Hour))
	if len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("got %+v", list)
	}
	in.Lifecycle = cloud.OnDemand
	list = s.prices(t, in, noon, noon.Add(2*time.Hour))
	if len(list) != 2 || list[0].Price != offer.OnDemand || list[1].Price != 123_000 || list[1].OnDemand != 123_000 || list[1].Source != SourceFeed {
		t.Errorf("on demand: %+v", list)
	}
}

// sellers is a market in which the regions of "sim" tell what they sell.
func sellers(t *testing.T) (stall, *catalog.Cloud) {
	t.Helper()
	db, c, own := storetest.Memory(t), clock.NewManual(noon), catalog.AWS().Copy()
	m, err := New(Config{DB: db, Clock: c, Clouds: map[string]*catalog.Cloud{"sim": own}})
	if err != nil {
		t.Fatal(err)
	}
	return stall{m, db, c}, own
}

func TestANewTypeIsSoldOnceItsPricesAreKnown(t *testing.T) {
	s, own := sellers(t)
	s.snapshot(t, "act-1")
	own.Amend(region, []catalog.Sold{
		{Type: catalog.Type{Name: "m99z.large", VCPUs: 2, Arch: "x86_64"}, Zones: []string{region + "a"}, Spot: true},
		{Type: catalog.Type{Name: "m5.large"}, Zones: []string{region + "b"}, Spot: true},
	})
	if pools := s.snapshot(t, "act-1").Of("m99z.large"); len(pools) != 0 {
		t.Errorf("without any price: %+v", pools)
	}
	s.observe(t, spot("m99z.large", "a"), 40_000, noon)
	if pools := s.snapshot(t, "act-1").Of("m99z.large"); len(pools) != 0 {
		t.Errorf("without a price on demand: %+v", pools)
	}
	s.observe(t, onDemand("m99z.large"), 100_000, noon)
	pools := s.snapshot(t, "act-1").Of("m99z.large")
	if len(pools) != 2 || pools[0].Price != 100_000 || pools[1].Price != 40_000 || pools[1].OnDemand != 100_000 || pools[1].VCPUs != 2 || pools[1].Risk <= 0 {
		t.Errorf("%+v", pools)
	}
	if list := s.prices(t, spot("m99z.large", "a"), noon, noon.Add(time.Hour)); len(list) != 1 || list[0].Price != 40_000 || list[0].OnDemand != 100_000 {
		t.Errorf("%+v", list)
	}
	if err := s.Observe(t.Context(), "sim", []cloud.Price{{Market: spot("m99z.large", "a"), Price: 1_100_000, From: noon}}); err != nil {
		t.Fatal(err)
	}
	if p := s.snapshot(t, "act-1").find(t, spot("m99z.large", "a")); p.Price != 40_000 {
		t.Errorf("eleven times the price on demand was believed: %+v", p)
	}
}

func TestWhereATypeIsNotSoldItIsNotBoughtFromThatProvider(t *testing.T) {
	s, own := sellers(t)
	s.snapshot(t, "act-1")
	own.Amend(region, []catalog.Sold{{Type: catalog.Type{Name: "m5.large"}, Zones: []string{region + "b"}, Spot: true}})
	for _, p := range s.snapshot(t, "act-1").Pools {
		if p.Market.Type != "m5.large" || p.Market.Zone != region+"b" {
			t.Fatalf("%+v is not sold", p.Market)
		}
	}
	elsewhere, err := s.Snapshot(t.Context(), "act-1", "other", region, catalog.Linux)
	if err != nil || len(elsewhere.Of("c5.large")) == 0 {
		t.Errorf("another provider goes by the embedded facts: %v", err)
	}
}

func TestAMarketWithoutAnyPriceIsNotFound(t *testing.T) {
	s, own := sellers(t)
	own.Amend(region, []catalog.Sold{{Type: catalog.Type{Name: "m99z.large"}, Zones: []string{region + "a"}, Spot: true}})
	if list, err := s.Prices(t.Context(), "sim", spot("m99z.large", "a"), noon, noon.Add(time.Hour)); !fault.Is(err, fault.NotFound) {
		t.Errorf("%+v, %v", list, err)
	}
	s.observe(t, onDemand("m99z.large"), 100_000, noon)
	list := s.prices(t, spot("m99z.large", "a"), noon, noon.Add(time.Hour))
	if len(list) != 1 || list[0].Price != 100_000 || list[0].Source != SourceFeed {
		t.Errorf("spot that nobody listed costs no more than on demand: %+v", list)
	}
}
