package capacity

import (
	"context"

	"github.com/neap-cloud/neap/internal/store"
)

// Lanes are those of an account that have, or had, machines, by the groups that the ledger books the machines under; a lane may have several.
func (f *Fleets) Lanes(ctx context.Context, account string) (map[string]Lane, error) {
	docs, _, err := lanes.List(ctx, f.DB, store.Account(account), store.Query{})
	by := make(map[string]Lane, len(docs))
	for _, d := range docs {
		by[d.Value.Group] = d.Value.Lane
	}
	return by, err
}
