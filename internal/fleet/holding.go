package fleet

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
)

// holding is where spot instances of a place ran when the market was told so last.
type holding struct {
	at    time.Time
	pools map[string]cloud.Market // by PoolKey
}

// tellHolding tells the market, from time to time and when one has been entered, in which pools something of ours runs: what is kept there speaks for them.
func (l *look) tellHolding(ctx context.Context, now time.Time) error {
	pools := map[string]cloud.Market{}
	for _, c := range l.shown {
		if c.State == cloud.Running && c.Market.Lifecycle == cloud.Spot {
			pools[c.Market.PoolKey()] = c.Market
		}
	}
	before := l.sight.holding
	isNew := slices.ContainsFunc(slices.Collect(maps.Keys(pools)), func(key string) bool { return before.pools[key] == cloud.Market{} })
	if len(pools) == 0 || !isNew && now.Sub(before.at) < market.HeldEvery {
		return nil
	}
	list := slices.SortedFunc(maps.Values(pools), func(a, b cloud.Market) int { return strings.Compare(a.PoolKey(), b.PoolKey()) })
	err := l.f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return l.f.Market.Held(ctx, tx, l.place.Account, l.place.Region, list)
	})
	if err == nil {
		l.sight.holding = holding{at: now, pools: pools}
	}
	return err
}
