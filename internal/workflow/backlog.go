package workflow

import (
	"context"

	"github.com/neap-cloud/neap/internal/store"
)

// Waiting is a key with changes that no turn has seen to the end yet. Done tells one state of it from another: while it stays the same, no turn has ended.
type Waiting struct {
	Loop, Key string
	Done      int64
}

// Backlog lists keys that wait for a turn, or have one that has not ended, on whatever replica; at most limit of them.
func (e *Engine) Backlog(ctx context.Context, limit int) ([]Waiting, error) {
	var list []Waiting
	err := store.Rows(ctx, e.c.DB, func(row store.Row) error {
		var w Waiting
		err := row.Scan(&w.Loop, &w.Key, &w.Done)
		list = append(list, w)
		return err
	}, "SELECT loop, key, done FROM loops WHERE wanted > done ORDER BY since, loop, key LIMIT ?", limit)
	return list, err
}
