package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// appendRows is how many records one statement carries.
const appendRows = 32

const logColumns = "id, account, resource, kind, at, seq, doc"

// Append adds records, unsealed. Records whose ID is known already, with the same At, are left as they are.
func (l Log[T]) Append(ctx context.Context, s Session, records ...Record[T]) error {
	return s.write(ctx, func(ctx context.Context, tx *Tx) error {
		for some := range slices.Chunk(records, appendRows) {
			if err := l.append(ctx, tx, some); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l Log[T]) append(ctx context.Context, tx *Tx, records []Record[T]) error {
	args := make([]any, 0, 6*len(records))
	for _, r := range records {
		doc, err := encode(r.Value)
		if err != nil {
			return err
		}
		args = append(args, r.ID, r.Account, r.Resource, r.Kind, r.At.UnixMicro(), doc)
	}
	values := strings.Repeat(", (?, ?, ?, ?, ?, ?)", len(records))[2:]
	return tx.ExecLater(ctx, "INSERT INTO "+l.Table+" (id, account, resource, kind, at, doc) VALUES "+values+" ON CONFLICT DO NOTHING", args...)
}

// List reads records. Those of the same At come in the order in which they were appended.
func (l Log[T]) List(ctx context.Context, s Session, sc Scope, q LogQuery) ([]Record[T], error) {
	sel := from(s, l.Table, sc)
	if q.Resource != "" {
		sel.and("resource = ?", q.Resource)
	}
	if len(q.Kinds) > 0 {
		sel.oneOf("kind", q.Kinds)
	}
	if q.ID != "" {
		sel.and("id = ?", q.ID)
	}
	for _, text := range q.Holding {
		sel.and("replace(CAST(doc AS TEXT), ?, '') <> CAST(doc AS TEXT)", text) // both databases know it, and it tells capital letters from small ones
	}
	sel.between(q.From, q.To)
	order := direction(q.Descending, "at", "ord")
	if q.After != "" {
		beyond := "(at, ord) > "
		if q.Descending {
			beyond = "(at, ord) < "
		}
		sel.and(beyond+"(SELECT at, ord FROM "+l.Table+" WHERE id = ? ORDER BY at, ord LIMIT 1)", q.After)
	}
	if q.Sealed || q.AfterSeq > 0 {
		sel.and("seq > ?", q.AfterSeq)
		order = direction(q.Descending, "seq")
	}
	rows, err := sel.rows(ctx, logColumns, order, q.Limit)
	if err != nil {
		return nil, err
	}
	var records []Record[T]
	err = each(rows, func(rows Row) error {
		var r Record[T]
		var at int64
		var seq sql.NullInt64
		var doc []byte
		if err := rows.Scan(&r.ID, &r.Account, &r.Resource, &r.Kind, &at, &seq, &doc); err != nil {
			return err
		}
		r.At, r.Seq = fromMicros(at), seq.Int64
		records = append(records, r)
		if err := decode(doc, &records[len(records)-1].Value); err != nil {
			return fault.Of(fault.Internal, "store", "A stored record cannot be read.").With(err)
		}
		return nil
	})
	return records, err
}

// Seal gives unsealed records the next sequence numbers, in order of insertion, and returns how many. One caller at a time (hold a lease), first thing in its transaction.
func (l Log[T]) Seal(ctx context.Context, tx *Tx, limit int) (int, error) {
	if err := l.Lock(ctx, tx); err != nil {
		return 0, err
	}
	var last sql.NullInt64
	if err := tx.conn.row(ctx, "SELECT max(seq) FROM "+l.Table).Scan(&last); err != nil {
		return 0, failure(err)
	}
	sealed, err := tx.Exec(ctx, "UPDATE "+l.Table+" SET seq = ? + waiting.place FROM (SELECT ord, at, row_number() OVER (ORDER BY ord) AS place FROM "+
		l.Table+" WHERE seq IS NULL ORDER BY ord LIMIT ?) AS waiting WHERE "+l.Table+".ord = waiting.ord AND "+l.Table+".at = waiting.at", last.Int64, limit)
	return int(sealed), err
}
