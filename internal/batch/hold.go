package batch

import (
	"context"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// release lets jobs go on that were held back until now.
func (d *dispatcher) release(ctx context.Context) error {
	now := d.c.Clock.Now().UTC()
	var due []string
	for id, until := range d.holds {
		if !until.After(now) {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	for some := range slices.Chunk(due, chunk) {
		docs, _, err := jobs.List(ctx, d.c.DB, store.Installation(), store.Query{IDs: some, States: []string{held}})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			if err := d.releaseOne(ctx, doc, now); err != nil {
				if ctx.Err() != nil {
					return err
				}
				d.c.Log.Warn("a job that was held back cannot go on; it is tried again", "job", doc.ID, "error", err)
				d.holds[doc.ID] = now.Add(decideEvery)
			}
		}
		for _, id := range some {
			if until, is := d.holds[id]; is && !until.After(now) {
				delete(d.holds, id)
			}
		}
	}
	return nil
}

// releaseOne decides before the transaction: what the market is read from must not be asked inside of one.
func (d *dispatcher) releaseOne(ctx context.Context, doc document, now time.Time) error {
	var on decision
	if doc.Value.State == Pending {
		var err error
		if on, err = d.decide(ctx, &doc.Value.Job, now); err != nil {
			return err
		}
	}
	doc, err := d.change(ctx, doc, func(doc document) (move, bool, error) { return released(doc, on, now) })
	if err != nil {
		return err
	}
	return d.lineUp(doc)
}

// lineUp takes note of a job that waits again.
func (d *dispatcher) lineUp(doc document) error {
	switch doc.State {
	case held:
		d.holds[doc.ID] = doc.Value.Until
	case waiting:
		l, err := lineOf(doc.Parent, doc.Name)
		if err != nil {
			return err
		}
		d.queue(l).reread() // it may go before those who were read already
	}
	return nil
}

// released is a held job whose time has come.
func released(doc document, on decision, now time.Time) (m move, changed bool, err error) {
	m = move{doc: clone(doc)}
	switch {
	case doc.State != held, doc.Value.State == Pending && on.where == "": // somebody changed it meanwhile
		return m, false, nil
	case doc.Value.State == Pending:
		return decided(m, on, now)
	}
	m.doc.State, m.doc.Value.Until = waiting, time.Time{}
	return m, true, nil
}
