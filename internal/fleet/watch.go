package fleet

import (
	"context"
	"fmt"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/spool"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// Watch keeps notices in the spool whenever the store is away, and takes them in when it is back. Call stop before the store is closed.
func (f *Fleet) Watch(ctx context.Context) (stop func()) {
	w := &spool.Watch{File: f.spool, Log: f.Log, Probe: f.probe, Back: f.unspool}
	return w.Start(ctx)
}

// probe sees whether the store works, and finds the clouds that may give notices.
func (f *Fleet) probe(ctx context.Context) (map[place]cloud.Provider, error) {
	docs, _, err := places.List(ctx, f.DB, store.Installation(), store.Query{})
	if err != nil {
		return nil, err
	}
	known := make(map[place]cloud.Provider, len(docs))
	for _, doc := range docs {
		provider, err := f.provider(ctx, doc.Value.Account)
		if err != nil {
			continue // that account's own trouble
		}
		known[doc.Value.place] = provider
	}
	return known, f.DB.TryWrite(ctx)
}

// unspool takes in what the spool holds. The notices are acknowledged, and dropped from the spool, after they have been committed.
func (f *Fleet) unspool(ctx context.Context, known map[place]cloud.Provider) error {
	kept, err := f.spool.All()
	if err != nil || len(kept) == 0 {
		return err
	}
	message := fmt.Sprintf("%d notices came while the database was away, and were kept on this machine's disk.", len(kept))
	err = f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return f.Journal.Alert(ctx, tx, "", "", journal.AlertSpooled, message)
	})
	if err != nil {
		return err
	}
	byPlace := map[place][]cloud.Notice{}
	for _, entry := range kept {
		byPlace[entry.Place()] = append(byPlace[entry.Place()], entry.Notice)
	}
	for p, notices := range byPlace {
		notifier, ok := cloud.As[cloud.Notifier](known[p])
		if !ok {
			return fmt.Errorf("%d spooled notices are for %s, which can't be reached now", len(notices), p)
		}
		if err := f.takeFrom(ctx, p, notifier, notices); err != nil {
			return err
		}
	}
	if err := f.spool.Drop(len(kept)); err != nil {
		return err
	}
	return f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return f.Journal.Calm(ctx, tx, "", "", journal.AlertSpooled)
	})
}
