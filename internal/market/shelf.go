package market

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market/model"
)

// shelf is what a region sells for one product, before any account's own experience. It is never changed once built.
type shelf struct {
	edition int  // of the catalogue
	through int  // how many of the feed's changes it holds
	stale   bool // the feed is silent: spot prices are the catalogue's
	pools   []Pool
}

// find is the position of the pool with a cloud.Market.PoolKey, by its parts: type, zone, lifecycle. Keys that belong to another product are not found.
func find(pools []Pool, key string) (int, bool) {
	parts := strings.SplitN(key, "/", 4)
	if len(parts) < 3 {
		return 0, false
	}
	at, found := slices.BinarySearchFunc(pools, parts, func(p Pool, parts []string) int {
		return cmp.Or(strings.Compare(p.Market.Type, parts[0]), strings.Compare(p.Market.Zone, parts[1]), strings.Compare(string(p.Market.Lifecycle), parts[2]))
	})
	return at, found && pools[at].Market.PoolKey() == key
}

// shelf is rebuilt only when prices changed or went stale.
func (f *feed) shelf(ctx context.Context, m *Market, product string, now time.Time) (*shelf, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(ctx, m, now); err != nil {
		return nil, err
	}
	stale, edition := f.isStale(now), m.facts(f.key.provider).Edition()
	known := f.shelves[product]
	switch {
	case known == nil || known.stale != stale || known.edition != edition:
		known = f.build(m, product, stale)
	case known.through < len(f.changed) && !stale:
		known = f.patch(m, product, known)
	}
	f.shelves[product] = known
	return known, nil
}

// patch is a shelf with the changes since it was built; the old one may be in use.
func (f *feed) patch(m *Market, product string, old *shelf) *shelf {
	if len(f.changed) > mostChanges {
		f.changed, f.shelves = nil, map[string]*shelf{}
		return f.build(m, product, old.stale)
	}
	s := &shelf{edition: old.edition, through: len(f.changed), pools: slices.Clone(old.pools)}
	for _, in := range f.changed[old.through:] {
		if in.Product != product {
			continue
		}
		if !s.put(in, f.quotes[in]) {
			return f.build(m, product, old.stale) // sold for the first time, as far as anybody knows
		}
	}
	return s
}

// put is one quote on the shelf; false when there is no place for it. A price on demand is the baseline of the type's spot pools too.
func (s *shelf) put(in cloud.Market, q quote) bool {
	if in != everywhere(in) {
		n, ok := find(s.pools, in.PoolKey())
		if ok {
			s.pools[n].Price, s.pools[n].PriceAt, s.pools[n].Source = q.Price, q.From, SourceFeed
			s.pools[n].Weigh(model.Usual())
		}
		return ok
	}
	pools, isListed := ofType(s.pools, in.Type), false
	for n := range pools {
		pools[n].list(q)
		isListed = isListed || pools[n].Market.Lifecycle == cloud.OnDemand
	}
	return isListed
}

// list takes a price on demand into a pool.
func (p *Pool) list(q quote) {
	p.OnDemand = q.Price
	if p.Market.Lifecycle == cloud.OnDemand {
		p.Price, p.PriceAt, p.Source = q.Price, q.From, SourceFeed
	}
}

// mostChanges bounds the memory that changes take before shelves are built anew.
const mostChanges = 200_000

// build makes a shelf anew. What has no price, or none on demand to compare it with, is not sold.
func (f *feed) build(m *Market, product string, stale bool) *shelf {
	facts := m.facts(f.key.provider)
	edition := facts.Edition() // read first: a newer one leads to another shelf soon
	offers := facts.Offers(f.key.region, product)
	s := &shelf{edition: edition, through: len(f.changed), stale: stale, pools: make([]Pool, 0, 12*len(offers))}
	for _, offer := range offers {
		for _, zone := range offer.Zones {
			for _, lifecycle := range []cloud.Lifecycle{cloud.OnDemand, cloud.Spot} {
				in := cloud.Market{Region: f.key.region, Zone: zone, Type: offer.Type.Name, Product: product, Lifecycle: lifecycle}
				if p := f.pool(in, offer, stale); p.Price > 0 && p.OnDemand > 0 {
					s.pools = append(s.pools, p)
				}
			}
		}
	}
	return s
}

// pool is what is known of a market. List prices do not grow old; spot prices do.
func (f *feed) pool(in cloud.Market, offer catalog.Offer, stale bool) Pool {
	p := Pool{Market: in, Price: offer.OnDemand, Source: SourceCatalogue, OnDemand: offer.OnDemand, VCPUs: offer.Type.VCPUs}
	if in.Lifecycle == cloud.Spot {
		p.Price, p.Usual, p.Class = offer.Spot, offer.Spot, offer.Interruption
	}
	if q, ok := f.quotes[everywhere(in)]; ok {
		p.list(q)
	}
	if q, ok := f.quotes[in]; ok && !stale {
		p.Price, p.PriceAt, p.Source = q.Price, q.From, SourceFeed
	}
	if in.Lifecycle == cloud.Spot {
		p.Weigh(model.Usual())
	}
	return p
}
