package identity

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// MarkRestored writes down, in the transaction of a restore, that this database is a copy from the past: whoever works on it only observes until a person accepts it.
func MarkRestored(ctx context.Context, tx *store.Tx, taken time.Time) error {
	doc, err := installations.Get(ctx, tx, store.Installation(), self)
	if fault.Is(err, fault.NotFound) {
		return nil // the backup of a database that was never used
	}
	if err != nil {
		return err
	}
	doc.Value.Restored = taken
	_, err = installations.Update(ctx, tx, doc)
	return err
}

// AcceptGeneration makes this database the installation's newest, whatever its instances' tags say: newest is the highest generation that any of them carries.
// It is a person's decision, because two databases that both believe themselves the newest would undo each other's work.
func (i *Identity) AcceptGeneration(ctx context.Context, newest int64) (Installation, error) {
	var inst Installation
	err := i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		doc, err := installations.Get(ctx, tx, store.Installation(), self)
		if err != nil {
			return err
		}
		doc.Value.Generation = max(doc.Value.Generation, newest)
		doc.Value.Starts = nil // what others launched up to now is accepted
		doc.Value.start()
		doc.Value.Restored = time.Time{}
		inst = doc.Value
		_, err = installations.Update(ctx, tx, doc)
		return err
	})
	return inst, err
}
