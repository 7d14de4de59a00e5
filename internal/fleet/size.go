package fleet

import (
	"context"

	"github.com/neap-cloud/neap/internal/store"
)

// Size is how much the whole installation keeps, over all accounts.
type Size struct{ Groups, Instances int }

// Size counts what is kept now.
func (f *Fleet) Size(ctx context.Context) (Size, error) {
	kept, err := groups.Count(ctx, f.DB, store.Installation(), store.Query{States: []string{active}})
	if err != nil {
		return Size{}, err
	}
	running, err := members.Count(ctx, f.DB, store.Installation(), store.Query{States: aliveStates()})
	return Size{kept, running}, err
}
