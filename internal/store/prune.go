package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// Rule says which rows of a table may go, and when. Rooms state the rules for what they own.
type Rule struct {
	Table string
	Keep  time.Duration // 0 = for ever
	// Wall says that At is told in wall time, whatever the engine's clock says.
	Wall bool
	// Log is for append-only logs: the oldest sealed records go, the newest one stays whatever its age, because order goes on behind it.
	Log bool
	// Unsealed marks a log that nobody follows by Seq, so that nobody seals it: its records go by their age alone.
	Unsealed bool
	// Chained is given for a log whose records are chained: they go from the oldest on without leaving a gap. It looks at what is about to go, up to the place last,
	// beside the writers, and returns what has to be written in the transaction that deletes it.
	Chained func(ctx context.Context, db *DB, last int64) (gone func(ctx context.Context, tx *Tx) error, err error)
	// States of the documents that may go, for collections. nil = those without a state.
	States []string
	// Idle counts from a document's last change (wall time) instead of its own time At.
	Idle bool
	// Superseded spares the newest document of each parent, whatever its age.
	Superseded bool
	// Of, when set, is the table of the parents: only children of parents in OfStates, unchanged for Keep, may go.
	Of       string
	OfStates []string
}

// pruned is how many rows one transaction deletes, so that it holds the writer for some milliseconds only.
const pruned = 100

// restShare is how many times as long as it worked Prune rests before it goes on.
const restShare = 2

// longestRest bounds that, so that retention keeps up on a machine that is busy with other things.
const longestRest = 100 * time.Millisecond

// Prune deletes up to limit of the rows that a rule gives free, in transactions small enough to be unnoticed, and tells how many there were. What may go is looked for
// beside the writers. now is the time that At is told in. Pages that become free are used again, so a file stops growing rather than getting smaller.
//
// Of a table that is partitioned, weeks go as a whole once their last moment is older than Keep (so rows stay up to a week longer), and those ahead are made, whatever
// Keep is; a Keep of less than a week is not worth waiting for that.
func (db *DB) Prune(ctx context.Context, r Rule, now time.Time, limit int) (total int, err error) {
	if r.Wall {
		now = time.Now()
	}
	prune := db.pruneDocuments
	if r.Log {
		prune = db.pruneLog
	}
	if r.Chained != nil {
		prune = func(ctx context.Context, r Rule, now time.Time) (int, error) {
			return db.pruneChained(ctx, r, now.Add(-r.Keep).UnixMicro())
		}
	}
	if db.isPartitioned(r.Table) {
		if err := db.makeWeeks(ctx, r.Table, now); err != nil {
			return 0, err
		}
		if total, err = db.dropWeeks(ctx, r, now); err != nil {
			return total, err
		}
		if r.Keep >= week && r.Chained == nil {
			prune = db.pruneRest
		}
	}
	for r.Keep > 0 && total < limit {
		began := time.Now()
		n, err := prune(ctx, r, now)
		total += n
		if err != nil || n == 0 || !rested(ctx, min(restShare*time.Since(began), longestRest)) {
			return total, err
		}
	}
	return total, nil
}

// rested leaves the database to others for a while, and reports whether ctx goes on.
func rested(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pruneLog goes by the order of insertion, which is nearly that of time, and needs no index of its own.
func (db *DB) pruneLog(ctx context.Context, r Rule, now time.Time) (int, error) {
	var first, last sql.NullInt64
	var due int
	before := now.Add(-r.Keep).UnixMicro()
	sealed, spared := " AND seq IS NOT NULL", " AND seq < (SELECT max(seq) FROM "+r.Table+")"
	if r.Unsealed {
		sealed, spared = "", ""
	}
	err := Rows(ctx, db, func(rows Row) error { return rows.Scan(&first, &last, &due) },
		"SELECT min(ord), max(ord), count(CASE WHEN at < ?"+sealed+" THEN 1 END) FROM (SELECT ord, at, seq FROM "+r.Table+" ORDER BY ord LIMIT ?) AS oldest", before, pruned)
	if err != nil || due == 0 {
		return 0, err
	}
	var n int64
	err = db.Tx(ctx, func(ctx context.Context, tx *Tx) (err error) {
		n, err = tx.Exec(ctx, "DELETE FROM "+r.Table+" WHERE ord BETWEEN ? AND ? AND at < ?"+spared, first.Int64, last.Int64, before)
		return err
	})
	return int(n), err
}

func (db *DB) pruneDocuments(ctx context.Context, r Rule, now time.Time) (int, error) {
	free, args := r.free(now)
	var ids []any
	err := Rows(ctx, db, func(rows Row) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT id FROM "+r.Table+" WHERE "+free+" LIMIT ?", append(args[:len(args):len(args)], pruned)...)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	for len(ids) < pruned { // one text for every number, so that it stays prepared
		ids = append(ids, ids[0])
	}
	var n int64
	err = db.Tx(ctx, func(ctx context.Context, tx *Tx) (err error) {
		n, err = tx.Exec(ctx, "DELETE FROM "+r.Table+" WHERE id IN (?"+strings.Repeat(", ?", pruned-1)+") AND "+free, append(ids, args...)...)
		return err
	})
	return int(n), err
}

// free is the condition under which a document may go.
func (r Rule) free(now time.Time) (condition string, args []any) {
	before, idle := now.Add(-r.Keep).UnixMicro(), time.Now().Add(-r.Keep).UnixMicro()
	if r.Of != "" {
		condition, args = anyOf("state", r.OfStates)
		return "parent IN (SELECT id FROM " + r.Of + " WHERE " + condition + " AND updated < ?)", append(args, idle)
	}
	condition, args = anyOf("state", r.States)
	if r.Idle {
		return condition + " AND updated < ?", append(args, idle)
	}
	condition, args = condition+" AND at < ?", append(args, before)
	if r.Superseded {
		condition += " AND EXISTS (SELECT 1 FROM " + r.Table + " AS newer WHERE newer.parent = " + r.Table + ".parent AND newer.at > " + r.Table + ".at)"
	}
	return condition, args
}

func anyOf(column string, values []string) (condition string, args []any) {
	if len(values) == 0 {
		values = []string{""}
	}
	for _, v := range values {
		args = append(args, v)
	}
	return column + " IN (?" + strings.Repeat(", ?", len(values)-1) + ")", args
}
