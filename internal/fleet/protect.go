package fleet

import (
	"context"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// Protect makes a group refuse deletion, or allows it again.
func (f *Fleet) Protect(ctx context.Context, account, author, id string, isProtected bool) (Group, error) {
	var after store.Doc[record]
	err := f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
		doc, err := f.load(ctx, tx, store.Account(account), id)
		if err != nil {
			return changed{}, err
		}
		text := "Group %s is protected by %s: deletion is refused."
		if !isProtected {
			text = "Group %s is no longer protected: %s allows its deletion."
		}
		doc.Value.IsProtected = isProtected
		if after, err = groups.Update(ctx, tx, doc); err != nil {
			return changed{}, err
		}
		if err := f.Journal.Log(ctx, tx, doc.Account, doc.ID, f.line(journal.Info, text, id, author)); err != nil {
			return changed{}, err
		}
		intent, err := f.intent(after)
		return changed{after, intent}, err
	})
	if err != nil {
		return Group{}, err
	}
	return fromRecord(after), nil
}

func refuseProtected(doc store.Doc[record]) error {
	if !doc.Value.IsProtected {
		return nil
	}
	return fault.Of(fault.Conflict, "group", "Group %s is protected from deletion; take the protection off first (neap unprotect %s).", doc.ID, doc.ID)
}
