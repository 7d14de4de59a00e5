// Package offer says what one fleet can buy now, and how it asks for it.
//
// It owns the narrowing of an account's market to one intent: types, zones, and subnets that have addresses left. It is pure, and must not know stores or
// dialects. Start reading at Market.
package offer

import (
	"cmp"
	"math"
	"slices"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/market/model"
)

// Full lists the subnets without free addresses, by id.
func Full(snapshot market.Snapshot) map[string]market.Cooling {
	full := map[string]market.Cooling{}
	for _, c := range snapshot.Cooling {
		if c.Scope == cloud.ScopeSubnet {
			full[c.Key] = c
		}
	}
	return full
}

// closed is when the first subnet of a zone has addresses again; zero while one has.
func closed(intent plan.Intent, zone string, full map[string]market.Cooling) (first market.Cooling) {
	for _, id := range Template(intent, zone).Subnets {
		c, isFull := full[id]
		if !isFull {
			return market.Cooling{}
		}
		if first.Until.IsZero() || c.Until.Before(first.Until) {
			first = c
		}
	}
	return first
}

// Market narrows a snapshot to the markets that the intent may use. A zone whose subnets are all full cools with them.
func Market(intent plan.Intent, snapshot market.Snapshot, full map[string]market.Cooling) plan.Market {
	return MarketIn(nil, intent, snapshot, full)
}

// MarketIn is Market in the room of an earlier one's pools, which is lost: for whoever plans again and again.
func MarketIn(room []plan.Pool, intent plan.Intent, snapshot market.Snapshot, full map[string]market.Cooling) plan.Market {
	m := plan.Market{Stale: snapshot.Stale}
	stay := intent.Horizon().Hours()
	shut := map[string]market.Cooling{}
	for _, zone := range intent.Choice.Zones {
		if c := closed(intent, zone, full); !c.Until.IsZero() {
			shut[zone] = c
		}
	}
	types := slices.Concat(intent.Choice.SpotTypes, intent.Choice.OnDemandTypes)
	slices.Sort(types)
	types = slices.Compact(types)
	m.Pools = slices.Grow(room[:0], min(2*len(types)*len(intent.Choice.Zones), len(snapshot.Pools)))
	for _, one := range types { // a few of hundreds: the others are not even looked at
		onSpot, onDemand := slices.Contains(intent.Choice.SpotTypes, one), slices.Contains(intent.Choice.OnDemandTypes, one)
		pools := snapshot.Of(one)
		for n := range pools {
			p := &pools[n]
			wanted := onSpot
			if p.Market.Lifecycle == cloud.OnDemand {
				wanted = onDemand
			}
			if !wanted || !slices.Contains(intent.Choice.Zones, p.Market.Zone) {
				continue
			}
			until, why := p.CoolUntil, p.Why
			if c := shut[p.Market.Zone]; c.Until.After(until) {
				until, why = c.Until, c.Why
			}
			m.Pools = append(m.Pools, plan.Pool{
				Type: p.Market.Type, Zone: p.Market.Zone, Lifecycle: plan.Lifecycle(p.Market.Lifecycle),
				Price: p.Price, OnDemand: p.OnDemand, VCPUs: p.VCPUs, Risk: estimate(p.Law, p.Risk), Hazard: estimate(p.Law, p.Law.Rate(stay)), Depth: p.Depth, CoolUntil: until, Why: why,
			})
		}
	}
	return m
}

// estimate keeps two digits of what changes by the minute: there is no more in it, and a market that is the same a minute later is stored once.
func estimate(law model.Law, x float64) float64 {
	if law.Scarcity == 0 || x <= 0 {
		return x
	}
	unit := math.Pow10(int(math.Floor(math.Log10(x))) - 1)
	return math.Round(x/unit) * unit
}

// Template is what the cloud is asked to launch in a zone; with zone "" it holds every zone's subnets, for checking.
func Template(intent plan.Intent, zone string) cloud.Template {
	t := intent.Template
	c := cloud.Template{
		Image: t.Image, KeyPair: t.KeyPair, SecurityGroups: t.SecurityGroups, UserData: t.UserData, Role: t.Role,
		Tenancy: t.Tenancy, Monitoring: t.Monitoring, EBSOptimized: t.EBSOptimized, PublicIP: t.PublicIP, Shutdown: t.Shutdown,
	}
	for _, z := range t.Subnets {
		if zone == "" || z.Zone == zone || z.Zone == "" {
			c.Subnets = append(c.Subnets, z.Subnets...)
		}
	}
	return c
}

// Launch turns a planned launch into the cloud's words, without the subnets that are full.
func Launch(intent plan.Intent, a plan.Action, offered plan.Market, full map[string]market.Cooling) *cloud.Launch {
	asked := Template(intent, a.Zone)
	asked.Subnets = slices.DeleteFunc(asked.Subnets, func(id string) bool { _, isFull := full[id]; return isFull })
	tags := map[string]string{}
	for _, tag := range intent.Template.Tags {
		tags[tag.Key] = tag.Value
	}
	wanted := cloud.Market{Region: intent.Region, Zone: a.Zone, Type: a.Type, Product: intent.Product, Lifecycle: cloud.Lifecycle(a.Lifecycle)}
	return &cloud.Launch{Market: wanted, Count: a.Count, Alternatives: alternatives(intent, a, wanted, offered), Template: asked, Tags: tags}
}

const (
	mostAlternatives = 4
	dearerPercent    = 25 // that an alternative may be dearer
)

// alternatives are where else the place of what was lost may be taken, when seconds count: in the same zone, by what counts for as much, the cheapest first. All other
// launches go where the plan says, or nowhere: after a refusal it is made anew.
func alternatives(intent plan.Intent, a plan.Action, wanted cloud.Market, offered plan.Market) (others []cloud.Market) {
	if !slices.Contains([]plan.Reason{plan.ReasonInterruption, plan.ReasonLost, plan.ReasonUnhealthy}, a.Reason) {
		return nil
	}
	at := slices.IndexFunc(offered.Pools, func(p plan.Pool) bool { return p.Type == a.Type && p.Zone == a.Zone && p.Lifecycle == a.Lifecycle })
	if at < 0 {
		return nil
	}
	best := offered.Pools[at]
	pools := slices.DeleteFunc(slices.Clone(offered.Pools), func(p plan.Pool) bool {
		return p.Type == best.Type || p.Zone != best.Zone || p.Lifecycle != best.Lifecycle || !p.CoolUntil.IsZero() || p.VCPUs != best.VCPUs ||
			intent.UnitsOf(p.Type, p.VCPUs) != intent.UnitsOf(best.Type, best.VCPUs) || p.Price*100 > best.Price*(100+dearerPercent)
	})
	slices.SortStableFunc(pools, func(a, b plan.Pool) int { return cmp.Compare(a.Price, b.Price) })
	for _, p := range pools[:min(len(pools), mostAlternatives)] {
		other := wanted
		other.Type = p.Type
		others = append(others, other)
	}
	return others
}

// Because is why there is an instance in a market: the launch's own reason, and if it is another market than was asked for, how that came about.
func Because(because string, asked *cloud.Launch, got cloud.Market) string {
	if asked == nil || got == asked.Market || got.Product != asked.Market.Product {
		return because
	}
	return because + " Where it was to be, the cloud had less room: it chose among the markets that serve as well."
}
