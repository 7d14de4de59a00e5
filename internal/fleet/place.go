package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// place is one region of one account that has, or once had, groups: where notices and prices are looked for. Places are kept, so that every replica knows
// them, and never removed: a look at an empty one costs one call.
type place struct {
	Account string
	Region  string
}

func (p place) String() string { return p.Account + "/" + p.Region }

// callTimeout bounds the work on one place: a region that hangs must not hold up the others for longer.
const callTimeout = 10 * time.Second

// settleIn makes sure that a group's place is known.
func settleIn(ctx context.Context, tx *store.Tx, p place) error {
	_, err := places.Get(ctx, tx, store.Account(p.Account), p.String())
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	_, err = places.Insert(ctx, tx, store.Doc[place]{Meta: store.Meta{ID: p.String(), Account: p.Account}, Value: p})
	if fault.Is(err, fault.Exists) {
		return nil
	}
	return err
}

// each runs work for every place side by side, each under its own time limit, and joins what failed.
func (f *Fleet) each(ctx context.Context, work func(context.Context, place, cloud.Provider) error) error {
	known, _, err := places.List(ctx, f.DB, store.Installation(), store.Query{})
	if err != nil {
		return err
	}
	results := make(chan error, len(known))
	for _, doc := range known {
		go func() {
			limited, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			provider, err := f.provider(limited, doc.Value.Account)
			if err == nil {
				err = work(limited, doc.Value, provider)
			}
			if err != nil {
				err = fmt.Errorf("%s in %s: %w", doc.Value.Account, doc.Value.Region, err)
			}
			results <- err
		}()
	}
	var failed []error
	for range known {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}
