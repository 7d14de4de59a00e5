package survey

import (
	"cmp"
	"slices"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/offer"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/money"
)

// row surveys one scaling group.
func (s *site) row(g cloud.ScalingGroup) Row {
	members, product, left := s.members(g)
	r := Row{
		Region: s.Name, Name: g.Name, Size: g.ScalingSize, Zones: g.Zones, Types: g.Types, Product: product, Mix: g.Mix, LeftOut: left,
		Present: s.compose(members, product), Why: []string{},
	}
	if len(members) == 0 {
		r.Future = r.Present
		r.Obstacles = s.obstacles(g, &r, nil)
		return r
	}
	intent := s.intentOf(g, product, members)
	offered := offer.Market(intent, s.snapshot(product), nil)
	// Neap itself moves nothing on stale prices; the estimate says so, and says what it would do on prices like these.
	offered.Stale = false
	o := settle(intent, members, offered, s.at)
	r.Bounds = boundsOf(g, intent, members)
	onDemand, now := r.Present.costs()
	r.Future = s.compose(o.members, product)
	_, planned := r.Future.costs()
	r.Moves, r.Steps, r.Why = o.moves, o.steps, o.why
	if planned > now || !o.settled {
		r.Future, planned, r.Moves, r.Steps = r.Present, now, 0, 0
		r.Why = []string{"Nothing is proposed: the plan would not cost less than the group does now."}
	}
	r.Figures = figuresOf(onDemand, now, planned)
	r.Obstacles = s.obstacles(g, &r, o.notes)
	return r
}

func boundsOf(g cloud.ScalingGroup, intent plan.Intent, members []plan.Instance) Bounds {
	b := Bounds{Unit: byInstance, Target: intent.Capacity.Target, OnDemand: intent.Mix.OnDemandCount, Candidates: intent.Choice.SpotTypes}
	switch {
	case len(g.Weights) > 0:
		b.Unit = byWeight
	case intent.Capacity.Unit == plan.Weight:
		b.Unit = byVCPU
	}
	for n := range members {
		if !members[n].LockedUntil.IsZero() {
			b.Protected++
		}
	}
	return b
}

// compose counts like instances, with their prices.
func (s *site) compose(members []plan.Instance, product string) Composition {
	c := Composition{Instances: len(members)}
	at := map[cloud.Market]int{}
	spot := 0
	for n := range members {
		m := cloud.Market{Region: s.Name, Zone: members[n].Zone, Type: members[n].Type, Product: product, Lifecycle: cloud.Lifecycle(members[n].Lifecycle)}
		if m.Lifecycle == cloud.OnDemand {
			c.OnDemand++
		}
		place, known := at[m]
		if !known {
			pool, _ := s.price(m)
			place = len(c.Parts)
			at[m] = place
			c.Parts = append(c.Parts, Part{
				Type: m.Type, Zone: m.Zone, Lifecycle: m.Lifecycle, Price: pool.Price, OnDemand: pool.OnDemand, Source: pool.Source, PriceAt: pool.PriceAt, Risk: pool.Risk,
			})
		}
		c.Parts[place].Count++
		if m.Lifecycle == cloud.Spot {
			spot++
			c.Risk += c.Parts[place].Risk
		}
	}
	c.Risk /= float64(max(1, spot))
	slices.SortFunc(c.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(a.Lifecycle, b.Lifecycle), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Zone, b.Zone))
	})
	return c
}

// costs are what the instances cost all on demand, and as they are.
func (c Composition) costs() (onDemand, asIs money.Price) {
	for _, p := range c.Parts {
		onDemand += p.OnDemand * money.Price(p.Count)
		asIs += p.Price * money.Price(p.Count)
	}
	return onDemand, asIs
}
