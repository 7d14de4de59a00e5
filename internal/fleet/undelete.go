package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// All lists an account's groups of every form, oldest first: those that are kept, or those that were deleted and can still be brought back.
func (f *Fleet) All(ctx context.Context, account string, isDeleted bool) ([]Group, error) {
	state := active
	if isDeleted {
		state = held
	}
	docs, _, err := groups.List(ctx, f.DB, store.Account(account), store.Query{States: []string{state}})
	if err != nil {
		return nil, err
	}
	list := make([]Group, 0, len(docs))
	for _, d := range docs {
		list = append(list, fromRecord(d))
	}
	return list, nil
}

// AccountOfDeleted names the account of a group that can be brought back, for authorisation.
func (f *Fleet) AccountOfDeleted(ctx context.Context, id string) (string, error) {
	doc, err := f.loadHeld(ctx, f.DB, store.Installation(), id)
	return doc.Account, err
}

func (f *Fleet) loadHeld(ctx context.Context, s store.Session, sc store.Scope, id string) (store.Doc[record], error) {
	doc, err := groups.Get(ctx, s, sc, id)
	if err == nil && doc.State != held {
		err = fault.Missing("group", id)
	}
	return doc, err
}

// Undelete brings a deleted group back, with the instances that it has left. fault.NotFound once its hold is over.
func (f *Fleet) Undelete(ctx context.Context, account, author, id string) (Group, error) {
	var after store.Doc[record]
	err := f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
		doc, err := f.loadHeld(ctx, tx, store.Account(account), id)
		if err != nil {
			return changed{}, err
		}
		now := f.Clock.Now()
		doc.State, doc.Value.HeldUntil, doc.Value.Updated = active, time.Time{}, now
		if after, err = groups.Update(ctx, tx, doc); err != nil {
			return changed{}, err
		}
		intent, err := f.intent(after)
		if err != nil {
			return changed{}, err
		}
		line := journal.Line{At: now, Severity: journal.Info, Message: fmt.Sprintf("Group %s was brought back by %s.", id, author)}
		return changed{after, intent}, f.note(ctx, tx, after, []journal.Line{line}, event(now, "undeleted", nil))
	})
	if err != nil {
		return Group{}, err
	}
	return fromRecord(after), nil
}

// letGo ends the hold of a deleted group whose time is over, and reports whether its instances are still to be kept.
func (t *turn) letGo(ctx context.Context) (kept bool, err error) {
	if t.f.Clock.Now().Before(t.doc.Value.HeldUntil) {
		return true, nil
	}
	return false, t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		doc, err := groups.Get(ctx, tx, store.Installation(), t.doc.ID)
		if err != nil {
			return err
		}
		if doc.State == held { // else it was brought back this very moment, and the next turn sees it
			doc.State = deleting
			if doc, err = groups.Update(ctx, tx, doc); err != nil {
				return err
			}
		}
		t.doc = doc
		return t.f.Journal.Log(ctx, tx, doc.Account, doc.ID, t.f.line(journal.Info, "The time to bring group %s back is over; its instances are being terminated.", doc.ID))
	})
}
