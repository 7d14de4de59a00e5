package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/neap-cloud/neap/internal/fault"
)

// List returns a page and the cursor of the next one, "" at the end.
func (c Collection[T]) List(ctx context.Context, s Session, sc Scope, q Query) (docs []Doc[T], next string, err error) {
	sel := c.find(s, sc, q).ColumnExpr(columns).OrderExpr(direction(q.Descending, "at", "id"))
	if q.After != "" {
		at, id, err := readCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		beyond := "(at, id) > (?, ?)"
		if q.Descending {
			beyond = "(at, id) < (?, ?)"
		}
		sel = sel.Where(beyond, at, id)
	}
	if q.Limit > 0 {
		sel = sel.Limit(int64(q.Limit) + 1)
	}
	rows, err := sel.Rows(ctx)
	if err != nil {
		return nil, "", failure(err)
	}
	err = each(rows, func(rows *sql.Rows) error {
		d, err := scan[T](rows)
		docs = append(docs, d)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if q.Limit > 0 && len(docs) > q.Limit {
		docs = docs[:q.Limit]
		last := docs[q.Limit-1]
		next = cursor(last.At, last.ID)
	}
	return docs, next, nil
}

// Count tells how many documents List would return over all pages; Limit and After do not matter.
func (c Collection[T]) Count(ctx context.Context, s Session, sc Scope, q Query) (int, error) {
	rows, err := c.find(s, sc, q).ColumnExpr("count(*)").Rows(ctx)
	if err != nil {
		return 0, failure(err)
	}
	var n int
	err = each(rows, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// find selects the documents that q names, in no order.
func (c Collection[T]) find(s Session, sc Scope, q Query) *bun.SelectQuery {
	sel := s.query(c.Table, sc)
	if q.IDs != nil {
		// Given the account as a plain column too, SQLite walks through all that the account has as soon as there are more than some ids.
		sel = oneOf(s.query(c.Table, Installation()), "id", q.IDs)
		if !sc.all {
			sel = sel.Where("account || '' = ?", sc.account)
		}
	}
	if q.Parent != "" {
		sel = sel.Where("parent = ?", q.Parent)
	}
	if q.Name != "" {
		sel = sel.Where("name = ?", q.Name)
	}
	if len(q.States) > 0 {
		sel = oneOf(sel, "state", q.States)
	}
	return between(sel, q.Since, q.Until)
}

// query begins a selection from table, narrowed to the scope.
func (db *DB) query(table string, sc Scope) *bun.SelectQuery { return db.from(db.session(), table, sc) }

func (tx *Tx) query(table string, sc Scope) *bun.SelectQuery {
	return tx.db.from(tx.conn, table, sc)
}

func (db *DB) from(conn bun.IConn, table string, sc Scope) *bun.SelectQuery {
	sel := db.bun.NewSelect().Conn(conn).TableExpr("?", bun.Ident(table))
	if !sc.all {
		sel = sel.Where("account = ?", sc.account)
	}
	return sel
}

func oneOf(sel *bun.SelectQuery, column string, values []string) *bun.SelectQuery {
	switch len(values) {
	case 0:
		return sel.Where("1 = 0")
	case 1:
		return sel.Where("? = ?", bun.Ident(column), values[0])
	}
	return sel.Where("? IN (?)", bun.Ident(column), bun.List(values))
}

func between(sel *bun.SelectQuery, from, until time.Time) *bun.SelectQuery {
	if !from.IsZero() {
		sel = sel.Where("at >= ?", ceilMicros(from))
	}
	if !until.IsZero() {
		sel = sel.Where("at < ?", ceilMicros(until))
	}
	return sel
}

// ceilMicros rounds up, so that a bound between two microseconds excludes what lies before it.
func ceilMicros(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

func direction(descending bool, columns ...string) string {
	if !descending {
		return strings.Join(columns, ", ")
	}
	return strings.Join(columns, " DESC, ") + " DESC"
}

// cursor names the last row of a page.
func cursor(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at.UnixMicro(), 10) + " " + id))
}

func readCursor(text string) (at int64, id string, err error) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	number, id, found := strings.Cut(string(plain), " ")
	at, wrong := strconv.ParseInt(number, 10, 64)
	if err != nil || !found || wrong != nil {
		return 0, "", fault.Of(fault.Invalid, "cursor", "The page cursor %q is not one of ours; use the one that the previous page returned.", text)
	}
	return at, id, nil
}
