package identity

import (
	"context"

	"github.com/neap-cloud/neap/internal/store"
)

// Installation reads the installation as it is now: another replica's start may have raised its generation.
func (i *Identity) Installation(ctx context.Context) (Installation, error) {
	doc, err := installations.Get(ctx, i.db, store.Installation(), self)
	return doc.Value, err
}
