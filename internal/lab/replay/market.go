package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/offer"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
)

// place names a stall as a plan does.
type place struct {
	typ, zone string
	lifecycle plan.Lifecycle
}

// stall is a market of the world, with what the fleet holds in it.
type stall struct {
	in   cloud.Market
	of   *world.Pool
	next int // the first of its prices that nobody has looked at

	held    int  // living instances of ours …
	running int  // … of these, those that have booted
	told    bool // that something runs here, when the experience was told last
}

func (s *stall) isSpot() bool { return s.in.Lifecycle == cloud.Spot }

func (s *stall) priceAt(t time.Time) money.Price {
	if s.isSpot() {
		return s.of.PriceAt(t)
	}
	return s.of.OnDemand
}

// room is how many instances can be started now. On demand never runs dry.
func (s *stall) room(wanted int, now time.Time) int {
	if !s.isSpot() {
		return wanted
	}
	return max(0, s.of.Fates.Room(s.held, now))
}

// inPool is a pool as the cloud names it.
func inPool(p *world.Pool) cloud.Market {
	return cloud.Market{Region: p.Region, Zone: p.Zone, Type: p.Type, Product: product, Lifecycle: cloud.Spot}
}

// furnish makes a stall on spot and one on demand of every pool that may be used.
func (r *run) furnish() error {
	for n := range r.World.Pools {
		p := &r.World.Pools[n]
		if len(r.Types) > 0 && !slices.Contains(r.Types, p.Type) {
			continue
		}
		if len(p.Prices) == 0 || p.Fates == nil || p.OnDemand <= 0 {
			return fmt.Errorf("the pool %s in %s of the world %s lacks a spot price, a price on demand, or fates", p.Type, p.Zone, r.World.Name)
		}
		for _, lifecycle := range []cloud.Lifecycle{cloud.OnDemand, cloud.Spot} {
			in := inPool(p)
			in.Lifecycle = lifecycle
			at := place{p.Type, p.Zone, plan.Lifecycle(lifecycle)}
			if r.byPlace[at] != nil {
				return fmt.Errorf("the world %s has the pool %s in %s twice", r.World.Name, p.Type, p.Zone)
			}
			r.byPlace[at] = &stall{in: in, of: p}
			r.stalls = append(r.stalls, r.byPlace[at])
		}
	}
	if len(r.stalls) == 0 {
		return fmt.Errorf("the world %s has no pool of the types %s", r.World.Name, strings.Join(r.Types, ", "))
	}
	slices.SortFunc(r.stalls, func(a, b *stall) int {
		return cmp.Or(strings.Compare(a.in.Type, b.in.Type), strings.Compare(a.in.Zone, b.in.Zone), strings.Compare(string(a.in.Lifecycle), string(b.in.Lifecycle)))
	})
	for _, s := range r.stalls {
		p := market.Pool{Market: s.in, Price: s.priceAt(r.From), Source: market.SourceFeed, OnDemand: s.of.OnDemand, VCPUs: s.of.VCPUs}
		if s.isSpot() {
			p.Usual, p.Class = s.of.Usual, s.of.Class
			p.Weigh(r.Model)
		}
		r.shelf = append(r.shelf, p)
	}
	return nil
}

// lookAtPrices takes in what changed on spot since the last look, and says whether anything did that the fleet may use.
func (r *run) lookAtPrices() (changed bool) {
	for n, s := range r.stalls {
		if !s.isSpot() {
			continue
		}
		prices := s.of.Prices
		before := s.next
		for s.next < len(prices) && !prices[s.next].At.After(r.now) {
			s.next++
		}
		if s.next > before {
			r.shelf[n].Price, r.shelf[n].PriceAt = prices[s.next-1].Price, prices[s.next-1].At
			r.shelf[n].Weigh(r.Model)
			changed = true
		}
	}
	return changed && r.Policy != lab.PolicyOnDemand
}

// offered is what the intent can buy now. A yardstick is told how much each pool has left, as far as anybody knows.
func (r *run) offered(intent plan.Intent) plan.Market {
	r.view = append(r.view[:0], r.shelf...)
	if policy := intent.Choice.Policy; policy == plan.ByCapacityOptimized || policy == plan.ByPriceCapacityOptimized {
		for n, s := range r.stalls {
			if s.isSpot() {
				depth := s.of.Fates.Depth(r.now)
				r.view[n].Depth = max(0, depth)
				if depth == 0 {
					r.view[n].CoolUntil, r.view[n].Why = r.now.Add(r.Step), "the pool is dry"
				}
			}
		}
	}
	snapshot := market.Snapshot{Region: intent.Region, Product: intent.Product, Pools: r.view, Cooling: r.past.See(r.view, r.now)}
	m := offer.MarketIn(r.room, intent, snapshot, offer.Full(snapshot))
	r.room = m.Pools
	return m
}

// tellHeld tells the experience in which spot pools something runs, as production does: from time to time, and when one has been entered.
func (r *run) tellHeld() {
	var held []cloud.Market
	for _, s := range r.stalls {
		s.told = s.isSpot() && s.running > 0
		if s.told {
			held = append(held, s.in)
		}
	}
	r.toldAt = r.now
	r.past.Held(held, r.now)
}
