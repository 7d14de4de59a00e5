package listen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fleet/spool"
)

const priceInterval = time.Minute // wall time between two reads of a price feed

// feed is one price feed: what a cloud asks in a region is the same for all of its accounts.
type feed struct{ provider, region string }

// takePrices reads every price feed once, through the first account that gets an answer.
func (e *Ear) takePrices(ctx context.Context) error {
	known, err := e.places.Get(ctx)
	if err != nil {
		return err
	}
	ways := map[feed][]spool.Place{}
	var failed []error
	for _, p := range known {
		provider, err := e.Provider(ctx, p.Account)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		from := feed{provider.Info().Name, p.Region}
		ways[from] = append(ways[from], p)
	}
	results := make(chan error, len(ways))
	for _, some := range ways {
		go func() { results <- e.readFeed(ctx, some) }()
	}
	for range ways {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}

// readFeed tries one account after the other.
func (e *Ear) readFeed(ctx context.Context, ways []spool.Place) error {
	var failed []error
	for _, p := range ways {
		limited, cancel := context.WithTimeout(budget.With(ctx, budget.Saving), CallTimeout)
		provider, err := e.Provider(limited, p.Account)
		if err == nil {
			err = e.readPrices(limited, p, provider)
		}
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		failed = append(failed, fmt.Errorf("prices for %s: %w", p, err))
	}
	return errors.Join(failed...)
}

func (e *Ear) readPrices(ctx context.Context, p spool.Place, provider cloud.Provider) error {
	pricer, ok := cloud.As[cloud.Pricer](provider)
	if !ok {
		return nil
	}
	prices, err := pricer.Prices(ctx, p.Region)
	if err != nil {
		return err
	}
	return e.Market.Observe(ctx, provider.Info().Name, prices)
}

// FirstPrices reads a feed that nobody has read for long, so that even a new region's first purchase goes by current prices. Without them the market falls
// back to older ones, and says so. What another replica has read will do: to read it again could make a turn wait for that replica's writing.
func (e *Ear) FirstPrices(ctx context.Context, p spool.Place, product string, provider cloud.Provider) {
	from := feed{provider.Info().Name, p.Region}
	e.mu.Lock()
	known := e.priced[from]
	e.priced[from] = true
	e.mu.Unlock()
	if known {
		return
	}
	if known, err := e.Market.Snapshot(ctx, p.Account, from.provider, p.Region, product); err == nil && !known.Stale {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	if err := e.readPrices(ctx, p, provider); err != nil {
		e.Log.Warn("no current prices", "account", p.Account, "region", p.Region, "error", err)
	}
}
