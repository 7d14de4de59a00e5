package ledger

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/market"
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

// How many meters one pass of Post holds at a time.
const (
	page         = 500
	together     = 50     // of them in one transaction
	rememberMost = 10_000 // answers of the price book
)

// Post turns settled time into ledger lines. It may be repeated, interrupted and run twice at once: each meter's lines and its cursor move in one transaction,
// and the later of two writers finds the meter changed. Call it every minute or so. One meter's failure does not hold up the others.
//
// Open meters have something to post once an hour only, so they are walked over when a new hour has settled; what is not posted yet is read live anyway.
func (l *Ledger) Post(ctx context.Context) error {
	hour := l.clock.Now().Add(-Settle).Truncate(longest)
	var err error
	if l.PostedUpTo().Before(hour) {
		err = l.postAll(ctx, open)
	}
	// Afterwards, so that one that is closed meanwhile is met all the same.
	if err = errors.Join(err, l.postAll(ctx, closed)); err == nil {
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

// postAll walks over the meters in one state: an index has those in order.
func (l *Ledger) postAll(ctx context.Context, state string) error {
	var failures []error
	prices := remembered{PriceBook: l.prices, known: map[span][]market.Segment{}}
	for after := ""; ; {
		docs, next, err := meters.List(ctx, l.db, store.Installation(), store.Query{States: []string{state}, Limit: page, After: after})
		if err != nil {
			return err
		}
		for some := range slices.Chunk(docs, together) {
			failures = append(failures, l.post(ctx, prices, some)...)
		}
		if next == "" || ctx.Err() != nil {
			return errors.Join(append(failures, ctx.Err())...)
		}
		after = next
	}
}

// step is a meter that moves on, and the lines of the time between.
type step struct {
	doc   store.Doc[metered]
	lines []Line
}

// post moves the cursors of some meters as far as their time has settled.
func (l *Ledger) post(ctx context.Context, prices PriceBook, docs []store.Doc[metered]) (failures []error) {
	var steps []step
	for _, doc := range docs {
		due := l.due(doc.Value)
		done := doc.State == closed && due.Equal(doc.Value.Until)
		if !done && !due.After(doc.Value.Cursor) {
			continue
		}
		lines, err := linesOf(ctx, prices, doc.Value.Meter, doc.Value.Cursor, due)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		doc.Value.Cursor = due
		if done {
			doc.State = settled
		}
		steps = append(steps, step{doc, lines})
	}
	if err := l.write(ctx, steps); err == nil {
		return failures
	}
	for _, one := range steps {
		if err := l.write(ctx, []step{one}); err != nil && !fault.Is(err, fault.Conflict) {
			failures = append(failures, err)
		}
	}
	return failures
}

func (l *Ledger) write(ctx context.Context, steps []step) error {
	if len(steps) == 0 {
		return nil
	}
	return l.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, s := range steps {
			if _, err := meters.Update(ctx, tx, s.doc); err != nil {
				return err
			}
			for _, line := range s.lines {
				if _, err := posted.Insert(ctx, tx, record(line)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// remembered is a price book that is asked once for what many meters want to know: full hours of few markets.
type remembered struct {
	PriceBook
	known map[span][]market.Segment
}

type span struct {
	provider    string
	market      cloud.Market
	from, until time.Time
}

func (r remembered) Prices(ctx context.Context, provider string, in cloud.Market, from, until time.Time) ([]market.Segment, error) {
	asked := span{provider, in, from, until}
	if known, is := r.known[asked]; is {
		return known, nil
	}
	if len(r.known) >= rememberMost {
		clear(r.known)
	}
	prices, err := r.PriceBook.Prices(ctx, provider, in, from, until)
	if err == nil {
		r.known[asked] = prices
	}
	return prices, err
}

// due is how far a meter's time may be posted: to its end, else to the last full hour that has settled.
func (l *Ledger) due(m metered) time.Time {
	horizon := l.clock.Now().Add(-Settle)
	if !m.Until.IsZero() && !m.Until.After(horizon) {
		return m.Until
	}
	return later(horizon.Truncate(longest), m.Cursor)
}

// linesOf prices from … to of a meter.
func linesOf(ctx context.Context, book PriceBook, m Meter, from, to time.Time) ([]Line, error) {
	if !from.Before(to) {
		return nil, nil
	}
	prices, err := book.Prices(ctx, m.Provider, m.Market, from, to)
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
