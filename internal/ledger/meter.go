package ledger

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// States of a stored meter. An unsettled one (open, closed) still has seconds to post; a settled one and its lines are final.
const (
	open    = "open"
	closed  = "closed"
	settled = "settled"
)

// metered is a stored meter. Its seconds before Cursor are in lines.
type metered struct {
	Meter
	Cursor time.Time
}

// The ledger's collections. A line's Parent is its group and its Name the instance; a meter's Parent is its group.
var (
	meters = store.Collection[metered]{Table: "meters", Noun: "meter"}
	posted = store.Collection[entry]{Table: "ledger_lines", Noun: "ledger line"}
)

// Open starts a meter. Repeating it changes nothing, whatever the repeated call says.
func (l *Ledger) Open(ctx context.Context, tx *store.Tx, m Meter) error {
	if m.Instance == "" || m.Account == "" || m.From.IsZero() {
		return fault.Of(fault.Internal, "meter", "A meter needs an instance, an account and a start.")
	}
	m.From, m.Until = floor(m.From), time.Time{}
	return meters.Ensure(ctx, tx, store.Doc[metered]{
		Meta:  store.Meta{ID: m.Instance, Account: m.Account, Parent: m.Group, State: open, At: m.From},
		Value: metered{Meter: m, Cursor: m.From},
	})
}

// Close ends a meter at a moment (zero = now), which may lie in the past: seconds that were posted beyond it are taken back. Closing a meter again, or one that was
// never opened, changes nothing.
func (l *Ledger) Close(ctx context.Context, tx *store.Tx, account, instance string, at time.Time) error {
	doc, err := meters.Get(ctx, tx, store.Account(account), instance)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil || doc.State != open {
		return err
	}
	if at.IsZero() {
		at = l.clock.Now()
	}
	until := later(floor(at), doc.Value.From)
	if doc.Value.Cursor.After(until) {
		if err := takeBack(ctx, tx, doc.Value.Meter, until); err != nil {
			return err
		}
		doc.Value.Cursor = until
	}
	doc.State, doc.Value.Until = closed, until
	_, err = meters.Update(ctx, tx.Later(), doc)
	return err
}

// takeBack removes what was posted for a meter from a moment on.
func takeBack(ctx context.Context, tx *store.Tx, m Meter, from time.Time) error {
	lines, _, err := posted.List(ctx, tx, store.Account(m.Account), store.Query{Parent: m.Group, Name: m.Instance, Since: from.Add(-longest)})
	if err != nil {
		return err
	}
	for _, doc := range lines {
		switch {
		case !doc.Value.From.Before(from):
			err = posted.Delete(ctx, tx, store.Account(m.Account), doc.ID)
		case doc.Value.To.After(from):
			doc.Value.To = from
			_, err = posted.Update(ctx, tx, doc)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
