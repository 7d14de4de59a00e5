package listen

import (
	"context"
	"fmt"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/spool"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// Watch keeps notices in the spool whenever the store is away, and takes them in when it is back. Call stop before the store is closed.
func (e *Ear) Watch(ctx context.Context) (stop func()) {
	w := &spool.Watch{File: e.spool, Log: e.Log, Probe: e.probe, Back: e.unspool}
	return w.Start(ctx)
}

// probe sees whether the store works, and finds the clouds that may give notices.
func (e *Ear) probe(ctx context.Context) (map[spool.Place]cloud.Provider, error) {
	list, err := e.Places(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[spool.Place]cloud.Provider, len(list))
	for _, p := range list {
		provider, err := e.Provider(ctx, p.Account)
		if err != nil {
			continue // that account's own trouble
		}
		known[p] = provider
	}
	return known, e.DB.TryWrite(ctx)
}

// unspool takes in what the spool holds. The notices are acknowledged, and dropped from the spool, after they have been committed.
func (e *Ear) unspool(ctx context.Context, known map[spool.Place]cloud.Provider) error {
	kept, err := e.spool.All()
	if err != nil || len(kept) == 0 {
		return err
	}
	message := fmt.Sprintf("%d notices came while the database was away, and were kept on this machine's disk.", len(kept))
	err = e.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return e.Journal.Alert(ctx, tx, "", "", journal.AlertSpooled, message)
	})
	if err != nil {
		return err
	}
	byPlace := map[spool.Place][]cloud.Notice{}
	for _, entry := range kept {
		byPlace[entry.Place()] = append(byPlace[entry.Place()], entry.Notice)
	}
	for p, notices := range byPlace {
		notifier, ok := cloud.As[cloud.Notifier](known[p])
		if !ok {
			return fmt.Errorf("%d spooled notices are for %s, which can't be reached now", len(notices), p)
		}
		if err := e.takeFrom(ctx, p, notifier, notices); err != nil {
			return err
		}
	}
	if err := e.spool.Drop(len(kept)); err != nil {
		return err
	}
	return e.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return e.Journal.Calm(ctx, tx, "", "", journal.AlertSpooled)
	})
}
