package market

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// keepExact is how long every change of a price is kept at least, though nothing reads it any more: for whoever asks about the last days.
const keepExact = 3 * 24 * time.Hour

// thinAtOnce is how many pages one transaction thins, so that writers do not notice.
const thinAtOnce = 25

// week is what prices are thinned to: of its pages, each type's newest stays.
const week = 7 * 24 * time.Hour

// Thin makes old prices few: before posted, up to which all costs are, and before the last three days, a market keeps one price a week (UTC, from Monday): the last. Prices then
// answers for the rest of that week with what held at the end of the week before. It does little more than once an engine day; a zero time is never reached.
func (m *Market) Thin(ctx context.Context, posted time.Time) error {
	until := m.clock.Now().Add(-keepExact)
	if posted.Before(until) {
		until = posted
	}
	until = until.UTC().Truncate(24 * time.Hour)
	if until.Year() <= 1 || !until.After(m.thinned()) {
		return nil
	}
	heads, _, err := prices().List(ctx, m.db, everybody(), store.Query{States: []string{headState}})
	if err != nil {
		return err
	}
	for _, head := range heads {
		if err := m.thinFeed(ctx, head.ID, until); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.thinnedTo = until
	return nil
}

func (m *Market) thinned() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.thinnedTo
}

// thinFeed goes back from until, and stops at a week that has prices and needs nothing: those before it were thinned when it was.
func (m *Market) thinFeed(ctx context.Context, key string, until time.Time) error {
	const least = 2 // the present week begins anew with a Monday, when the one before may still need something
	for weeks, to := 1, until; ; weeks++ {
		from := to.Add(-time.Microsecond).Truncate(week)
		changed, found, err := m.thinWeek(ctx, store.Query{States: []string{key}, Since: from, Until: to, Descending: true, Limit: thinAtOnce})
		if err != nil || weeks >= least && found && !changed || from.Before(until.Add(-keepPrices)) {
			return err
		}
		to = from
	}
}

// thinWeek walks over the pages of a feed's week, a small transaction at a time.
func (m *Market) thinWeek(ctx context.Context, q store.Query) (changed, found bool, err error) {
	seen := map[string]bool{}
	for {
		pages, next, err := prices().List(ctx, m.db, everybody(), q)
		if err != nil {
			return changed, found, err
		}
		reduced, dropped := thin(pages, seen)
		if len(reduced)+len(dropped) > 0 {
			if err := m.replace(ctx, reduced, dropped); err != nil {
				return changed, found, err
			}
		}
		changed, found = changed || len(reduced)+len(dropped) > 0, found || len(pages) > 0
		if next == "" {
			return changed, found, nil
		}
		q.After = next
	}
}

// thin decides about pages of one week, newest first: each type's first stays, with nothing but what held at its end, and the others go. seen are the types of which a page stays.
func thin(pages []store.Doc[page], seen map[string]bool) (reduced []store.Doc[page], dropped []string) {
	for _, doc := range pages {
		if seen[doc.Value.Type] {
			dropped = append(dropped, doc.ID)
			continue
		}
		seen[doc.Value.Type] = true
		closing := doc.Value.closing()
		if len(doc.Value.Opening) > 0 || len(closing) < len(doc.Value.Changes) {
			doc.Value.Opening, doc.Value.Changes = nil, closing
			reduced = append(reduced, doc)
		}
	}
	return reduced, dropped
}

func (m *Market) replace(ctx context.Context, reduced []store.Doc[page], dropped []string) error {
	return m.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, doc := range reduced {
			if _, err := prices().Update(ctx, tx, doc); err != nil {
				return err
			}
		}
		for _, id := range dropped {
			if err := prices().Delete(ctx, tx, everybody(), id); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		return nil
	})
}
