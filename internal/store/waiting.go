package store

import (
	"context"
)

// Waiting is the id of the record that has waited longest to be sealed, "" when none waits.
func (l Log[T]) Waiting(ctx context.Context, s Session) (id string, err error) {
	rows, err := s.session().query(ctx, "SELECT id FROM "+l.Table+" WHERE seq IS NULL ORDER BY ord LIMIT 1")
	if err != nil {
		return "", failure(err)
	}
	err = each(rows, func(rows Row) error { return rows.Scan(&id) })
	return id, err
}
