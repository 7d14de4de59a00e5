package survey

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
)

// What may stand in the way.
const (
	NoMembers       = "noMembers"       // there is nothing to plan for
	NotFull         = "notFull"         // the group has another number of instances than it wants
	CataloguePrices = "cataloguePrices" // spot prices that are not the cloud's own of today
	NoSpotMarket    = "noSpotMarket"    // none of the types is sold on spot in the group's zones
	NotSold         = "notSold"         // a type of the group is not sold here, as far as the catalogue knows
	InstanceStore   = "instanceStore"   // disks whose content ends with the instance
	Protected       = "protected"       // from scale-in
	OneZone         = "oneZone"         // nowhere to go when that zone is short
	OtherTypes      = "otherTypes"      // the plan buys types that the group does not name
	UnknownRisk     = "unknownRisk"     // the vendor gives no interruption class
	Suspended       = "suspended"       // processes of the group stand still
	Consent         = "consent"         // the group is on demand altogether: somebody has to want spot
	Undone          = "undone"          // what the planner itself said it leaves
)

// obstacles lists what stands in the way of a row's plan, the gravest first.
func (s *site) obstacles(g cloud.ScalingGroup, r *Row, notes []string) []Obstacle {
	var list []Obstacle
	say := func(kind, format string, args ...any) {
		list = append(list, Obstacle{kind, fmt.Sprintf(format, args...)})
	}
	if r.Present.Instances == 0 {
		say(NoMembers, "It has no instance that could be counted, so there is nothing to plan.")
		return list
	}
	s.ofMarket(r, say)
	s.ofPlan(g, r, say)
	have := r.Present.Instances
	if r.Bounds.Unit == byWeight {
		have = min(r.Bounds.Target, g.Desired) // a group with weights may go beyond
	}
	if have != g.Desired {
		say(NotFull, "It has %d of the %d that it wants; all figures are for what is there and counted.", have, g.Desired)
	}
	if len(g.Suspended) > 0 {
		say(Suspended, "These processes of the group are suspended: %s.", strings.Join(g.Suspended, ", "))
	}
	for _, note := range notes {
		say(Undone, "%s", note)
	}
	return list
}

// isGuessed says that a part's spot price is not the cloud's own.
func (p Part) isGuessed() bool {
	return p.Lifecycle == cloud.Spot && p.Source == market.SourceCatalogue
}

func (r *Row) isGuessed() bool {
	return slices.ContainsFunc(slices.Concat(r.Present.Parts, r.Future.Parts), Part.isGuessed)
}

type sayer func(kind, format string, args ...any)

// ofMarket is about what can be bought.
func (s *site) ofMarket(r *Row, say sayer) {
	open, snapshot := false, s.snapshot(r.Product)
	for _, name := range r.Bounds.Candidates {
		for _, p := range snapshot.Of(name) {
			open = open || p.Market.Lifecycle == cloud.Spot && slices.Contains(r.allZones(), p.Market.Zone)
		}
	}
	if !open {
		say(NoSpotMarket, "None of the types it may use is sold on spot in %s.", strings.Join(r.allZones(), ", "))
	}
	if r.isGuessed() {
		say(CataloguePrices, "Spot prices of it are the catalogue's, a mean over the region as of %s. Neap moves nothing to save money before the cloud has told it today's prices.", s.catalog.PricesFrom().AsOf)
	}
	for _, name := range r.Types {
		if offer, ok := s.catalog.Offer(s.Name, r.Product, name); !ok {
			say(NotSold, "%s is not sold in %s for %s, as far as the catalogue knows, and takes no part in the plan.", name, s.Name, r.Product)
		} else if !slices.ContainsFunc(r.allZones(), offer.Sells) {
			say(NotSold, "%s is sold in none of %s, as far as the catalogue knows, and takes no part in the plan.", name, strings.Join(r.allZones(), ", "))
		}
	}
	if len(r.allZones()) == 1 {
		say(OneZone, "All of it is in %s: when spot is short there, only other types and on demand are left.", r.allZones()[0])
	}
}

// ofPlan is about what a person has to look at before such a plan is carried out.
func (s *site) ofPlan(g cloud.ScalingGroup, r *Row, say sayer) {
	if r.Moves > 0 && g.Mix.OnDemandPercent >= 100 {
		say(Consent, "The group is on demand above a base of %d. The plan puts %d instances on spot: they are interrupted with two minutes' notice, and replaced.", g.Mix.Base, r.Moves)
	}
	if r.Bounds.Protected > 0 {
		say(Protected, "%d of its instances are protected from scale-in and stay as they are.", r.Bounds.Protected)
	}
	var stores, others, unknown []string
	for _, p := range r.Present.Parts {
		if t, ok := s.catalog.HasType(p.Type); ok && t.LocalNVMeGiB > 0 {
			stores = append(stores, p.Type)
		}
	}
	for _, p := range r.Future.Parts {
		if !slices.Contains(r.Types, p.Type) && !slices.ContainsFunc(r.Present.Parts, func(now Part) bool { return now.Type == p.Type }) {
			others = append(others, p.Type)
		}
		if offer, ok := s.catalog.Offer(s.Name, r.Product, p.Type); ok && offer.Interruption < 0 && p.Lifecycle == cloud.Spot {
			unknown = append(unknown, p.Type)
		}
	}
	if len(stores) > 0 && r.Moves > 0 {
		say(InstanceStore, "%s has an instance store: what it holds is lost with every move.", listed(stores))
	}
	if len(others) > 0 {
		say(OtherTypes, "The plan buys types that the group does not name: %s. Make sure that the image and the software run there.", listed(others))
	}
	if len(unknown) > 0 {
		say(UnknownRisk, "The vendor gives no interruption class for %s; 10 %% a month is assumed.", listed(unknown))
	}
}

// allZones are the group's and those where its instances are.
func (r *Row) allZones() []string {
	list := slices.Clone(r.Zones)
	for _, p := range r.Present.Parts {
		list = append(list, p.Zone)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func listed(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
