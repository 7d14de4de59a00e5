package store

import "context"

// Raw is a record of a chained log (one whose table has the column hash), letter by letter as it stands there.
type Raw struct {
	Seq      int64
	ID       string
	Account  string
	Resource string
	Kind     string
	At       int64 // in microseconds
	Doc      string
	Hash     string // "" when whoever sealed it knew of none
}

const rawColumns = "seq, id, account, resource, kind, at, doc, coalesce(hash, '')"

// Raw hands the sealed records with after < Seq ≤ until to take, in order, at most limit of them. What take is given is good until it returns.
func (l Log[T]) Raw(ctx context.Context, s Session, after, until int64, limit int, take func(r *Raw) error) error {
	return readRaw(ctx, s, "seq > ? AND seq <= ? ORDER BY seq LIMIT ?", l.Table, take, after, until, limit)
}

// Newest is the newest sealed record up to a place, with hashed the newest of those that have a hash. Its Seq is 0 when there is none.
func (l Log[T]) Newest(ctx context.Context, s Session, until int64, hashed bool) (newest Raw, err error) {
	where := "seq <= ? ORDER BY seq DESC LIMIT 1"
	if hashed {
		where = "hash IS NOT NULL AND " + where
	}
	err = readRaw(ctx, s, where, l.Table, func(r *Raw) error { newest = *r; return nil }, until)
	return newest, err
}

func readRaw(ctx context.Context, s Session, where, table string, take func(r *Raw) error, args ...any) error {
	var r Raw
	into := []any{&r.Seq, &r.ID, &r.Account, &r.Resource, &r.Kind, &r.At, &r.Doc, &r.Hash}
	return Rows(ctx, s, func(row Row) error {
		if err := row.Scan(into...); err != nil {
			return err
		}
		return take(&r)
	}, "SELECT "+rawColumns+" FROM "+table+" WHERE "+where, args...)
}

// SealHashed is Seal for a chained log: records get the numbers behind after, each with the hash that hash makes of it; the newest is returned. Call Lock first.
func (l Log[T]) SealHashed(ctx context.Context, tx *Tx, after int64, limit int, hash func(r *Raw) string) (sealed int, newest Raw, err error) {
	var waiting []Raw
	var places []int64
	err = Rows(ctx, tx, func(row Row) error {
		var r Raw
		var place int64
		err := row.Scan(&place, &r.ID, &r.Account, &r.Resource, &r.Kind, &r.At, &r.Doc)
		waiting, places = append(waiting, r), append(places, place)
		return err
	}, "SELECT ord, id, account, resource, kind, at, doc FROM "+l.Table+" WHERE seq IS NULL ORDER BY ord LIMIT ?", limit)
	if err != nil {
		return 0, newest, err
	}
	for n := range waiting {
		r := &waiting[n]
		after++
		r.Seq = after
		r.Hash = hash(r)
		if err := tx.ExecLater(ctx, "UPDATE "+l.Table+" SET seq = ?, hash = ? WHERE ord = ? AND at = ?", r.Seq, r.Hash, places[n], r.At); err != nil {
			return 0, newest, err
		}
		newest = *r
	}
	return len(waiting), newest, nil
}

// Lock keeps other sealers of the log away until tx ends. No constraint spans all partitions, so whoever seals without knowing that the lease is lost waits here:
// call it before anything is read.
func (l Log[T]) Lock(ctx context.Context, tx *Tx) error {
	if !tx.db.isPartitioned(l.Table) {
		return nil
	}
	_, err := tx.Exec(ctx, "LOCK TABLE ONLY "+l.Table+" IN SHARE UPDATE EXCLUSIVE MODE")
	return err
}

// newestIn is the newest place in a table or partition, 0 when nothing there is sealed.
func newestIn(ctx context.Context, s Session, name string) (seq int64, err error) {
	err = Rows(ctx, s, func(row Row) error { return row.Scan(&seq) }, "SELECT coalesce(max(seq), 0) FROM "+name)
	return seq, err
}

// pruneChained deletes the leading records of a chained log that may go: nothing behind one that has to stay.
func (db *DB) pruneChained(ctx context.Context, r Rule, before int64) (n int, err error) {
	free := "at < ?"
	if db.isPartitioned(r.Table) && r.Keep >= week { // the others go by the week
		free += " AND tableoid = '" + r.Table + "_rest'::regclass"
	}
	var last int64
	ended := false
	err = Rows(ctx, db, func(row Row) error {
		var seq int64
		var may bool
		err := row.Scan(&seq, &may)
		if ended = ended || !may; !ended {
			last = seq
		}
		return err
	}, "SELECT seq, "+free+" FROM "+r.Table+" WHERE seq < (SELECT max(seq) FROM "+r.Table+") ORDER BY seq LIMIT ?", before, pruned)
	if err != nil || last == 0 {
		return 0, err
	}
	gone, err := r.Chained(ctx, db, last)
	if err != nil {
		return 0, err
	}
	err = db.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		deleted, err := tx.Exec(ctx, "DELETE FROM "+r.Table+" WHERE seq <= ?", last)
		if n = int(deleted); err != nil || n == 0 { // another replica was quicker
			return err
		}
		return gone(ctx, tx)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Sealed tells how many sealed records there are from one place to another, both included.
func (l Log[T]) Sealed(ctx context.Context, s Session, first, last int64) (n int64, err error) {
	err = Rows(ctx, s, func(row Row) error { return row.Scan(&n) }, "SELECT count(*) FROM "+l.Table+" WHERE seq BETWEEN ? AND ?", first, last)
	return n, err
}

// Unsealed tells how many records wait to be sealed.
func (l Log[T]) Unsealed(ctx context.Context, s Session) (n int64, err error) {
	err = Rows(ctx, s, func(row Row) error { return row.Scan(&n) }, "SELECT count(*) FROM "+l.Table+" WHERE seq IS NULL")
	return n, err
}
