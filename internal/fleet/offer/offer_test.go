package offer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func intent() plan.Intent {
	return plan.Intent{
		Choice: plan.Choice{SpotTypes: []string{"c5.large"}, OnDemandTypes: []string{"m5.large"}, Zones: []string{"a", "b"}},
		Template: plan.Template{Image: "ami-1", Subnets: []plan.ZoneSubnets{
			{Zone: "a", Subnets: []string{"subnet-a1", "subnet-a2"}}, {Zone: "b", Subnets: []string{"subnet-b"}},
		}},
	}
}

func pool(kind, zone string, l cloud.Lifecycle) market.Pool {
	return market.Pool{Market: cloud.Market{Type: kind, Zone: zone, Lifecycle: l}, Price: 1}
}

func full(id string, until time.Time) market.Cooling {
	return market.Cooling{Scope: cloud.ScopeSubnet, Key: id, Until: until, Why: id + " is full"}
}

func TestAnIntentIsOfferedItsOwnTypesAndZonesOnly(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var s market.Snapshot
		for range rapid.IntRange(0, 30).Draw(r, "pools") {
			s.Pools = append(s.Pools, pool(rapid.SampledFrom([]string{"c5.large", "m5.large", "r5.large"}).Draw(r, "type"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "zone"),
				rapid.SampledFrom([]cloud.Lifecycle{cloud.Spot, cloud.OnDemand}).Draw(r, "lifecycle")))
		}
		slices.SortStableFunc(s.Pools, func(a, b market.Pool) int { return strings.Compare(a.Market.Type, b.Market.Type) })
		in := intent()
		wanted := 0
		for _, p := range s.Pools {
			kind := map[cloud.Lifecycle]string{cloud.Spot: "c5.large", cloud.OnDemand: "m5.large"}[p.Market.Lifecycle]
			if p.Market.Type == kind && p.Market.Zone != "c" {
				wanted++
			}
		}
		m := Market(in, s, nil)
		if len(m.Pools) != wanted {
			r.Fatalf("%d pools are offered, %d fit", len(m.Pools), wanted)
		}
	})
}

func TestAZoneCoolsOnceAllItsSubnetsAreFull(t *testing.T) {
	first, second := noon.Add(time.Minute), noon.Add(2*time.Minute)
	snapshot := market.Snapshot{Pools: []market.Pool{pool("c5.large", "a", cloud.Spot), pool("c5.large", "b", cloud.Spot)}}
	for _, c := range []struct {
		name    string
		cooling []market.Cooling
		a, b    time.Time
	}{
		{"none is full", nil, time.Time{}, time.Time{}},
		{"one of two", []market.Cooling{full("subnet-a1", first)}, time.Time{}, time.Time{}},
		{"both: until the first has addresses again", []market.Cooling{full("subnet-a1", second), full("subnet-a2", first)}, first, time.Time{}},
		{"the only one", []market.Cooling{full("subnet-b", first)}, time.Time{}, first},
		{"another kind of cooling", []market.Cooling{{Scope: cloud.ScopePool, Key: "subnet-b", Until: first}}, time.Time{}, time.Time{}},
	} {
		snapshot.Cooling = c.cooling
		pools := Market(intent(), snapshot, Full(snapshot)).Pools
		if !pools[0].CoolUntil.Equal(c.a) || !pools[1].CoolUntil.Equal(c.b) {
			t.Errorf("%s: cools until %s and %s", c.name, pools[0].CoolUntil, pools[1].CoolUntil)
		}
	}
}

func TestATemplateHasTheSubnetsOfItsZone(t *testing.T) {
	for zone, want := range map[string][]string{"a": {"subnet-a1", "subnet-a2"}, "b": {"subnet-b"}, "": {"subnet-a1", "subnet-a2", "subnet-b"}, "c": nil} {
		if got := Template(intent(), zone).Subnets; !slices.Equal(got, want) {
			t.Errorf("zone %q: %v", zone, got)
		}
	}
}

func TestOnlyTheLostAreReplacedByWhateverServesAsWell(t *testing.T) {
	in := intent()
	in.Choice.SpotTypes = []string{"c5.large", "m5.large", "m5.xlarge", "r5.large", "c6i.large", "c7i.large"}
	of := func(kind, zone string, vcpus int, price money.Price, cools time.Time) plan.Pool {
		return plan.Pool{Type: kind, Zone: zone, Lifecycle: plan.Spot, VCPUs: vcpus, Price: price, CoolUntil: cools}
	}
	market := plan.Market{Pools: []plan.Pool{
		of("c5.large", "a", 2, 100, time.Time{}), of("m5.large", "a", 2, 125, time.Time{}), of("c6i.large", "a", 2, 90, time.Time{}),
		of("r5.large", "a", 2, 126, time.Time{}), of("m5.xlarge", "a", 4, 90, time.Time{}), of("m5.large", "b", 2, 80, time.Time{}), of("c7i.large", "a", 2, 80, noon),
	}}
	lost := plan.Action{Type: "c5.large", Zone: "a", Lifecycle: plan.Spot, Count: 1, Reason: plan.ReasonLost}
	asked := Launch(in, lost, market, nil)
	var types []string
	for _, m := range asked.Alternatives {
		if m.Zone != "a" || m.Lifecycle != cloud.Spot {
			t.Errorf("alternative %+v is elsewhere", m)
		}
		types = append(types, m.Type)
	}
	if !slices.Equal(types, []string{"c6i.large", "m5.large"}) {
		t.Errorf("alternatives %v: the dearer, larger, distant and refusing ones serve less well", types)
	}
	lost.Reason = plan.ReasonCapacity
	if asked := Launch(in, lost, market, nil); asked.Alternatives != nil {
		t.Errorf("a launch that can wait goes to %v too", asked.Alternatives)
	}
}

func TestAnInstanceThatIsElsewhereSaysHowThatCameAbout(t *testing.T) {
	asked := &cloud.Launch{Market: cloud.Market{Type: "c5.large", Zone: "a"}}
	if got := Because("It was lost.", asked, asked.Market); got != "It was lost." {
		t.Error(got)
	}
	if got := Because("It was lost.", nil, asked.Market); got != "It was lost." {
		t.Error(got)
	}
	if got := Because("It was lost.", asked, cloud.Market{Type: "m5.large", Zone: "a"}); !strings.HasPrefix(got, "It was lost. ") || !strings.Contains(got, "less room") {
		t.Error(got)
	}
}
