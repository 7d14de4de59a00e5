package plan

import (
	"fmt"
	"math/rand/v2"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/money"
)

func someTypes() []string {
	return []string{"c5.large", "m5.large", "m5.xlarge", "r5.large", "t3.medium"}
}
func someZones() []string { return []string{"us-east-1a", "us-east-1b", "us-east-1c"} }
func allRules() []Rule {
	return []Rule{Balanced, CostOriented, AvailabilityOriented, Cheapest, EqualZones}
}

func drawIntent(r *rapid.T) Intent {
	target := rapid.IntRange(0, 12).Draw(r, "target")
	in := Intent{
		Region: "us-east-1", Product: "Linux/UNIX",
		Capacity: Capacity{Target: target, Min: rapid.IntRange(0, target).Draw(r, "min"), Max: target + rapid.IntRange(0, 6).Draw(r, "above"), Unit: Instances},
		Mix: Mix{
			OnDemandCount: rapid.IntRange(-1, 4).Draw(r, "onDemand"), SpotPercent: rapid.IntRange(0, 100).Draw(r, "percent"), RoundSpotUp: rapid.Bool().Draw(r, "up"),
			FallbackToOD: rapid.Bool().Draw(r, "fallback"), ConsiderOD: rapid.Bool().Draw(r, "consider"),
		},
		Choice: Choice{
			Rule: rapid.SampledFrom(allRules()).Draw(r, "rule"), SpotTypes: someTypes()[:rapid.IntRange(1, 5).Draw(r, "types")], OnDemandTypes: someTypes()[1:2],
			Zones: someZones()[:rapid.IntRange(1, 3).Draw(r, "zones")],
		},
		Replacement:  Replacement{Revert: rapid.SampledFrom([]RevertMode{RevertByRule, RevertAlways, RevertNever}).Draw(r, "revert")},
		Health:       Health{Source: rapid.SampledFrom([]HealthSource{HealthNone, HealthInstance}).Draw(r, "health"), Grace: 5 * time.Minute, UnhealthyFor: time.Minute, Heal: rapid.Bool().Draw(r, "heal")},
		Drain:        time.Duration(rapid.IntRange(0, 300).Draw(r, "drain")) * time.Second,
		NewestFirst:  rapid.Bool().Draw(r, "newest"),
		Template:     Template{Image: "ami-2"},
		MinLifetime:  time.Duration(rapid.SampledFrom([]int{0, 1, 24}).Draw(r, "lifetime")) * time.Hour,
		MaxMovesPart: rapid.SampledFrom([]int{0, 0, 20, 100}).Draw(r, "moves"),
	}
	if rapid.IntRange(0, 3).Draw(r, "weighted") == 0 {
		in.Capacity.Unit = Weight
		in.Choice.Weights = []TypeWeight{{"m5.large", rapid.IntRange(1, 4).Draw(r, "weight")}, {"m5.xlarge", 4}}
	}
	if in.Choice.Rule != EqualZones {
		in.Mix.RestrictOneAZ = rapid.IntRange(0, 5).Draw(r, "oneZone") == 0
		in.Choice.PreferredZones = in.Choice.Zones[:rapid.IntRange(0, len(in.Choice.Zones)-1).Draw(r, "preferredZones")]
	}
	in.Choice.PreferredTypes = in.Choice.SpotTypes[:rapid.IntRange(0, len(in.Choice.SpotTypes)-1).Draw(r, "preferred")]
	return in
}

// drawMarket draws one seed instead of hundreds of figures: prices need no shrinking, and cases must be cheap.
func drawMarket(r *rapid.T) Market {
	dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "market"), 1))
	m := Market{Stale: dice.IntN(5) == 0}
	for n, typ := range someTypes() {
		for _, zone := range someZones() {
			for _, l := range []Lifecycle{OnDemand, Spot} {
				p := Pool{Type: typ, Zone: zone, Lifecycle: l, OnDemand: money.Price(80_000 + 10_000*n), VCPUs: 2, Why: "dry"}
				p.Price = p.OnDemand
				if l == Spot {
					p.Price, p.Risk = money.Price(20_000+dice.IntN(90_000)), float64(dice.IntN(40))/100
				}
				if dice.IntN(4) == 0 {
					p.CoolUntil = noon.Add(time.Duration(dice.IntN(660)-60) * time.Second)
				}
				m.Pools = append(m.Pools, p)
			}
		}
	}
	return m
}

func drawInstance(r *rapid.T, in Intent, n int) Instance {
	ago := func(name string, longest int) time.Time {
		return noon.Add(-time.Duration(rapid.IntRange(0, longest).Draw(r, name)) * time.Second)
	}
	i := Instance{
		ID: fmt.Sprintf("i-%02d", n), Type: rapid.SampledFrom(someTypes()).Draw(r, "type"), Zone: rapid.SampledFrom(in.Choice.Zones).Draw(r, "zone"),
		Lifecycle: rapid.SampledFrom([]Lifecycle{Spot, Spot, OnDemand}).Draw(r, "lifecycle"),
		Phase:     rapid.SampledFrom([]Phase{Running, Running, Running, Running, Launching, Draining, Terminating, Terminated, Detached}).Draw(r, "phase"),
		Image:     rapid.SampledFrom([]string{"ami-1", "ami-2"}).Draw(r, "image"), LaunchedAt: ago("launched", 10_000),
		Standby: rapid.IntRange(0, 9).Draw(r, "standby") == 0, Condition: rapid.SampledFrom([]Condition{Healthy, Healthy, Unhealthy, ConditionUnknown}).Draw(r, "condition"),
		ConditionAt: ago("condition", 600), WasHealthy: rapid.Bool().Draw(r, "wasHealthy"), VCPUs: 2,
	}
	switch rapid.IntRange(0, 9).Draw(r, "event") {
	case 0:
		i.InterruptAt = noon.Add(time.Duration(rapid.IntRange(-10, 120).Draw(r, "interrupt")) * time.Second)
	case 1:
		i.RebalanceAt = ago("rebalance", 1000)
	case 2:
		i.LockedUntil = noon.Add(time.Duration(rapid.IntRange(-10, 3600).Draw(r, "lock")) * time.Second)
	case 3:
		i.IsLeaving = true
	}
	if i.Phase == Draining {
		i.DrainUntil = noon.Add(time.Duration(rapid.IntRange(-60, 120).Draw(r, "drainUntil")) * time.Second)
		i.LeaveReason = string(rapid.SampledFrom([]Reason{ReasonScaleIn, ReasonInterruption, ReasonUnhealthy}).Draw(r, "leave"))
	}
	return i
}

func drawWorld(r *rapid.T) *world {
	in := drawIntent(r)
	w := &world{intent: in, market: drawMarket(r), now: noon}
	for n := range rapid.IntRange(0, 14).Draw(r, "instances") {
		w.observed.Instances = append(w.observed.Instances, drawInstance(r, in, n))
	}
	for n := range rapid.IntRange(0, 2).Draw(r, "launches") {
		w.observed.Launches = append(w.observed.Launches, PendingLaunch{
			Action: fmt.Sprintf("act-old-%d", n), Type: rapid.SampledFrom(someTypes()).Draw(r, "pendingType"), Zone: rapid.SampledFrom(in.Choice.Zones).Draw(r, "pendingZone"),
			Lifecycle: rapid.SampledFrom([]Lifecycle{Spot, OnDemand}).Draw(r, "pendingLifecycle"), Count: rapid.IntRange(1, 2).Draw(r, "pendingCount"), VCPUs: 2,
		})
	}
	return w
}
