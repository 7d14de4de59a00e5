package breaker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/offer"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

const bazaar = "ap-southeast-4" // one of the smallest regions of the catalogue

func wares() []string {
	return []string{"c5.large", "m5.large", "m6g.large", "m7g.large", "r5.large", "r6g.large"}
}

// poison is one way in which a price may be wrong; step counts from 1.
type poison struct {
	name  string
	steps int
	wait  time.Duration // before each step
	price func(r *rand.Rand, good money.Price, step int) money.Price
	// creeps: each step could be a market's own, so only how far it goes is bounded.
	creeps bool
}

func poisons() []poison {
	of := func(list ...func(money.Price) money.Price) func(*rand.Rand, money.Price, int) money.Price {
		return func(r *rand.Rand, good money.Price, _ int) money.Price { return list[r.IntN(len(list))](good) }
	}
	power := func(x float64) func(*rand.Rand, money.Price, int) money.Price {
		return func(_ *rand.Rand, good money.Price, step int) money.Price {
			return money.Price(float64(good) * math.Pow(x, float64(step)))
		}
	}
	zero, negative := func(money.Price) money.Price { return 0 }, func(p money.Price) money.Price { return -p }
	dear, cheap := func(p money.Price) money.Price { return p * 1000 }, func(p money.Price) money.Price { return p / 1000 }
	least, most := func(money.Price) money.Price { return math.MinInt64 }, func(money.Price) money.Price { return math.MaxInt64 }
	return []poison{
		{name: "zero", steps: 3, wait: time.Minute, price: of(zero)},
		{name: "negative", steps: 3, wait: time.Minute, price: of(negative)},
		{name: "a thousand times", steps: 3, wait: time.Minute, price: of(dear)},
		{name: "a thousandth", steps: 3, wait: time.Minute, price: of(cheap)},
		{name: "beyond all numbers", steps: 3, wait: time.Minute, price: of(least, most)},
		{name: "mixed", steps: 3, wait: time.Minute, price: of(zero, negative, dear, cheap, least, most)},
		{name: "frozen", steps: 3, wait: 6 * time.Hour, price: of(func(p money.Price) money.Price { return p })},
		{name: "silent", steps: 2, wait: 25 * time.Hour},
		{name: "creeping up", steps: 9, wait: 5 * time.Minute, price: power(1.4), creeps: true},
		{name: "creeping down", steps: 9, wait: 5 * time.Minute, price: power(1 / 1.4), creeps: true},
	}
}

// trader is one seed's price feed, with the group that buys by it.
type trader struct {
	*madhouse
	*poison
	market   *market.Market
	clock    *clock.Manual
	provider string
	markets  []cloud.Market
	good     map[cloud.Market]money.Price
	hit      func(cloud.Market) bool
	hitsAll  bool
	own      *patient
}

// newTrader has a feed of its own in a market that is shared, and a group of one size that has settled by good prices.
func newTrader(t *testing.T, m *market.Market, c *clock.Manual, seed uint64) *trader {
	all := poisons()
	w := &trader{
		madhouse: newMadhouse(seed), poison: &all[seed%uint64(len(all))], market: m, clock: c, provider: fmt.Sprint("cloud-", seed), good: map[cloud.Market]money.Price{},
	}
	w.groups = w.groups[:1]
	w.own = w.groups[0]
	choice := &w.own.intent.Choice
	choice.SpotTypes, choice.OnDemandTypes, choice.Zones = wares(), wares(), catalog.AWS().Zones(bazaar)
	w.own.intent.Region, w.own.intent.Product, w.spend = bazaar, catalog.Linux, 0
	for _, typ := range wares() {
		listed, _ := catalog.AWS().Offer(bazaar, catalog.Linux, typ)
		in := cloud.Market{Region: bazaar, Type: typ, Product: catalog.Linux, Lifecycle: cloud.OnDemand}
		w.markets, w.good[in] = append(w.markets, in), listed.OnDemand
		in.Lifecycle = cloud.Spot
		for _, in.Zone = range choice.Zones {
			w.markets, w.good[in] = append(w.markets, in), listed.OnDemand*money.Price(25+w.random.IntN(25))/100
		}
	}
	one, typ := w.markets[w.random.IntN(len(w.markets))], wares()[w.random.IntN(len(wares()))]
	share := 1 + w.random.IntN(4)
	hits := []func(cloud.Market) bool{
		func(cloud.Market) bool { return true },
		func(in cloud.Market) bool { return in.Type == typ },
		func(in cloud.Market) bool { return in == one },
		func(cloud.Market) bool { return w.random.IntN(share) == 0 },
	}
	kind := w.random.IntN(len(hits))
	w.hit, w.hitsAll = hits[kind], kind == 0
	w.tell(t, w.good)
	w.treat(w.own, w.offered(t))
	for n := range w.own.observed.Instances {
		i := &w.own.observed.Instances[n]
		i.Condition, i.WasHealthy, i.LaunchedAt = plan.Healthy, true, w.now.Add(-3*time.Hour)
	}
	return w
}

func (w *trader) pass(d time.Duration) {
	w.clock.Advance(d)
	w.now = w.clock.Now()
}

func (w *trader) tell(t *testing.T, prices map[cloud.Market]money.Price) {
	var told []cloud.Price
	for _, in := range w.markets {
		told = append(told, cloud.Price{Market: in, Price: prices[in], From: w.clock.Now()})
	}
	w.now = w.clock.Now()
	if err := w.market.Observe(t.Context(), w.provider, told); err != nil {
		t.Fatal(err)
	}
}

func (w *trader) snapshot(t *testing.T) market.Snapshot {
	s, err := w.market.Snapshot(t.Context(), "act-1", w.provider, bazaar, catalog.Linux)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *trader) offered(t *testing.T) plan.Market {
	return offer.Market(w.own.intent, w.snapshot(t), nil)
}

// raw is what would be offered if the feed were believed.
func raw(m plan.Market, told map[cloud.Market]money.Price) plan.Market {
	m.Stale = false
	for n := range m.Pools {
		p := &m.Pools[n]
		in := cloud.Market{Region: bazaar, Zone: p.Zone, Type: p.Type, Product: catalog.Linux, Lifecycle: cloud.Spot}
		if p.Lifecycle == plan.Spot {
			p.Price = told[in]
		}
	}
	return m
}

func moved(d plan.Decision) (n int) {
	for _, a := range d.Actions {
		if a.Verb == plan.LaunchVerb && IsVoluntary(a.Reason) {
			n += a.Count
		}
	}
	return n
}

// wrong tells which price is not as it should be, "" when all are.
func (w *trader) wrong(s market.Snapshot) string {
	for _, p := range s.Pools {
		good, watched := w.good[p.Market]
		switch {
		case !watched || p.Source == market.SourceCatalogue:
		case w.creeps && (p.Price > 10*p.OnDemand || p.Price < p.OnDemand/50), w.creeps && w.hitsAll && (p.Price > 10*good || p.Price < good/10), !w.creeps && p.Price != good:
			return fmt.Sprintf("%s for %s, where %s is right", p.Price, p.Market.PoolKey(), good)
		}
	}
	return ""
}

func TestAPoisonedFeedMovesNothingAndHoldsUpNoRecovery(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(morning)
	m, err := market.New(market.Config{DB: storetest.Memory(t), Clock: c, Catalog: catalog.AWS()})
	if err != nil {
		t.Fatal(err)
	}
	tempted, doubted := 0, 0
	for seed := range uint64(1000) {
		w := newTrader(t, m, c, seed)
		for step := 1; step <= w.steps; step++ {
			w.pass(w.wait)
			told := map[cloud.Market]money.Price{}
			for _, in := range w.markets {
				told[in] = w.good[in]
				if w.price != nil && w.hit(in) {
					told[in] = w.price(w.random, w.good[in], step)
				}
			}
			if w.price != nil {
				w.tell(t, told)
			}
			seen := w.snapshot(t)
			if wrong := w.wrong(seen); wrong != "" {
				t.Fatalf("seed %d, %s, step %d: %s", seed, w.name, step, wrong)
			}
			offered := offer.Market(w.own.intent, seen, nil)
			if w.price != nil && moved(plan.Plan(w.own.intent, w.own.observed, raw(offer.Market(w.own.intent, seen, nil), told), w.now)) > 0 {
				tempted++
			}
			if seen.Stale {
				doubted++
			}
			d, _ := w.treat(w.own, offered)
			if n := moved(d); n > 0 && (seen.Stale || !w.creeps) {
				t.Fatalf("seed %d, %s, step %d: %d moves, stale %v", seed, w.name, step, n, seen.Stale)
			}
			w.within(t, seed)
		}
		w.recovers(t, seed)
		w.pass(time.Minute)
		w.tell(t, w.good)
		w.creeps = false
		if s := w.snapshot(t); s.Stale || w.wrong(s) != "" {
			t.Fatalf("seed %d, %s: the feed is sound again, but stale %v, %s", seed, w.name, s.Stale, w.wrong(s))
		}
	}
	if tempted < 200 || doubted < 500 {
		t.Errorf("the feeds would have led to moves only %d times, and were doubted %d times", tempted, doubted)
	}
}

// within checks what was done against every budget.
func (w *trader) within(t *testing.T, seed uint64) {
	for _, b := range w.budgets(w.own) {
		if wrong := excess(b); wrong != "" {
			t.Fatalf("seed %d, %s, %s: %s", seed, w.name, b.Scope, wrong)
		}
	}
}

// recovers loses a part of the fleet, which is replaced at once whatever the feed tells.
func (w *trader) recovers(t *testing.T, seed uint64) {
	kept := len(w.own.observed.Instances) / 3
	lost := w.own.intent.Capacity.Target - kept
	w.own.observed.Instances = w.own.observed.Instances[:kept]
	d, trips := w.treat(w.own, w.offered(t))
	launched := -moved(d)
	for _, a := range d.Actions {
		if a.Verb == plan.LaunchVerb {
			launched += a.Count
		}
	}
	trips = slices.DeleteFunc(trips, func(trip Trip) bool { return trip.Class == moves })
	// Where instances were moving, those on their way out are replaced too.
	if launched < lost || launched > lost && !w.creeps || slices.ContainsFunc(trips, func(t Trip) bool { return t.Class != moves }) {
		t.Fatalf("seed %d, %s: %d were lost, %d launched; %v", seed, w.name, lost, launched, trips)
	}
	w.within(t, seed)
}
