package ledger

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// attempts is how often a reading is repeated when meters moved under it.
const attempts = 5

// Lines are the posted and the not yet posted lines of a group that overlap from … to (engine time, to excluded), cut to it, by start and instance. Without a
// group they are the whole account's. Every metered second up to the present is in exactly one of them.
func (l *Ledger) Lines(ctx context.Context, account, group string, from, to time.Time) ([]Line, error) {
	for range attempts {
		lines, whole, err := l.read(ctx, account, group, from, to)
		if err != nil {
			return nil, err
		}
		if whole {
			slices.SortFunc(lines, func(a, b Line) int {
				return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Meter.Instance, b.Meter.Instance))
			})
			return lines, nil
		}
	}
	return nil, fault.Of(fault.Unavailable, "cost", "The meters of %q keep changing while they are read; try again.", cmp.Or(group, account))
}

// read takes one look. Meters are read before lines: what is posted in between lies beyond the cursors seen and is left out, since the tail covers it. A meter
// that was closed into the past in between took lines back; whole is false then.
func (l *Ledger) read(ctx context.Context, account, group string, from, to time.Time) (lines []Line, whole bool, err error) {
	scope := store.Account(account)
	moving, _, err := meters.List(ctx, l.db, scope, store.Query{Parent: group, States: []string{open, closed}, Until: to})
	if err != nil {
		return nil, false, err
	}
	entries, _, err := posted.List(ctx, l.db, scope, store.Query{Parent: group, Since: from.Add(-longest), Until: to})
	if err != nil {
		return nil, false, err
	}
	known, err := l.metersOf(ctx, scope, moving, entries)
	if err != nil {
		return nil, false, err
	}

	covered := make(map[string]time.Duration, len(moving))
	for _, doc := range entries {
		m := known[doc.Value.Instance]
		if line, ok := doc.Value.line(m.Meter).within(from, earlier(to, m.Cursor)); ok {
			lines = append(lines, line)
			covered[m.Instance] += line.To.Sub(line.From)
		}
	}
	for _, doc := range moving {
		m := doc.Value
		if covered[m.Instance] != overlap(m.From, m.Cursor, from, to) {
			return nil, false, nil
		}
		begin, end := later(m.Cursor, ceil(from)), earlier(l.end(m), ceil(to))
		tail, err := linesOf(ctx, l.prices, m.Meter, begin, end)
		if err != nil {
			return nil, false, err
		}
		lines = append(lines, tail...)
	}
	return lines, true, nil
}

// metersOf finds the meter of every line: the moving ones as they were read first, the rest, which are final, by id.
func (l *Ledger) metersOf(ctx context.Context, scope store.Scope, moving []store.Doc[metered], entries []store.Doc[entry]) (map[string]metered, error) {
	known := make(map[string]metered, len(moving))
	for _, doc := range moving {
		known[doc.ID] = doc.Value
	}
	missing := make(map[string]bool)
	for _, doc := range entries {
		if _, ok := known[doc.Value.Instance]; !ok {
			missing[doc.Value.Instance] = true
		}
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(missing)), page) {
		docs, _, err := meters.List(ctx, l.db, scope, store.Query{IDs: ids})
		if err != nil {
			return nil, err
		}
		for _, doc := range docs {
			known[doc.ID] = doc.Value
		}
	}
	return known, nil
}

// end is how far a meter has run by now.
func (l *Ledger) end(m metered) time.Time {
	if !m.Until.IsZero() {
		return m.Until
	}
	return floor(l.clock.Now())
}

// overlap is how much of a … b lies within from … to, in whole seconds.
func overlap(a, b, from, to time.Time) time.Duration {
	return max(0, earlier(b, ceil(to)).Sub(later(a, ceil(from))))
}
