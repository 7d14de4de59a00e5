package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/listen"
	"github.com/neap-cloud/neap/internal/fleet/spool"
	"github.com/neap-cloud/neap/internal/store"
)

// place is a spool.Place that has, or once had, groups. Places are kept, so that every replica knows them, and never removed: a look at an empty one costs one call.
type place = spool.Place

// standing is what the looks at a place have found that concerns every group in it.
type standing struct {
	place
	Held     bool      `json:",omitempty"` // so much is missing at once that no absence is believed
	JudgedAt time.Time `json:",omitzero"`  // the newest look that found something missing, and so decided on Held
	Looked   int64     `json:",omitempty"` // generation of the database that looked last
	Newest   int64     `json:",omitempty"` // newest generation that our instances here carry and that this database does not know; 0 = it knows all
}

// settleIn makes sure that a group's place is known and looked at.
func (f *Fleet) settleIn(ctx context.Context, tx *store.Tx, p place) error {
	_, err := places.Get(ctx, tx, store.Account(p.Account), p.String())
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	_, err = places.Insert(ctx, tx, store.Doc[standing]{Meta: store.Meta{ID: p.String(), Account: p.Account}, Value: standing{place: p}})
	if err != nil && !fault.Is(err, fault.Exists) {
		return err
	}
	tx.AfterCommit(f.ear.ForgetPlaces)
	return f.Workflow.Watch(ctx, tx, lookLoop, p.String())
}

// Places lists every region of every account that has, or once had, groups.
func (f *Fleet) Places(ctx context.Context) (list []place, err error) {
	known, _, err := places.List(ctx, f.DB, store.Installation(), store.Query{})
	for _, doc := range known {
		list = append(list, doc.Value.place)
	}
	return list, err
}

// LookAround has every place looked at soon: much may have happened while nobody did.
func (f *Fleet) LookAround(ctx context.Context) error {
	known, err := f.Places(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, p := range known {
		ids = append(ids, p.String())
	}
	return f.Workflow.RaiseAll(ctx, lookLoop, ids)
}

// standing reads what is known of a place; a place that nobody has settled in has no standing yet.
func (f *Fleet) standing(ctx context.Context, p place) (standing, error) {
	doc, err := places.Get(ctx, f.DB, store.Account(p.Account), p.String())
	if fault.Is(err, fault.NotFound) {
		return standing{place: p}, nil
	}
	return doc.Value, err
}

// each runs work for every place side by side, each under its own time limit, and joins what failed.
func (f *Fleet) each(ctx context.Context, work func(context.Context, place, cloud.Provider) error) error {
	known, err := f.Places(ctx)
	if err != nil {
		return err
	}
	results := make(chan error, len(known))
	for _, p := range known {
		go func() {
			limited, cancel := context.WithTimeout(ctx, listen.CallTimeout)
			defer cancel()
			provider, err := f.provider(limited, p.Account)
			if err == nil {
				err = work(limited, p, provider)
			}
			if err != nil {
				err = fmt.Errorf("%s in %s: %w", p.Account, p.Region, err)
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

// What a group's turns may take of the engine.
const (
	turnsAtOnce     = 128 // of all groups …
	turnsOfOnePlace = 8   // … and of those in one place, so that a region that hangs leaves the others their workers
	looksAtOnce     = 16
)

// need is how urgent it is to look at a group's instances.
func need(rows []store.Doc[Instance]) budget.Priority {
	if slices.ContainsFunc(rows, func(r store.Doc[Instance]) bool { return r.Value.isInTrouble() }) {
		return budget.Healing
	}
	return budget.Scaling
}

// lane is the place that a group's turns depend on.
func (f *Fleet) lane(ctx context.Context, group string) string {
	doc, err := groups.Get(ctx, f.DB, store.Installation(), group)
	if err != nil {
		return "" // its turn will say what is wrong
	}
	return place{Account: doc.Account, Region: doc.Value.Region}.String()
}
