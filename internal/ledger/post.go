package ledger

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/store"
)

// entry is a stored line. Its amounts follow from it, and its meter is kept once.
type entry struct {
	Instance string
	From, To time.Time
	Price    money.Price
	OnDemand money.Price
	Source   string
}

// page is how many meters one pass of Post holds at a time.
const page = 500

// Post turns settled time into ledger lines. It may be repeated, interrupted and run twice at once: each meter's lines and its cursor move in one transaction,
// and the later of two writers finds the meter changed. Call it every minute or so. One meter's failure does not hold up the others.
//
// Open meters have something to post once an hour only, so they are walked over when a new hour has settled; what is not posted yet is read live anyway.
func (l *Ledger) Post(ctx context.Context) error {
	states := []string{closed}
	hour := l.clock.Now().Add(-Settle).Truncate(longest)
	if l.PostedUpTo().Before(hour) {
		states = []string{open, closed}
	}
	err := l.postAll(ctx, states)
	if err == nil {
		l.setPosted(hour)
	}
	return err
}

// PostedUpTo is the settled hour up to which this process has walked over all open meters, so that nothing before it waits to be posted; zero when it has not walked yet.
func (l *Ledger) PostedUpTo() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.upTo
}

func (l *Ledger) setPosted(hour time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.upTo = later(l.upTo, hour)
}

func (l *Ledger) postAll(ctx context.Context, states []string) error {
	var failures []error
	for after := ""; ; {
		docs, next, err := meters.List(ctx, l.db, store.Installation(), store.Query{States: states, Limit: page, After: after})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			if err := l.post(ctx, doc); err != nil && !fault.Is(err, fault.Conflict) {
				failures = append(failures, err)
			}
		}
		if next == "" || ctx.Err() != nil {
			return errors.Join(append(failures, ctx.Err())...)
		}
		after = next
	}
}

// post moves one meter's cursor as far as its time has settled.
func (l *Ledger) post(ctx context.Context, doc store.Doc[metered]) error {
	due := l.due(doc.Value)
	done := doc.State == closed && due.Equal(doc.Value.Until)
	if !done && !due.After(doc.Value.Cursor) {
		return nil
	}
	lines, err := l.lines(ctx, doc.Value.Meter, doc.Value.Cursor, due)
	if err != nil {
		return err
	}
	doc.Value.Cursor = due
	if done {
		doc.State = settled
	}
	return l.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := meters.Update(ctx, tx, doc); err != nil {
			return err
		}
		for _, line := range lines {
			if _, err := posted.Insert(ctx, tx, record(line)); err != nil {
				return err
			}
		}
		return nil
	})
}

// due is how far a meter's time may be posted: to its end, else to the last full hour that has settled.
func (l *Ledger) due(m metered) time.Time {
	horizon := l.clock.Now().Add(-Settle)
	if !m.Until.IsZero() && !m.Until.After(horizon) {
		return m.Until
	}
	return later(horizon.Truncate(longest), m.Cursor)
}

// lines prices from … to of a meter.
func (l *Ledger) lines(ctx context.Context, m Meter, from, to time.Time) ([]Line, error) {
	if !from.Before(to) {
		return nil, nil
	}
	prices, err := l.prices.Prices(ctx, m.Provider, m.Market, from, to)
	if err != nil {
		return nil, err
	}
	return cut(m, from, to, prices)
}

func record(line Line) store.Doc[entry] {
	m := line.Meter
	return store.Doc[entry]{
		Meta: store.Meta{
			ID: m.Instance + "/" + strconv.FormatInt(line.From.Unix(), 10), Account: m.Account, Parent: m.Group, Name: m.Instance, At: line.From,
		},
		Value: entry{Instance: m.Instance, From: line.From, To: line.To, Price: line.Price, OnDemand: line.OnDemand, Source: line.Source},
	}
}

func (e entry) line(m Meter) Line {
	return priced(Line{Meter: m, From: e.From.UTC(), To: e.To.UTC(), Price: e.Price, OnDemand: e.OnDemand, Source: e.Source})
}
