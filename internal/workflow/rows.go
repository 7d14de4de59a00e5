package workflow

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// never is the due time of a key that only a change brings back.
const never = math.MaxInt64

// rows speaks to the tables loops and leases. Every time called until is taken from the database's own clock, inside the statement that uses it.
type rows struct {
	db      *store.DB
	replica string
	lease   int64 // microseconds
	now     string
	lock    string
	listed  string // that a key is one of a JSON list
}

func newRows(c Config) rows {
	r := rows{db: c.DB, replica: c.Replica, lease: c.Lease.Microseconds()}
	r.listed = "key IN (SELECT value FROM json_each(?))"
	// A lease is never taken over early, because both sides read the same clock; SQLite's has milliseconds.
	r.now = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
	if c.DB.Driver() == "postgres" {
		r.now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
		r.lock = " FOR UPDATE"
		// An array, which is looked up in the index; of a sub-select PostgreSQL expects so many values that it walks through the table.
		r.listed = "key = ANY (ARRAY(SELECT json_array_elements_text(CAST(? AS json))))"
	}
	return r
}

// claimed is what a replica knows when it has taken a key.
type claimed struct {
	epoch    int64
	wanted   int64
	failures int
}

// freeAll takes every lease from its owner. Only right when no owner can be alive.
func (r rows) freeAll(ctx context.Context) error {
	return r.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE loops SET owner = '', until = 0 WHERE owner <> ''"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE leases SET owner = '', until = 0")
		return err
	})
}

// watch adds a key with something to do.
func (r rows) watch(ctx context.Context, tx *store.Tx, loop, key string, since time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO loops (loop, key, wanted, done, due, since, owner, epoch, until, failures) VALUES (?, ?, 0, 0, ?, 0, '', 0, 0, 0)
		ON CONFLICT DO NOTHING`, loop, key, int64(never))
	if err != nil {
		return err
	}
	return r.raise(ctx, tx, loop, key, since)
}

func (r rows) forget(ctx context.Context, tx *store.Tx, loop, key string) error {
	_, err := tx.Exec(ctx, "DELETE FROM loops WHERE loop = ? AND key = ?", loop, key)
	return err
}

// raise lets a key wait since then, or since earlier if it waits already.
func (r rows) raise(ctx context.Context, tx *store.Tx, loop, key string, since time.Time) error {
	at := since.UnixMicro()
	return tx.ExecLater(ctx, raising+" WHERE loop = ? AND key = ?", at, at, loop, key)
}

const raising = "UPDATE loops SET wanted = wanted + 1, since = CASE WHEN wanted > done AND since < ? THEN since ELSE ? END"

// raiseAll raises many keys in one statement, which locks them in their order.
func (r rows) raiseAll(loop string, keys []string, since time.Time) (query string, args []any, err error) {
	list, err := json.Marshal(keys)
	at := since.UnixMicro()
	query = raising + " FROM (SELECT key FROM loops WHERE loop = ? AND " + r.listed + " ORDER BY key" + r.lock + ") AS raised WHERE loop = ? AND loops.key = raised.key"
	return query, []any{at, at, loop, string(list), loop}, err
}

// guard locks the key's row on PostgreSQL, so that a take-over waits for the transaction, or the transaction sees it. On SQLite there is one writer.
func (r rows) guard(ctx context.Context, tx *store.Tx, loop, key string, epoch int64) error {
	ours := false
	err := store.Rows(ctx, tx, func(row store.Row) error {
		var owner string
		var current int64
		err := row.Scan(&owner, &current)
		ours = owner == r.replica && current == epoch
		return err
	}, "SELECT owner, epoch FROM loops WHERE loop = ? AND key = ?"+r.lock, loop, key)
	if err == nil && !ours {
		return fmt.Errorf("%s %s: %w", loop, key, ErrLost)
	}
	return err
}

// needing lists keys that nobody holds and that have something to do; those that have waited longest come first. Its two halves share no key, so that no
// database sorts by key to find doubles, and each comes in the order of an index, so that none walks over a long queue for its first few.
func (r rows) needing(ctx context.Context, loop string, now time.Time, limit int) (list []waiting, err error) {
	err = store.Rows(ctx, r.db, func(row store.Row) error {
		var w waiting
		var since int64
		err := row.Scan(&w.key, &since)
		w.since = time.UnixMicro(since).UTC()
		list = append(list, w)
		return err
	}, `SELECT key, since FROM (
		SELECT * FROM (SELECT key, since FROM loops WHERE loop = ? AND wanted > done AND until <= `+r.now+` ORDER BY since LIMIT ?) AS raised
		UNION ALL SELECT * FROM (SELECT key, due AS since FROM loops WHERE loop = ? AND due <= ? AND wanted <= done AND until <= `+r.now+` ORDER BY due LIMIT ?) AS due
		) AS open ORDER BY since LIMIT ?`, loop, limit, loop, now.UnixMicro(), limit, limit)
	return list, err
}

// nextDue is the earliest due time after now, zero when there is none.
func (r rows) nextDue(ctx context.Context, loop string, now time.Time) (time.Time, error) {
	next := time.Time{}
	err := store.Rows(ctx, r.db, func(row store.Row) error {
		var due sql.NullInt64
		err := row.Scan(&due)
		if due.Valid && due.Int64 != never {
			next = time.UnixMicro(due.Int64).UTC()
		}
		return err
	}, "SELECT min(due) FROM loops WHERE loop = ? AND due > ?", loop, now.UnixMicro())
	return next, err
}

// claim takes a key that has something to do; taken is false when it has not, or another replica was faster.
func (r rows) claim(ctx context.Context, loop, key string, now time.Time) (c claimed, taken bool, err error) {
	taken, err = r.db.Alone(ctx, func(row store.Row) error { return row.Scan(&c.epoch, &c.wanted, &c.failures) }, `UPDATE loops SET owner = ?, epoch = epoch + 1, until = `+r.now+` + ? WHERE loop = ? AND key = ? AND until <= `+r.now+`
		AND (wanted > done OR due <= ?) RETURNING epoch, wanted, failures`, r.replica, r.lease, loop, key, now.UnixMicro())
	return c, taken && err == nil, err
}

// renew makes the lease last from now; false when it is lost.
func (r rows) renew(ctx context.Context, loop, key string, epoch int64) (bool, error) {
	var changed int64
	err := r.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		changed, err = tx.Exec(ctx, "UPDATE loops SET until = "+r.now+" + ? WHERE loop = ? AND key = ? AND owner = ? AND epoch = ?",
			r.lease, loop, key, r.replica, epoch)
		return err
	})
	return changed == 1, err
}

// finish notes a turn that has seen the changes up to seen. The lease is given back if there are no newer ones, or leave is set; else it is renewed,
// and wanted tells what the next turn will see. kept is false when the lease is not held any more.
func (r rows) finish(ctx context.Context, loop, key string, epoch, seen int64, due time.Time, leave bool) (wanted int64, kept bool, err error) {
	at := int64(never)
	if !due.IsZero() {
		at = due.UnixMicro()
	}
	held, err := r.db.Alone(ctx, func(row store.Row) error { return row.Scan(&wanted) }, `UPDATE loops SET done = ?, due = ?, failures = 0, until = CASE WHEN wanted = ? OR 1 = ? THEN 0 ELSE `+r.now+` + ? END,
		owner = CASE WHEN wanted = ? OR 1 = ? THEN '' ELSE owner END
		WHERE loop = ? AND key = ? AND owner = ? AND epoch = ? RETURNING wanted`,
		seen, at, seen, truth(leave), r.lease, seen, truth(leave), loop, key, r.replica, epoch)
	return wanted, held && err == nil && wanted != seen && !leave, err
}

// fail gives the lease back with a time before which nobody may take the key again. It was a turn all the same: keys that keep failing wait anew, and don't stand before others.
func (r rows) fail(ctx context.Context, loop, key string, epoch int64, backOff time.Duration, now time.Time) error {
	at := now.UnixMicro()
	return r.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE loops SET owner = '', failures = failures + 1, since = ?, due = CASE WHEN due < ? THEN ? ELSE due END, until = "+r.now+" + ? WHERE loop = ? AND key = ? AND owner = ? AND epoch = ?",
			at, at, at, backOff.Microseconds(), loop, key, r.replica, epoch)
		return err
	})
}

// succeed forgets the failures so far, in the middle of a turn.
func (r rows) succeed(ctx context.Context, tx *store.Tx, loop, key string) error {
	_, err := tx.Exec(ctx, "UPDATE loops SET failures = 0 WHERE loop = ? AND key = ? AND failures > 0", loop, key)
	return err
}

// state tells what a key wants and has had done; found is false when it is not watched.
func (r rows) state(ctx context.Context, loop, key string) (wanted, done int64, found bool, err error) {
	err = store.Rows(ctx, r.db, func(row store.Row) error {
		found = true
		return row.Scan(&wanted, &done)
	}, "SELECT wanted, done FROM loops WHERE loop = ? AND key = ?", loop, key)
	return wanted, done, found, err
}

// hold takes or renews the named lease; held is false when another replica has it.
func (r rows) hold(ctx context.Context, tx *store.Tx, name string) (held bool, err error) {
	changed, err := tx.Exec(ctx, `INSERT INTO leases (name, owner, epoch, until) VALUES (?, ?, 1, `+r.now+` + ?)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = leases.epoch + 1, until = excluded.until
		WHERE leases.owner = excluded.owner OR leases.until <= `+r.now, name, r.replica, r.lease)
	return changed == 1, err
}

// free gives back every named lease of this replica.
func (r rows) free(ctx context.Context) error {
	return r.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE leases SET owner = '', until = 0 WHERE owner = ?", r.replica)
		return err
	})
}

// takeable reports whether this replica has some named lease already, or could take one.
func (r rows) takeable(ctx context.Context, names int) (bool, error) {
	others := 0
	err := store.Rows(ctx, r.db, func(row store.Row) error { return row.Scan(&others) },
		"SELECT count(*) FROM leases WHERE owner <> ? AND until > "+r.now, r.replica)
	return others < names, err
}

func truth(is bool) int {
	if is {
		return 1
	}
	return 0
}
