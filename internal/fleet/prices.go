package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
)

const priceInterval = time.Minute // wall time between two reads of a price feed

// feed is one price feed: what a cloud asks in a region is the same for all of its accounts.
type feed struct{ provider, region string }

// takePrices reads every price feed once, through the first account that gets an answer.
func (f *Fleet) takePrices(ctx context.Context) error {
	known, err := f.places.Get(ctx)
	if err != nil {
		return err
	}
	ways := map[feed][]place{}
	var failed []error
	for _, p := range known {
		provider, err := f.provider(ctx, p.Account)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		from := feed{provider.Info().Name, p.Region}
		ways[from] = append(ways[from], p)
	}
	results := make(chan error, len(ways))
	for _, some := range ways {
		go func() { results <- f.readFeed(ctx, some) }()
	}
	for range ways {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}

// readFeed tries one account after the other.
func (f *Fleet) readFeed(ctx context.Context, ways []place) error {
	var failed []error
	for _, p := range ways {
		limited, cancel := context.WithTimeout(budget.With(ctx, budget.Saving), callTimeout)
		provider, err := f.provider(limited, p.Account)
		if err == nil {
			err = f.readPrices(limited, p, provider)
		}
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		failed = append(failed, fmt.Errorf("prices for %s: %w", p, err))
	}
	return errors.Join(failed...)
}

func (f *Fleet) readPrices(ctx context.Context, p place, provider cloud.Provider) error {
	pricer, ok := cloud.As[cloud.Pricer](provider)
	if !ok {
		return nil
	}
	prices, err := pricer.Prices(ctx, p.Region)
	if err != nil {
		return err
	}
	return f.Market.Observe(ctx, provider.Info().Name, prices)
}

// firstPrices reads a feed that nobody has read for long, so that even a new region's first purchase goes by current prices. Without them the market falls
// back to older ones, and says so. What another replica has read will do: to read it again could make a turn wait for that replica's writing.
func (f *Fleet) firstPrices(ctx context.Context, p place, product string, provider cloud.Provider) {
	from := feed{provider.Info().Name, p.Region}
	f.mu.Lock()
	known := f.priced[from]
	f.priced[from] = true
	f.mu.Unlock()
	if known {
		return
	}
	if known, err := f.Market.Snapshot(ctx, p.Account, from.provider, p.Region, product); err == nil && !known.Stale {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := f.readPrices(ctx, p, provider); err != nil {
		f.Log.Warn("no current prices", "account", p.Account, "region", p.Region, "error", err)
	}
}
