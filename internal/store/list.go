package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// List returns a page and the cursor of the next one, "" at the end.
func (c Collection[T]) List(ctx context.Context, s Session, sc Scope, q Query) (docs []Doc[T], next string, err error) {
	sel := c.find(s, sc, q)
	if q.After != "" {
		at, id, err := readCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		beyond := "(at, id) > (?, ?)"
		if q.Descending {
			beyond = "(at, id) < (?, ?)"
		}
		sel.and(beyond, at, id)
	}
	limit := q.Limit
	if limit > 0 {
		limit++ // tells whether there is a next page
	}
	rows, err := sel.rows(ctx, columns, q.order(), limit)
	if err != nil {
		return nil, "", err
	}
	err = each(rows, func(rows Row) error {
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
	rows, err := c.find(s, sc, q).rows(ctx, "count(*)", "", 0)
	if err != nil {
		return 0, err
	}
	var n int
	err = each(rows, func(rows Row) error { return rows.Scan(&n) })
	return n, err
}

// Tally is how many documents there are of a parent and a name.
type Tally struct {
	Parent, Name string
	Count        int
	Oldest       time.Time // the smallest At of them
}

// Tallies counts the documents that q selects, by parent and name, in that order. Limit and After do not matter.
func (c Collection[T]) Tallies(ctx context.Context, s Session, sc Scope, q Query) (tallies []Tally, err error) {
	sel := c.find(s, sc, q)
	sel.by = "parent, name"
	rows, err := sel.rows(ctx, "parent, name, count(*), min(at)", "parent, name", 0)
	if err != nil {
		return nil, err
	}
	err = each(rows, func(rows Row) error {
		var t Tally
		var oldest int64
		err := rows.Scan(&t.Parent, &t.Name, &t.Count, &oldest)
		t.Oldest = fromMicros(oldest)
		tallies = append(tallies, t)
		return err
	})
	return tallies, err
}

// Stamp is a text that differs as soon as one of the documents that List would return over all pages has changed, come or gone; Limit and After do not matter.
func (c Collection[T]) Stamp(ctx context.Context, s Session, sc Scope, q Query) (string, error) {
	rows, err := c.find(s, sc, q).rows(ctx, "count(*), CAST(coalesce(sum(version), 0) AS BIGINT), coalesce(max(updated), 0)", "", 0)
	if err != nil {
		return "", err
	}
	var n, versions, newest int64
	err = each(rows, func(rows Row) error { return rows.Scan(&n, &versions, &newest) })
	return fmt.Sprint(n, versions, newest), err
}

// order is by time. Of a name, SQLite would walk through all of the account for the sake of that order, if it could take it from an index; of a name, a parent and a
// state there is an index that has it.
func (q Query) order() string {
	if q.Name != "" && (q.Parent == "" || len(q.States) != 1) {
		return direction(q.Descending, "at + 0", "id")
	}
	return direction(q.Descending, "at", "id")
}

// find selects the documents that q names, in no order. SQLite knows nothing of how many rows a condition leaves: given a narrow and a wide one it may walk through
// all that the wide one leaves, as soon as the narrow one is a list. So a wide one stands there as an expression, which no index answers.
func (c Collection[T]) find(s Session, sc Scope, q Query) *selection {
	sel := &selection{conn: s.session(), table: c.Table}
	parent, account, name, state := "parent", "account", "name", "state"
	if q.IDs != nil {
		sel.oneOf("id", q.IDs)
		parent, name, state = expression(parent), expression(name), expression(state)
	}
	if q.Parent != "" {
		sel.and(parent+" = ?", q.Parent)
	}
	if q.Parents != nil {
		sel.oneOf(parent, q.Parents)
	}
	if q.IDs != nil || q.Parent != "" || q.Parents != nil {
		account = expression(account)
	}
	if !sc.all {
		sel.and(account+" = ?", sc.account)
	}
	if q.Name != "" {
		sel.and(name+" = ?", q.Name)
	}
	if len(q.States) > 0 {
		sel.oneOf(state, q.States)
	}
	sel.between(q.Since, q.Until)
	return sel
}

func expression(column string) string { return column + " || ''" }

func direction(descending bool, columns ...string) string {
	if !descending {
		return strings.Join(columns, ", ")
	}
	return strings.Join(columns, " DESC, ") + " DESC"
}

// Cursor goes on behind this document, in a list of the same query and direction.
func (m Meta) Cursor() string { return cursor(m.At, m.ID) }

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
