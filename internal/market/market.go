// Package market knows where capacity can be bought, at what price and at what risk.
//
// It owns dated prices, pool state (cooling after refusal or loss) and interruption risk. It must not know groups or plans, and it gives no advice: scores
// are the planner's. Start reading at Market.
package market

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/market/model"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	freshFor = 24 * time.Hour // a feed's last word counts this long, then the catalogue does
	reread   = time.Second    // how soon what other replicas wrote is seen
	overlap  = 5 * time.Second
)

// Config is what the market needs.
type Config struct {
	DB      *store.DB
	Clock   clock.Clock
	Catalog *catalog.Cloud // nil = catalog.AWS()
	// Clouds are the catalogues of those providers ("aws") whose regions tell themselves what they sell; all others go by Catalog.
	Clouds map[string]*catalog.Cloud
}

// Market answers from memory and keeps its observations in the store. Safe for concurrent use.
type Market struct {
	db      *store.DB
	clock   clock.Clock
	catalog *catalog.Cloud
	clouds  map[string]*catalog.Cloud

	mu        sync.Mutex
	feeds     map[feedKey]*feed
	records   map[recordKey]*record
	thinnedTo time.Time // see Thin
}

// New makes a market that reads what it needs when it is first asked.
func New(c Config) (*Market, error) {
	if c.DB == nil || c.Clock == nil {
		return nil, fault.Of(fault.Internal, "market", "The market needs a store and a clock.")
	}
	if c.Catalog == nil {
		c.Catalog = catalog.AWS()
	}
	return &Market{db: c.DB, clock: c.Clock, catalog: c.Catalog, clouds: c.Clouds, feeds: map[feedKey]*feed{}, records: map[recordKey]*record{}}, nil
}

// Where a price comes from.
const (
	SourceFeed      = "feed"
	SourceCatalogue = "catalogue"
)

// Pool is one market with what is known about it now.
type Pool struct {
	Market    cloud.Market
	Price     money.Price
	PriceAt   time.Time // since when that price holds; zero for the catalogue's
	Source    string    // SourceFeed or SourceCatalogue
	OnDemand  money.Price
	VCPUs     int
	Usual     money.Price // what the type usually costs on spot in the region, as the catalogue tells
	Class     int         // interruption class of the catalogue; -1 unknown
	Law       model.Law   // of what is bought here; on demand lasts for ever
	Risk      float64     // chance of interruption within 30 days, as the law has it
	Depth     int         // instances that the pool could still give; 0 = the provider does not tell
	CoolUntil time.Time
	Why       string
}

// Cooling is a scope that refused, and until when it is not to be asked again.
type Cooling struct {
	Scope cloud.Scope
	Key   string // as in the cloud.Refusal
	Until time.Time
	Why   string
}

// Snapshot is everything about a region and product at one moment. Stale means that spot prices are older than 24 h, from the catalogue, or from before a feed
// that is not believed: no voluntary moves.
// Pools is shared between snapshots: read it, don't change it.
type Snapshot struct {
	Region  string
	Product string
	Stale   bool
	Pools   []Pool    // by type, zone, lifecycle
	Cooling []Cooling // every scope that cools; those of pools, quotas and the account are in Pools already
}

// Snapshot is taken for one cloud account: cooling after its own refusals is its own, prices are everybody's. fault.Invalid for a region or product that the
// catalogue does not know.
func (m *Market) Snapshot(ctx context.Context, account, provider, region, product string) (Snapshot, error) {
	now := m.clock.Now()
	if len(m.facts(provider).Offers(region, product)) == 0 {
		return Snapshot{}, fault.Of(fault.Invalid, "region", "Nothing is sold in region %q for %q; check both.", region, product)
	}
	shelf, err := m.feed(feedKey{provider, region}).shelf(ctx, m, product, now)
	if err != nil {
		return Snapshot{}, err
	}
	pools, cooling, err := m.record(recordKey{account, region}).overlay(ctx, m, shelf, now)
	if err != nil {
		return Snapshot{}, err
	}
	return Snapshot{Region: region, Product: product, Stale: shelf.stale || m.feed(feedKey{provider, region}).doubted() != "", Pools: pools, Cooling: cooling}, nil
}

// Of are the pools of one type, by zone and lifecycle.
func (s Snapshot) Of(instanceType string) []Pool { return ofType(s.Pools, instanceType) }

func ofType(pools []Pool, instanceType string) []Pool {
	begin, _ := slices.BinarySearchFunc(pools, instanceType, func(p Pool, of string) int { return strings.Compare(p.Market.Type, of) })
	end := begin
	for end < len(pools) && pools[end].Market.Type == instanceType {
		end++
	}
	return pools[begin:end]
}

// facts is what is known of a provider's regions without asking a feed.
func (m *Market) facts(provider string) *catalog.Cloud {
	if own := m.clouds[provider]; own != nil {
		return own
	}
	return m.catalog
}

func (m *Market) feed(key feedKey) *feed {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.feeds[key] == nil {
		m.feeds[key] = &feed{key: key, pages: map[string]store.Doc[page]{}, quotes: map[cloud.Market]quote{}, shelves: map[string]*shelf{}}
	}
	return m.feeds[key]
}

func (m *Market) record(key recordKey) *record {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[key] == nil {
		m.records[key] = newRecord(key)
	}
	return m.records[key]
}
