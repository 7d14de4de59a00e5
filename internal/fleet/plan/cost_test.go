package plan

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/money"
)

// lossy gives every spot pool of a market a hazard.
func lossy(m Market, hazard float64) Market {
	m.Pools = slices.Clone(m.Pools)
	for n := range m.Pools {
		if p := &m.Pools[n]; p.Lifecycle == Spot {
			p.Hazard, p.Risk = hazard, 1
		}
	}
	return m
}

func TestTheTermsOfAnOptionAddUpToItsCost(t *testing.T) {
	in := intentOf(10)
	for _, o := range Plan(in, Observed{Instances: fleetOf(3)}, lossy(marketOf(in), 0.05), noon).Options {
		if sum := o.Costs.Price + o.Costs.Loss + o.Costs.Care + o.Costs.Spread; sum-o.Cost > 2 || o.Cost-sum > 2 || (o.Lifecycle == Spot) != (o.Costs.Loss > 0 && o.Costs.Care > 0) {
			t.Errorf("%s in %s: %+v make %s, and the cost is %s", o.Type, o.Zone, o.Costs, sum, o.Cost)
		}
	}
}

// A pool that gets likelier to be lost is never bought more of.
func TestARiskierPoolIsNeverBoughtMoreOf(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		in := intentOf(rapid.IntRange(1, 30).Draw(r, "target"))
		in.Choice.Rule = rapid.SampledFrom([]Rule{Balanced, CostOriented, AvailabilityOriented, Cheapest}).Draw(r, "rule")
		m := marketOf(in)
		for n := range m.Pools {
			if p := &m.Pools[n]; p.Lifecycle == Spot {
				p.Price = money.Price(rapid.Int64Range(20_000, 90_000).Draw(r, "price"))
				p.Hazard = math.Exp(rapid.Float64Range(-10, 0).Draw(r, "hazard"))
			}
		}
		one := &m.Pools[slices.IndexFunc(m.Pools, func(p Pool) bool { return p.Lifecycle == Spot })]
		bought := func() (count int) {
			for _, a := range Plan(in, Observed{}, m, noon).actions(LaunchVerb) {
				if a.Type == one.Type && a.Zone == one.Zone && a.Lifecycle == Spot {
					count += a.Count
				}
			}
			return count
		}
		before := bought()
		one.Hazard *= rapid.Float64Range(1, 100).Draw(r, "times")
		if after := bought(); after > before {
			r.Fatalf("%d were bought, and %d once the pool was riskier", before, after)
		}
	})
}

func TestSpotGivesWayToOnDemandOnceItsLossesMakeItTheDearerOne(t *testing.T) {
	in := intentOf(4)
	for _, c := range []struct {
		hazard   float64 // per hour
		fallback bool
		onDemand int
	}{{0.0001, true, 0}, {0.5, true, 0}, {20, true, 4}, {20, false, 0}} {
		in.Mix.FallbackToOD = c.fallback
		d := Plan(in, Observed{}, lossy(marketOf(in), c.hazard), noon)
		if spot, od := d.launched(); spot+od != 4 || od != c.onDemand {
			t.Errorf("at %v losses an hour, fallback %v: %d spot and %d on demand", c.hazard, c.fallback, spot, od)
		}
		if c.onDemand > 0 && (d.Actions[0].Reason != ReasonVolatile || !strings.Contains(d.Actions[0].Because, "dearer than on demand")) {
			t.Errorf("the reason is %s: %s", d.Actions[0].Reason, d.Actions[0].Because)
		}
	}
}

func TestAFallbackStaysOnDemandWhileSpotWouldBeLostAgainAtOnce(t *testing.T) {
	in := intentOf(3)
	d := Plan(in, Observed{Instances: onFallback(3)}, lossy(marketOf(in), 5), noon)
	if len(d.Actions) > 0 || !d.Next.Equal(noon.Add(dwellRevert)) {
		t.Errorf("at 5 losses an hour: %+v, next %s", d.Actions, d.Next)
	}
	if d = Plan(in, Observed{Instances: onFallback(3)}, lossy(marketOf(in), 0.2), noon); len(d.actions(LaunchVerb)) != 1 {
		t.Errorf("at a loss in five hours: %+v", d.Actions)
	}
}

func TestAMoveSaysWhatItPromisesAndWhatItMayLose(t *testing.T) {
	in := intentOf(3)
	a := Plan(in, Observed{Instances: onFallback(3)}, marketOf(in), noon).actions(LaunchVerb)[0]
	paid, price, hours := money.Price(97_000), money.Price(35_000), 24.0 // on demand, and the cheapest spot market
	saves := money.Amount(float64(paid-price)*hours) * ticks
	if a.Worth == nil || a.Worth.Saves > saves || a.Worth.Saves < saves*9/10 || a.Worth.Risks <= 0 || a.Worth.Within > usualStay || !strings.Contains(a.Because, "is expected to save") {
		t.Errorf("%+v: %s", a.Worth, a.Because)
	}
	if first := Plan(in, Observed{}, marketOf(in), noon).Actions[0]; first.Worth != nil {
		t.Errorf("a launch that moves nothing promises %+v", first.Worth)
	}
}

func TestThePoolOfAFailingMemberIsEvacuatedWhereTheNoticeIsShort(t *testing.T) {
	in := intentOf(6) // three in each zone, all of one type
	for _, c := range []struct {
		notice time.Duration
		policy Policy
		moved  int
	}{{30 * time.Second, ByModel, 3}, {2 * time.Minute, ByModel, 1}, {0, ByModel, 1}, {30 * time.Second, ByLowestPrice, 1}} {
		in.Choice.Policy = c.policy
		observed := Observed{Instances: fleetOf(6), Notice: c.notice}
		observed.Instances[0].InterruptAt = noon.Add(max(c.notice, 30*time.Second))
		d := Plan(in, observed, marketOf(in), noon)
		if spot, od := d.launched(); spot+od != c.moved {
			t.Errorf("with %s of notice, %q: %d are replaced, want %d", c.notice, c.policy, spot+od, c.moved)
		}
		for _, a := range d.actions(LaunchVerb) {
			if a.Type == "m5.large" && a.Zone == "us-east-1a" && c.policy == ByModel {
				t.Errorf("a replacement is bought in the failing pool")
			}
		}
		if drained := d.instances(DrainVerb); slices.Contains(drained, "i-2") || slices.Contains(drained, "i-4") {
			t.Errorf("members without a notice leave before their replacements serve: %v", drained)
		}
	}
}

func TestYardsticksChooseAsTheirNamesSay(t *testing.T) {
	in := intentOf(1)
	in.Choice.Zones = []string{"us-east-1a"}
	m := marketOf(in)
	for n, p := range []struct {
		typ   string
		price money.Price
		depth int
	}{{"m5.large", 30_000, 10}, {"c5.large", 50_000, 900}, {"r5.large", 40_000, 800}} {
		pool := m.pool(p.typ, "us-east-1a", Spot)
		pool.Price, pool.Depth, pool.Risk = p.price, p.depth, 0.2-0.05*float64(n)
	}
	wants := map[Policy]string{ByLowestPrice: "m5.large", ByCapacityOptimized: "c5.large", ByPriceCapacityOptimized: "r5.large"}
	for policy, want := range wants {
		in.Choice.Policy = policy
		if got := Plan(in, Observed{}, m, noon).Actions[0].Type; got != want {
			t.Errorf("%s takes %s, want %s", policy, got, want)
		}
	}
	for n := range m.Pools {
		m.Pools[n].Depth = 0
	}
	in.Choice.Policy = ByCapacityOptimized
	if got := Plan(in, Observed{}, m, noon).Actions[0].Type; got != "r5.large" {
		t.Errorf("without a word on depth capacity-optimized takes %s, want the type that is lost least", got)
	}
	in.Choice.Policy = ByLowestPrice
	signalled := Observed{Instances: fleetOf(1)}
	signalled.Instances[0].RebalanceAt = noon
	if d := Plan(in, signalled, m, noon); len(d.Actions) > 0 {
		t.Errorf("a yardstick moves before the cloud takes anything: %+v", d.Actions)
	}
}

func TestNoRuleStaysInASpotMarketThatCostsMoreThanOnDemand(t *testing.T) {
	for _, c := range []struct {
		others    money.Price // what the other spot markets cost
		fallback  bool
		lifecycle Lifecycle // "" = it stays
	}{{40_000, true, Spot}, {150_000, true, OnDemand}, {150_000, false, ""}} {
		in := intentOf(1)
		in.Mix.FallbackToOD = c.fallback
		m := marketOf(in)
		for n := range m.Pools {
			if m.Pools[n].Lifecycle == Spot {
				m.Pools[n].Price = c.others
			}
		}
		m.pool("m5.large", "us-east-1a", Spot).Price = 150_000
		launches := Plan(in, Observed{Instances: fleetOf(1)}, m, noon).actions(LaunchVerb)
		switch {
		case c.lifecycle == "" && len(launches) > 0, c.lifecycle != "" && len(launches) != 1:
			t.Errorf("others cost %s, fallback %v: %+v", c.others, c.fallback, launches)
		case c.lifecycle != "" && (launches[0].Lifecycle != c.lifecycle || launches[0].Reason != ReasonCheaper || launches[0].Worth == nil):
			t.Errorf("others cost %s: %+v", c.others, launches[0])
		}
	}
}

func TestWhereNoticeIsShortAFleetStandsInMorePools(t *testing.T) {
	in := intentOf(20)
	m := marketOf(in)
	best := m.pool("c5.large", "us-east-1a", Spot)
	best.Price = best.Price * 94 / 100
	largest := func(notice time.Duration) (most int) {
		for _, a := range Plan(in, Observed{Notice: notice}, m, noon).actions(LaunchVerb) {
			most = max(most, a.Count)
		}
		return most
	}
	if long, short := largest(2*time.Minute), largest(30*time.Second); short >= long {
		t.Errorf("the largest part in one pool is %d with two minutes of notice and %d with half a minute", long, short)
	}
}
