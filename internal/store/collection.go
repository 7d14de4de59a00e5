package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/neap-cloud/neap/internal/fault"
)

const columns = "id, account, parent, name, state, at, version, created, updated, doc"

// Get reads one document; fault.NotFound when there is none in scope.
func (c Collection[T]) Get(ctx context.Context, s Session, sc Scope, id string) (Doc[T], error) {
	if err := ctx.Err(); err != nil {
		return Doc[T]{}, err
	}
	query, args := within("SELECT "+columns+" FROM "+c.Table+" WHERE id = ?", sc, id)
	d, err := scan[T](s.session().row(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return Doc[T]{}, fault.Missing(c.Noun, id)
	}
	return d, failure(err)
}

// Version reads only that of a document; fault.NotFound when there is none in scope.
func (c Collection[T]) Version(ctx context.Context, s Session, sc Scope, id string) (version int64, err error) {
	query, args := within("SELECT version FROM "+c.Table+" WHERE id = ?", sc, id)
	if err = s.session().row(ctx, query, args...).Scan(&version); errors.Is(err, sql.ErrNoRows) {
		return 0, fault.Missing(c.Noun, id)
	}
	return version, failure(err)
}

// Insert stores a new document and returns it as stored: Version 1, times set. fault.Exists (with the collection's noun) when the id is taken.
func (c Collection[T]) Insert(ctx context.Context, s Session, d Doc[T]) (Doc[T], error) {
	d, insert, err := c.inserted(d)
	if err != nil {
		return d, err
	}
	insert.query += " ON CONFLICT DO NOTHING" // a refused INSERT would end a PostgreSQL transaction, and the caller may want to try another id in it
	err = s.write(ctx, func(ctx context.Context, tx *Tx) error { return tx.put(ctx, s, insert) })
	return d, err
}

// inserted is the document as it will be stored, and the statement for that.
func (c Collection[T]) inserted(d Doc[T]) (Doc[T], statement, error) {
	doc, err := encode(d.Value)
	if err != nil {
		return d, statement{}, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if d.At.IsZero() {
		d.At = now
	}
	d.At = d.At.UTC().Truncate(time.Microsecond)
	d.Version, d.Created, d.Updated = 1, now, now
	return d, statement{
		query:   "INSERT INTO " + c.Table + " (" + columns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		args:    []any{d.ID, d.Account, d.Parent, d.Name, d.State, d.At.UnixMicro(), d.Version, d.Created.UnixMicro(), d.Updated.UnixMicro(), doc},
		changes: 1,
		otherwise: func(context.Context) error {
			return fault.Of(fault.Exists, c.Noun, "There is a %s %q already; choose another id.", c.Noun, d.ID)
		},
	}, nil
}

// Ensure stores a new document, later; when the account has one of that id, moves its At on to d's. fault.Exists when another account has. Not for tables in time
// partitions, where an id may occur more than once.
func (c Collection[T]) Ensure(ctx context.Context, tx *Tx, d Doc[T]) error {
	_, insert, err := c.inserted(d)
	if err != nil {
		return err
	}
	insert.query += strings.ReplaceAll(" ON CONFLICT (id) DO UPDATE SET at = CASE WHEN T.at < excluded.at THEN excluded.at ELSE T.at END WHERE T.account = excluded.account", "T.", c.Table+".")
	return tx.put(ctx, tx.Later(), insert)
}

// Update replaces the document if its Version is still the stored one, and returns it with the new Version. Else fault.Conflict; fault.NotFound when it is gone.
func (c Collection[T]) Update(ctx context.Context, s Session, d Doc[T]) (Doc[T], error) {
	doc, err := encode(d.Value)
	if err != nil {
		return d, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	d.At = d.At.UTC().Truncate(time.Microsecond)
	err = s.write(ctx, func(ctx context.Context, tx *Tx) error {
		return tx.put(ctx, s, statement{
			query: "UPDATE " + c.Table + " SET parent = ?, name = ?, state = ?, at = ?, version = version + 1, updated = ?, doc = ?" +
				" WHERE id = ? AND account = ? AND version = ?",
			args:    []any{d.Parent, d.Name, d.State, d.At.UnixMicro(), now.UnixMicro(), doc, d.ID, d.Account, d.Version},
			changes: 1,
			otherwise: func(ctx context.Context) error {
				if _, err := c.Get(ctx, tx, Account(d.Account), d.ID); err != nil {
					return err
				}
				return fault.Of(fault.Conflict, c.Noun, "The %s %q was changed by somebody else meanwhile; read it again and repeat the change.", c.Noun, d.ID)
			},
		})
	})
	if err != nil {
		return d, err
	}
	d.Version, d.Updated = d.Version+1, now
	return d, nil
}

// Touch raises a document's version and nothing else, and holds it until the transaction ends: of those who touch the same document first, one goes on at a time.
// fault.NotFound when there is none in scope.
func (c Collection[T]) Touch(ctx context.Context, tx *Tx, sc Scope, id string) error {
	query, args := within("UPDATE "+c.Table+" SET version = version + 1, updated = ? WHERE id = ?", sc, id)
	rows, err := tx.Exec(ctx, query, append([]any{time.Now().UnixMicro()}, args...)...)
	if err == nil && rows == 0 {
		err = fault.Missing(c.Noun, id)
	}
	return err
}

// Delete removes a document; fault.NotFound when there is none in scope.
func (c Collection[T]) Delete(ctx context.Context, s Session, sc Scope, id string) error {
	query, args := within("DELETE FROM "+c.Table+" WHERE id = ?", sc, id)
	return s.write(ctx, func(ctx context.Context, tx *Tx) error {
		rows, err := tx.Exec(ctx, query, args...)
		if err == nil && rows == 0 {
			err = fault.Missing(c.Noun, id)
		}
		return err
	})
}

// within narrows a statement to the scope.
func within(query string, sc Scope, id string) (string, []any) {
	if sc.all {
		return query, []any{id}
	}
	return query + " AND account = ?", []any{id, sc.account}
}

// encode keeps the text of embedded documents as it is: their order, their numbers, and <, > and & as themselves.
func encode(value any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return "", fault.Of(fault.Internal, "store", "A document cannot be written as JSON.").With(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// decode is encoding/json's with the engine that it gets in Go 1.27, which reads a typical document in a third of the time: every turn of a loop reads several.
func decode(doc []byte, value any) error { return jsonv1.Unmarshal(doc, value) }

// scan reads a row of columns.
func scan[T any](row Row) (d Doc[T], err error) {
	var at, created, updated int64
	var doc []byte
	if err := row.Scan(&d.ID, &d.Account, &d.Parent, &d.Name, &d.State, &at, &d.Version, &created, &updated, &doc); err != nil {
		return d, err
	}
	d.At, d.Created, d.Updated = fromMicros(at), fromMicros(created), fromMicros(updated)
	if err := decode(doc, &d.Value); err != nil {
		return d, fault.Of(fault.Internal, "store", "A stored document cannot be read.").With(err)
	}
	return d, nil
}

func fromMicros(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
