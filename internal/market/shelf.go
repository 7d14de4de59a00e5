package market

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// shelf is what a region sells for one product, before any account's own experience. It is never changed once built.
type shelf struct {
	version int  // of the feed it was built from
	stale   bool // the feed is silent: spot prices are the catalogue's
	pools   []Pool
	at      map[string]int // by cloud.Market.PoolKey
}

// shelf is rebuilt only when prices changed or went stale.
func (f *feed) shelf(ctx context.Context, m *Market, product string, now time.Time) (*shelf, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(ctx, m, now); err != nil {
		return nil, err
	}
	stale := now.Sub(f.seenAt) > freshFor
	if known := f.shelves[product]; known != nil && known.version == f.version && known.stale == stale {
		return known, nil
	}
	built := f.build(m, product, stale)
	f.shelves[product] = built
	return built, nil
}

func (f *feed) build(m *Market, product string, stale bool) *shelf {
	offers := m.catalog.Offers(f.key.region, product)
	s := &shelf{version: f.version, stale: stale, pools: make([]Pool, 0, 8*len(offers))}
	for _, offer := range offers {
		for _, zone := range offer.Zones {
			for _, lifecycle := range []cloud.Lifecycle{cloud.OnDemand, cloud.Spot} {
				p := Pool{
					Market:   cloud.Market{Region: f.key.region, Zone: zone, Type: offer.Type.Name, Product: product, Lifecycle: lifecycle},
					Price:    offer.OnDemand,
					Source:   SourceCatalogue,
					OnDemand: offer.OnDemand,
					VCPUs:    offer.Type.VCPUs,
				}
				if lifecycle == cloud.Spot {
					p.Price, p.Risk = offer.Spot, riskOf(classHazard(offer.Interruption))
				}
				if q, ok := f.quotes[p.Market]; ok && !stale {
					p.Price, p.PriceAt, p.Source = q.Price, q.From, SourceFeed
				}
				if p.Price > 0 {
					s.pools = append(s.pools, p)
				}
			}
		}
	}
	s.at = make(map[string]int, len(s.pools))
	for n := range s.pools {
		s.at[s.pools[n].Market.PoolKey()] = n
	}
	return s
}
