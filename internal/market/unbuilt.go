// Package market knows where capacity can be bought, at what price and at what risk.
//
// It owns dated prices, pool state (cooling after refusal or loss) and interruption risk. It must not know groups or plans. Start reading at Market.
package market

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// Config is what the market needs.
type Config struct {
	DB    *store.DB
	Clock clock.Clock
}

// Market answers from memory and keeps its observations in the store. Safe for concurrent use.
type Market struct{}

func New(c Config) (*Market, error) { panic("unbuilt") }

// Pool is one market with what is known about it now.
type Pool struct {
	Market    cloud.Market
	Price     money.Price
	PriceAt   time.Time // when that price was seen
	Source    string    // "feed", "catalogue"
	OnDemand  money.Price
	VCPUs     int
	Risk      float64 // chance of interruption within 30 days
	CoolUntil time.Time
	Why       string
}

// Snapshot is everything about a region and product at one moment. Stale means that spot prices are older than 24 h or from the catalogue: no voluntary moves.
type Snapshot struct {
	Region  string
	Product string
	TakenAt time.Time
	Stale   bool
	Pools   []Pool // by type, zone, lifecycle
}

// Snapshot is taken for one cloud account: cooling after its own refusals is its own, prices are everybody's.
func (m *Market) Snapshot(ctx context.Context, account, provider, region, product string) (Snapshot, error) {
	panic("unbuilt")
}

// Observe takes in a price feed. Only changes are kept, with their dates.
func (m *Market) Observe(ctx context.Context, provider string, prices []cloud.Price) error {
	panic("unbuilt")
}

// Refused cools the refusal's scope for this account.
func (m *Market) Refused(ctx context.Context, tx *store.Tx, account, region string, r *cloud.Refusal) error {
	panic("unbuilt")
}

// Lost records that a spot instance of the pool was interrupted, which raises its risk and cools it.
func (m *Market) Lost(ctx context.Context, tx *store.Tx, account string, in cloud.Market) error {
	panic("unbuilt")
}

// Segment is a price that held for a span.
type Segment struct {
	From, Until time.Time
	Price       money.Price
	OnDemand    money.Price
	Source      string
}

// Prices are the dated prices of a market from … until, without gaps.
func (m *Market) Prices(ctx context.Context, provider string, in cloud.Market, from, until time.Time) ([]Segment, error) {
	panic("unbuilt")
}
