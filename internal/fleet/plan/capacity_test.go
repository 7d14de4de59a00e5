package plan

import (
	"testing"
	"time"
)

func TestAnEmptyFleetIsFilledToItsTargetFromSeveralMarkets(t *testing.T) {
	in := intentOf(10)
	d := Plan(in, Observed{}, marketOf(in), noon)
	if spot, od := d.launched(); spot != 10 || od != 0 {
		t.Fatalf("launched %d spot and %d on demand, want 10 and 0: %+v", spot, od, d)
	}
	if pools := len(d.actions(LaunchVerb)); pools < 2 {
		t.Errorf("everything was bought in %d market, want several: %+v", pools, d.Actions)
	}
	if !d.Next.IsZero() {
		t.Errorf("asks for another plan at %s although time alone changes nothing", d.Next)
	}
	t.Log(d.Summary)
	for _, a := range d.Actions {
		t.Log(a.Because)
	}
}

func TestAFleetAtItsTargetIsLeftAlone(t *testing.T) {
	in := intentOf(4)
	d := Plan(in, Observed{Instances: fleetOf(4)}, marketOf(in), noon)
	if len(d.Actions) != 0 || d.Summary != "Nothing to do: 4 of 4 instances serve or are on their way." {
		t.Errorf("got %q with %+v", d.Summary, d.Actions)
	}
}

func TestLaunchesThatHaveNotSettledCount(t *testing.T) {
	in := intentOf(4)
	observed := Observed{Instances: fleetOf(2), Launches: []PendingLaunch{{Action: "act-1", Type: "m5.large", Zone: "us-east-1a", Lifecycle: Spot, Count: 2}}}
	if d := Plan(in, observed, marketOf(in), noon); len(d.Actions) != 0 {
		t.Errorf("launched again what is on its way: %+v", d.Actions)
	}
}

func TestWeightedCapacityRoundsInstancesUp(t *testing.T) {
	in := intentOf(10)
	in.Capacity = Capacity{Target: 10, Max: 12, Unit: Weight}
	in.Choice.SpotTypes = []string{"m5.large"}
	in.Choice.Weights = []TypeWeight{{Type: "m5.large", Units: 4}}
	d := Plan(in, Observed{}, marketOf(in), noon)
	if spot, _ := d.launched(); spot != 3 || d.Short != 0 {
		t.Errorf("launched %d instances of 4 units for 10, want 3; short %d", spot, d.Short)
	}
	in.Choice.Weights = nil // counts vCPUs: 2
	d = Plan(in, Observed{}, marketOf(in), noon)
	if spot, _ := d.launched(); spot != 5 {
		t.Errorf("launched %d instances of 2 vCPUs for 10 units, want 5", spot)
	}
}

func TestAFleetStaysShortRatherThanExceedItsMaximum(t *testing.T) {
	in := intentOf(10)
	in.Capacity = Capacity{Target: 10, Max: 10, Unit: Weight}
	in.Choice.Weights = []TypeWeight{{"m5.large", 4}, {"c5.large", 4}, {"r5.large", 4}}
	d := Plan(in, Observed{}, marketOf(in), noon)
	if spot, od := d.launched(); spot != 2 || od != 0 || d.Short != 2 {
		t.Fatalf("launched %d and %d, short %d; want 2, 0 and 2", spot, od, d.Short)
	}
	if len(d.Notes) != 1 || d.Next != noon.Add(retryShort) {
		t.Errorf("notes %q, next %s", d.Notes, d.Next)
	}
	in.Choice.Weights[2].Units = 2
	if d = Plan(in, Observed{}, marketOf(in), noon); d.Short != 0 {
		t.Errorf("a type that fits under the maximum was not taken: %+v", d)
	}
}

func TestTheOnDemandCountWinsOverThePercentage(t *testing.T) {
	in := intentOf(5)
	in.Mix.OnDemandCount, in.Mix.SpotPercent = 2, 100
	if spot, od := Plan(in, Observed{}, marketOf(in), noon).launched(); spot != 3 || od != 2 {
		t.Errorf("launched %d spot and %d on demand, want 3 and 2", spot, od)
	}
}

func TestTheSpotShareIsRoundedAsTheCloudDoes(t *testing.T) {
	for _, c := range []struct {
		up       bool
		onDemand int
	}{{true, 1}, {false, 2}} {
		m := Mix{OnDemandCount: -1, SpotPercent: 50, RoundSpotUp: c.up}
		if got := m.onDemandOf(3); got != c.onDemand {
			t.Errorf("3 at 50 %%, rounding up %v: %d on demand, want %d", c.up, got, c.onDemand)
		}
	}
}

func TestHalfSpotInTwoEqualZonesStartsWithTwoSpotInstances(t *testing.T) {
	in := intentOf(2)
	in.Choice.Rule, in.Mix.SpotPercent = EqualZones, 50
	d := Plan(in, Observed{}, marketOf(in), noon)
	if spot, od := d.launched(); spot != 2 || od != 0 {
		t.Fatalf("launched %d spot and %d on demand, want 2 and 0", spot, od)
	}
	if a := d.actions(LaunchVerb); len(a) != 2 || a[0].Zone == a[1].Zone {
		t.Errorf("zones are not equal: %+v", a)
	}
	in.Capacity.Target = 4
	if spot, od := Plan(in, Observed{}, marketOf(in), noon).launched(); spot != 2 || od != 2 {
		t.Errorf("of 4, launched %d spot and %d on demand, want 2 and 2", spot, od)
	}
}

func TestPreferredTypesTakeEightPerMarket(t *testing.T) {
	in := intentOf(12)
	in.Choice.SpotTypes = []string{"m5.large", "c5.large", "r5.large", "m4.large", "c4.large", "r4.large", "t3.large"}
	in.Choice.Zones = []string{"us-east-1a"}
	for _, c := range []struct{ target, preferred, inPreferred int }{{12, 4, 12}, {32, 3, 24}} {
		in.Capacity.Target, in.Capacity.Max = c.target, c.target
		in.Choice.PreferredTypes = []string{"r5.large", "m4.large", "r4.large", "t3.large"}[:c.preferred]
		got := 0
		for _, a := range Plan(in, Observed{}, marketOf(in), noon).actions(LaunchVerb) {
			for _, p := range in.Choice.PreferredTypes {
				if a.Type == p {
					got += a.Count
				}
			}
		}
		if got != c.inPreferred {
			t.Errorf("of %d, %d went to %d preferred markets, want %d", c.target, got, c.preferred, c.inPreferred)
		}
	}
}

func TestPreferredZonesComeFirstAndOthersOnlyWhenTheyAreDry(t *testing.T) {
	in := intentOf(6)
	in.Choice.PreferredZones = []string{"us-east-1b"}
	m := marketOf(in)
	for _, a := range Plan(in, Observed{}, m, noon).actions(LaunchVerb) {
		if a.Zone != "us-east-1b" {
			t.Errorf("bought in %s although the preferred zone is open", a.Zone)
		}
	}
	for _, typ := range in.Choice.SpotTypes {
		m.pool(typ, "us-east-1b", Spot).CoolUntil = noon.Add(time.Minute)
	}
	d := Plan(in, Observed{}, m, noon)
	if spot, od := d.launched(); spot != 6 || od != 0 || d.Actions[0].Zone != "us-east-1a" {
		t.Errorf("the other zone did not step in: %+v", d.Actions)
	}
}

func TestACoolingPoolIsNotAskedAndTheRecordSaysWhy(t *testing.T) {
	in := intentOf(3)
	in.Mix.FallbackToOD = false
	m := marketOf(in)
	for n := range m.Pools {
		m.Pools[n].CoolUntil, m.Pools[n].Why = noon.Add(time.Duration(n+30)*time.Second), "InsufficientInstanceCapacity"
	}
	d := Plan(in, Observed{}, m, noon)
	if len(d.Actions) != 0 || d.Short != 3 || len(d.Notes) != 1 {
		t.Fatalf("asked cooling pools: %+v", d)
	}
	if len(d.Options) == 0 || d.Options[0].Rejected == "" {
		t.Errorf("the record does not say why nothing was bought: %+v", d.Options)
	}
	if want := m.pool("c5.large", "us-east-1a", Spot).CoolUntil; d.Next != want {
		t.Errorf("tries again at %s, want the first pool's %s", d.Next, want)
	}
}

func TestOnDemandStepsInWhenNoSpotMarketIsAvailable(t *testing.T) {
	in := intentOf(2)
	m := marketOf(in)
	for n := range m.Pools {
		if m.Pools[n].Lifecycle == Spot {
			m.Pools[n].CoolUntil = noon.Add(5 * time.Minute)
		}
	}
	d := Plan(in, Observed{}, m, noon)
	if spot, od := d.launched(); spot != 0 || od != 2 || d.Actions[0].Reason != ReasonFallback {
		t.Errorf("got %+v, want a fallback to on demand", d.Actions)
	}
}

func TestOnDemandWinsWhereItCostsNoMoreThanSpot(t *testing.T) {
	in := intentOf(2)
	in.Mix.ConsiderOD = true
	m := marketOf(in)
	if _, od := Plan(in, Observed{}, m, noon).launched(); od != 0 {
		t.Errorf("%d on demand although spot is cheaper", od)
	}
	for n := range m.Pools {
		if m.Pools[n].Lifecycle == Spot {
			m.Pools[n].Price = 120_000
		}
	}
	if _, od := Plan(in, Observed{}, m, noon).launched(); od != 2 {
		t.Errorf("%d on demand although spot is dearer, want 2", od)
	}
}

func TestTheWholeFleetStaysInOneZone(t *testing.T) {
	in := intentOf(6)
	in.Mix.RestrictOneAZ = true
	m := marketOf(in)
	m.pool("m5.large", "us-east-1b", Spot).Price = 20_000
	for _, a := range Plan(in, Observed{}, m, noon).actions(LaunchVerb) {
		if a.Zone != "us-east-1b" {
			t.Errorf("an empty fleet goes to %s, want the best zone", a.Zone)
		}
	}
	observed := Observed{Instances: []Instance{running("i-1", "m5.large", "us-east-1a", Spot)}}
	for _, a := range Plan(in, observed, m, noon).actions(LaunchVerb) {
		if a.Zone != "us-east-1a" {
			t.Errorf("a fleet that lives in us-east-1a buys in %s", a.Zone)
		}
	}
}

func TestAnOnDemandFloorIsNotMadeUpWithSpot(t *testing.T) {
	in := intentOf(4)
	in.Mix.OnDemandCount = 2
	m := marketOf(in)
	for _, zone := range in.Choice.Zones {
		m.pool("m5.large", zone, OnDemand).CoolUntil = noon.Add(10 * time.Minute)
	}
	d := Plan(in, Observed{}, m, noon)
	if spot, od := d.launched(); spot != 2 || od != 0 || d.Short != 2 {
		t.Errorf("launched %d spot and %d on demand, short %d; want 2, 0, 2", spot, od, d.Short)
	}
}

func TestAWishedForLifetimeMakesTheChoiceSafer(t *testing.T) {
	in := intentOf(1)
	in.Choice.Rule = CostOriented
	m := marketOf(in)
	cheap := m.pool("r5.large", "us-east-1a", Spot)
	cheap.Price, cheap.Risk = 33_000, 0.19
	if a := Plan(in, Observed{}, m, noon).Actions[0]; a.Type != "r5.large" {
		t.Fatalf("costOriented takes %s, want the cheapest", a.Type)
	}
	in.MinLifetime = 24 * time.Hour
	if a := Plan(in, Observed{}, m, noon).Actions[0]; a.Type == "r5.large" {
		t.Errorf("a fleet that wants to last 24 h still takes the risky market")
	}
}
