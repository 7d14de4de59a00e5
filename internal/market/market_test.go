package market

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

const region = "us-east-1"

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// stall is a market over a store of its own, with a clock to turn.
type stall struct {
	*Market
	db    *store.DB
	clock *clock.Manual
}

func open(t testing.TB) stall {
	t.Helper()
	return over(t, storetest.Memory(t), clock.NewManual(noon))
}

// over is a replica's market: a store shared with others, a memory of its own.
func over(t testing.TB, db *store.DB, c *clock.Manual) stall {
	t.Helper()
	m, err := New(Config{DB: db, Clock: c, Catalog: catalog.AWS()})
	if err != nil {
		t.Fatal(err)
	}
	return stall{m, db, c}
}

func spot(typ, zone string) cloud.Market {
	return cloud.Market{Region: region, Zone: region + zone, Type: typ, Product: catalog.Linux, Lifecycle: cloud.Spot}
}

func (s stall) observe(t testing.TB, in cloud.Market, price money.Price, from time.Time) {
	t.Helper()
	if err := s.Observe(t.Context(), "sim", []cloud.Price{{Market: in, Price: price, From: from}}); err != nil {
		t.Fatal(err)
	}
}

func (s stall) refused(t testing.TB, account string, r cloud.Refusal) {
	t.Helper()
	err := s.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return s.Refused(ctx, tx, account, region, &r) })
	if err != nil {
		t.Fatal(err)
	}
}

func (s stall) lost(t testing.TB, account string, in cloud.Market) {
	t.Helper()
	if err := s.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return s.Lost(ctx, tx, account, in) }); err != nil {
		t.Fatal(err)
	}
}

func (s stall) snapshot(t testing.TB, account string) Snapshot {
	t.Helper()
	shot, err := s.Snapshot(t.Context(), account, "sim", region, catalog.Linux)
	if err != nil {
		t.Fatal(err)
	}
	return shot
}

func (s Snapshot) find(t testing.TB, in cloud.Market) Pool {
	t.Helper()
	for _, p := range s.Pools {
		if p.Market == in {
			return p
		}
	}
	t.Fatalf("no pool %s in the snapshot", in.PoolKey())
	return Pool{}
}

func TestBeforeAnyFeedTheCatalogueSpeaksAndTheSnapshotIsStale(t *testing.T) {
	s := open(t)
	shot := s.snapshot(t, "act-1")
	p := shot.find(t, spot("m5.large", "a"))
	offer, _ := catalog.AWS().Offer(region, catalog.Linux, "m5.large")
	if !shot.Stale || p.Source != SourceCatalogue || p.Price != offer.Spot || p.OnDemand != offer.OnDemand || p.VCPUs != 2 {
		t.Errorf("stale %v, pool %+v, offer %+v", shot.Stale, p, offer)
	}
	if p.Risk <= 0 || p.Risk >= 0.3 {
		t.Errorf("risk %v is not of a vendor's class", p.Risk)
	}
	onDemand := p.Market
	onDemand.Lifecycle = cloud.OnDemand
	if od := shot.find(t, onDemand); od.Risk != 0 || od.Price != offer.OnDemand {
		t.Errorf("on demand has risk %v and price %s", od.Risk, od.Price)
	}
}

func TestPoolsComeByTypeZoneAndLifecycle(t *testing.T) {
	shot := open(t).snapshot(t, "act-1")
	pools := shot.Pools
	of := 0
	for n, p := range pools {
		if n > 0 && pools[n-1].Market.Type == p.Market.Type {
			continue
		}
		some := shot.Of(p.Market.Type)
		if of += len(some); len(some) == 0 || some[0] != p || some[len(some)-1].Market.Type != p.Market.Type {
			t.Errorf("of %s come %+v", p.Market.Type, some)
		}
	}
	if of != len(pools) || len(shot.Of("m0.none")) > 0 {
		t.Errorf("%d pools by type, %d in all", of, len(pools))
	}
	if len(pools) < 1000 {
		t.Fatalf("only %d pools", len(pools))
	}
	key := func(p Pool) string {
		return p.Market.Type + "\x00" + p.Market.Zone + "\x00" + string(p.Market.Lifecycle)
	}
	for n := 1; n < len(pools); n++ {
		if key(pools[n-1]) >= key(pools[n]) {
			t.Fatalf("%v stands before %v", pools[n-1].Market, pools[n].Market)
		}
	}
}

func TestAFeedsPriceCountsForADayAndThenTheCatalogueAgain(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	s.observe(t, in, 41_000, noon.Add(-time.Hour))
	shot := s.snapshot(t, "act-1")
	if p := shot.find(t, in); shot.Stale || p.Price != 41_000 || p.Source != SourceFeed || !p.PriceAt.Equal(noon.Add(-time.Hour)) {
		t.Errorf("stale %v, pool %+v", shot.Stale, p)
	}
	s.clock.Advance(freshFor + time.Minute)
	shot = s.snapshot(t, "act-1")
	if p := shot.find(t, in); !shot.Stale || p.Source != SourceCatalogue {
		t.Errorf("a silent feed still counts: stale %v, pool %+v", shot.Stale, p)
	}
}

func TestAFeedThatStandsStillIsNotTakenForADeadOne(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	for range 72 {
		s.observe(t, in, 41_000, noon)
		if s.snapshot(t, "act-1").Stale {
			t.Fatalf("stale at %s although the feed speaks every hour", s.clock.Now())
		}
		s.clock.Advance(time.Hour)
	}
	pages, _, err := prices().List(t.Context(), s.db, everybody(), store.Query{States: []string{"sim/" + region}})
	if err != nil || len(pages) != 4 {
		t.Errorf("%d pages for parts of 4 days, want 4 (%v)", len(pages), err)
	}
}

func TestUnknownRegionsAndProductsAreRefused(t *testing.T) {
	s := open(t)
	for _, c := range [][2]string{{"mars-north-1", catalog.Linux}, {region, "BeOS"}} {
		if _, err := s.Snapshot(t.Context(), "act-1", "sim", c[0], c[1]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v, want invalid", c, err)
		}
	}
}

func TestARefusalCoolsItsScopeForItsAccountOnly(t *testing.T) {
	linux := spot("m5.large", "a")
	for _, c := range []struct {
		name    string
		refusal cloud.Refusal
		inside  []cloud.Market
		outside []cloud.Market
		span    time.Duration
	}{
		{"pool", cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: linux.PoolKey(), Code: "InsufficientInstanceCapacity"},
			[]cloud.Market{linux}, []cloud.Market{spot("m5.large", "b"), spot("c5.large", "a")}, poolCooling},
		{"quota", cloud.Refusal{Kind: cloud.NoQuota, Scope: cloud.ScopeQuota, Key: "Standard/spot", Code: "MaxSpotInstanceCountExceeded"},
			[]cloud.Market{linux, spot("c5.large", "b")}, []cloud.Market{spot("g4dn.xlarge", "a")}, quotaCooling},
		{"unknown quota", cloud.Refusal{Kind: cloud.NoQuota, Scope: cloud.ScopeQuota, Key: "Quantum", Code: "LimitExceeded"},
			[]cloud.Market{linux, spot("g4dn.xlarge", "a")}, nil, quotaCooling},
		{"account", cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount, Key: region, Code: "RequestLimitExceeded"},
			[]cloud.Market{linux, spot("g4dn.xlarge", "a")}, nil, throttleCooling},
		{"subnet", cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopeSubnet, Key: "subnet-1", Code: "InsufficientFreeAddressesInSubnet"},
			nil, []cloud.Market{linux}, subnetCooling},
		{"never", cloud.Refusal{Kind: cloud.BadRequest, Code: "InvalidAMIID.Malformed"}, nil, []cloud.Market{linux}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			before := s.snapshot(t, "act-1")
			s.refused(t, "act-1", c.refusal)
			shot := s.snapshot(t, "act-1")
			for _, in := range c.inside {
				if p := shot.find(t, in); !p.CoolUntil.Equal(noon.Add(c.span)) || p.Why == "" {
					t.Errorf("%s cools until %s (%q), want %s", in.PoolKey(), p.CoolUntil, p.Why, noon.Add(c.span))
				}
				if p := s.snapshot(t, "act-2").find(t, in); !p.CoolUntil.IsZero() {
					t.Errorf("%s cools for another account", in.PoolKey())
				}
				if p := before.find(t, in); !p.CoolUntil.IsZero() {
					t.Errorf("a snapshot that was taken before has changed")
				}
			}
			for _, in := range c.outside {
				if p := shot.find(t, in); !p.CoolUntil.IsZero() {
					t.Errorf("%s cools although it is outside the scope", in.PoolKey())
				}
			}
			if c.span > 0 && (len(shot.Cooling) != 1 || shot.Cooling[0].Key != c.refusal.Key) {
				t.Errorf("cooling scopes: %+v", shot.Cooling)
			}
			s.clock.Advance(c.span + time.Second)
			if again := s.snapshot(t, "act-1"); len(again.Cooling) != 0 {
				t.Errorf("still cools after %s: %+v", c.span, again.Cooling)
			}
		})
	}
}

func TestCoolingDoublesWithEachRepeatUpToItsCapAndIsForgiven(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	r := cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: in.PoolKey(), Code: "InsufficientInstanceCapacity"}
	for _, want := range []time.Duration{poolCooling, poolCoolingMax, poolCoolingMax} {
		s.refused(t, "act-1", r)
		s.refused(t, "act-1", r) // asked at the same moment by another worker: no repeat
		if got := s.snapshot(t, "act-1").find(t, in).CoolUntil.Sub(s.clock.Now()); got != want {
			t.Fatalf("cools for %s, want %s", got, want)
		}
		s.clock.Advance(want + time.Second)
	}
	s.clock.Advance(forgiveAfter)
	s.refused(t, "act-1", r)
	if got := s.snapshot(t, "act-1").find(t, in).CoolUntil.Sub(s.clock.Now()); got != poolCooling {
		t.Errorf("after a quiet time it cools for %s, want %s", got, poolCooling)
	}
}

func TestALossRaisesThePoolsRiskAndCoolsIt(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	prior := s.snapshot(t, "act-1").find(t, in).Risk
	s.lost(t, "act-1", in)
	once := s.snapshot(t, "act-1").find(t, in)
	for range 20 {
		s.lost(t, "act-1", in) // one storm: losses of a pool come together
	}
	p := s.snapshot(t, "act-1").find(t, in)
	if p.Risk <= prior || p.CoolUntil.IsZero() || p.Law != once.Law {
		t.Errorf("risk %v after a loss, %v before; cools until %s; after a storm %v", once.Risk, prior, p.CoolUntil, p.Law)
	}
	if other := s.snapshot(t, "act-1").find(t, spot("m5.large", "b")).Risk; other <= prior || other >= p.Risk {
		t.Errorf("the same type in another zone has risk %v, want more than %v and less than %v", other, prior, p.Risk)
	}
	if stranger := s.snapshot(t, "act-1").find(t, spot("c5.large", "b")).Law.Scarcity; stranger != 0 {
		t.Errorf("a type that has nothing to do with it has scarcity %v", stranger)
	}
}

func TestWhatIsKeptAndWhatIsSignalledCountsForEveryReplica(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		time := clock.NewManual(noon)
		here, there := over(t, at.Open(t), time), over(t, at.Open(t), time)
		in := spot("m5.large", "a")
		tell := func(tell func(ctx context.Context, tx *store.Tx) error) {
			if err := here.db.Tx(t.Context(), tell); err != nil {
				t.Fatal(err)
			}
		}
		here.lost(t, "act-1", in)
		time.Advance(HeldEvery)
		for range 20 {
			tell(func(ctx context.Context, tx *store.Tx) error {
				return here.Held(ctx, tx, "act-1", region, []cloud.Market{in})
			})
			time.Advance(HeldEvery)
		}
		kept := there.snapshot(t, "act-1").find(t, in).Law
		if kept.Age < 9 || kept.Scarcity == 0 {
			t.Errorf("after ten hours in which it kept what was in it, the other replica has %+v", kept)
		}
		tell(func(ctx context.Context, tx *store.Tx) error { return here.Signalled(ctx, tx, "act-1", in) })
		time.Advance(reread)
		if after := there.snapshot(t, "act-1").find(t, in).Law; after.Scarcity <= kept.Scarcity {
			t.Errorf("a signal leaves the scarcity at %v, it was %v", after.Scarcity, kept.Scarcity)
		}
		if stranger := there.snapshot(t, "act-2").find(t, in).Law; stranger.Scarcity != 0 {
			t.Errorf("another account's law is %+v", stranger)
		}
	})
}

func TestAPriceAboveTheUsualRaisesTheRisk(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	before := s.snapshot(t, "act-1").find(t, in)
	s.observe(t, in, 2*before.Usual, noon)
	if after := s.snapshot(t, "act-1").find(t, in); after.Risk <= before.Risk {
		t.Errorf("at %s, twice the usual, the risk is %v; it was %v", after.Price, after.Risk, before.Risk)
	}
}

func TestOnlyTheFirstLossOfAStormMakesANewView(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	s.lost(t, "act-1", in)
	after := s.snapshot(t, "act-1").Pools
	s.lost(t, "act-1", in)
	if again := s.snapshot(t, "act-1").Pools; &again[0] != &after[0] {
		t.Error("a loss that changed nothing made a new view")
	}
	s.lost(t, "act-1", spot("m5.large", "b"))
	if other := s.snapshot(t, "act-1"); &other.Pools[0] == &after[0] || other.find(t, spot("m5.large", "b")).CoolUntil.IsZero() {
		t.Error("another pool's loss is not seen")
	}
}

func TestReplicasSeeEachOthersRefusalsAndPricesWithinASecond(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		time := clock.NewManual(noon)
		here, there := over(t, at.Open(t), time), over(t, at.Open(t), time)
		in := spot("m5.large", "a")
		here.observe(t, in, 41_000, noon)
		there.snapshot(t, "act-1")
		here.refused(t, "act-1", cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: in.PoolKey(), Code: "X"})
		here.observe(t, in, 42_000, noon)
		time.Advance(reread)
		if p := there.snapshot(t, "act-1").find(t, in); p.CoolUntil.IsZero() || p.Price != 42_000 {
			t.Errorf("the other replica sees %+v", p)
		}
		// Both write the same page: the slower one reads first, and loses nothing.
		there.observe(t, spot("m5.large", "b"), 43_000, noon)
		here.observe(t, spot("m5.large", "c"), 44_000, noon)
		time.Advance(reread)
		for zone, want := range map[string]money.Price{"a": 42_000, "b": 43_000, "c": 44_000} {
			if p := there.snapshot(t, "act-1").find(t, spot("m5.large", zone)); p.Price != want {
				t.Errorf("zone %s costs %s, want %s", zone, p.Price, want)
			}
		}
	})
}

func TestADryRunLeavesNoTrace(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	dry := store.WithDryRun(t.Context())
	if err := s.Observe(dry, "sim", []cloud.Price{{Market: in, Price: 1, From: noon}}); err != nil {
		t.Fatal(err)
	}
	if p := s.snapshot(t, "act-1").find(t, in); p.Source != SourceCatalogue {
		t.Errorf("a dry run changed the price: %+v", p)
	}
}

func BenchmarkSnapshotOfARegion(b *testing.B) {
	s := open(b)
	var feed []cloud.Price
	for n, p := range s.snapshot(b, "act-1").Pools {
		if p.Market.Lifecycle == cloud.Spot {
			feed = append(feed, cloud.Price{Market: p.Market, Price: p.Price + money.Price(n%7), From: noon})
		}
	}
	began := time.Now()
	if err := s.Observe(b.Context(), "sim", feed); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "first-feed-ms")
	s.lost(b, "act-1", spot("m5.large", "a"))
	for _, c := range []struct {
		name  string
		every time.Duration
	}{{"unchanged", 0}, {"reread", reread}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s.clock.Advance(c.every)
				if len(s.snapshot(b, "act-1").Pools) == 0 {
					b.Fatal("empty")
				}
			}
		})
	}
	b.Run("rebuilt", func(b *testing.B) {
		in := spot("m5.large", "a")
		price := money.Price(50_000)
		for b.Loop() {
			b.StopTimer()
			price++
			s.observe(b, in, price, s.clock.Now())
			b.StartTimer()
			s.snapshot(b, "act-1")
		}
	})
	b.Run("yardstick: copy the pools", func(b *testing.B) {
		pools := s.snapshot(b, "act-1").Pools
		for b.Loop() {
			if fmt.Sprint(len(append([]Pool(nil), pools...))) == "" {
				b.Fatal()
			}
		}
	})
}

func TestASnapshotInsideATransactionWaitsForNoFeed(t *testing.T) {
	s := open(t)
	in := spot("m5.large", "a")
	s.observe(t, in, 40_000, noon)
	fed := make(chan error, 1)
	err := s.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		go func() {
			fed <- s.Observe(context.Background(), "sim", []cloud.Price{{Market: in, Price: 41_000, From: noon}})
		}()
		for range 200 { // the feed's transaction waits for ours all the while
			if _, err := s.Snapshot(ctx, "act-1", "sim", region, catalog.Linux); err != nil {
				return err
			}
			s.clock.Advance(reread)
		}
		return s.Lost(ctx, tx, "act-1", in)
	})
	if err := errors.Join(err, <-fed); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(reread)
	if p := s.snapshot(t, "act-1").find(t, in); p.Price != 41_000 || p.CoolUntil.IsZero() {
		t.Errorf("after both: %+v", p)
	}
}

func TestAnAccountThatIsDeniedIsAskedForAgainAfterAMinuteAndAfterTenAtTheLatest(t *testing.T) {
	s := open(t)
	denied := cloud.Refusal{Kind: cloud.Denied, Code: "UnauthorizedOperation", Message: "not authorized"}
	for n, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		if wait := s.Wait("act-1", region, &denied); wait != want*time.Minute {
			t.Errorf("before refusal %d it says %s, want %d min", n+1, wait, want)
		}
		s.refused(t, "act-1", denied)
		until := s.snapshot(t, "act-1").find(t, spot("m5.large", "a")).CoolUntil
		if got := until.Sub(s.clock.Now()); got != want*time.Minute {
			t.Errorf("after refusal %d it cools for %s, want %d min", n+1, got, want)
		}
		s.clock.Advance(want * time.Minute)
	}
}
