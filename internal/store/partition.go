package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// On PostgreSQL the tables below are partitioned by At, so that retention drops a whole partition at once instead of its rows one by one, and leaves nothing to be
// vacuumed. A partition is a week, from Monday 00:00 UTC: every query looks into each partition, which a few dozen of them bear and a year of days would not.
// Weeks are made before they are needed. What falls into no week goes to the partition named …_rest, so that an insert never fails for want of a partition, wherever
// the clock stands and whatever is restored; there, rows go one by one.
const (
	week       = 7 * 24 * time.Hour
	weeksAhead = 2 // that are ready beyond the present one

	// lockPatience is how long a change of partitions waits for whoever uses the table, and others behind it: then it is left for the next time.
	lockPatience = "100ms"
)

// partitionedTables agrees with the migrations.
func partitionedTables() []string {
	return []string{"log_lines", "events", "audit", "decisions", "job_history", "job_output", "job_messages"}
}

func (db *DB) isPartitioned(table string) bool {
	return db.Driver() == "postgres" && slices.Contains(partitionedTables(), table)
}

// turnOver says which weeks still have to be made, and which of those that are there hold nothing that has to be kept any longer. keep ≤ 0 is for ever.
func turnOver(have []time.Time, now time.Time, keep time.Duration) (wanted, over []time.Time) {
	for n := range weeksAhead + 1 {
		from := now.UTC().Truncate(week).Add(time.Duration(n) * week)
		if named := from.Year() > 0 && from.Year() < 10_000; named && !slices.ContainsFunc(have, from.Equal) {
			wanted = append(wanted, from)
		}
	}
	for _, from := range have {
		if keep > 0 && !from.Add(week).After(now.Add(-keep)) {
			over = append(over, from)
		}
	}
	return wanted, over
}

// partitionName names a week's partition by its first day.
func partitionName(table string, from time.Time) string {
	return table + "_" + from.Format("20060102")
}

// weeks are those that a table has a partition for, oldest first.
func (db *DB) weeks(ctx context.Context, table string) (have []time.Time, err error) {
	query := "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '" + table + "'::regclass ORDER BY 1"
	err = Rows(ctx, db, func(rows Row) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if from, err := time.Parse("20060102", strings.TrimPrefix(name, table+"_")); err == nil {
			have = append(have, from)
		}
		return nil
	}, query)
	return have, err
}

// makeWeeks makes a table's partitions of the present and of the weeks ahead. One that cannot be made now will be the next time; until then rows go to the rest.
func (db *DB) makeWeeks(ctx context.Context, table string, now time.Time) error {
	have, err := db.weeks(ctx, table)
	if err != nil {
		return err
	}
	wanted, _ := turnOver(have, now, 0)
	for _, from := range wanted {
		if err := db.makeWeek(ctx, table, from); err != nil && !db.left(ctx, table, err) {
			return err
		}
	}
	return nil
}

// makeWeek makes a partition, unless the rest holds rows of that week already: they are few, and stay where they are.
func (db *DB) makeWeek(ctx context.Context, table string, from time.Time) error {
	until := from.Add(week)
	held := false
	err := Rows(ctx, db, func(rows Row) error { return rows.Scan(&held) },
		"SELECT EXISTS (SELECT 1 FROM "+table+"_rest WHERE at >= ? AND at < ?)", from.UnixMicro(), until.UnixMicro())
	if err != nil || held {
		return err
	}
	name := partitionName(table, from)
	return db.change(ctx, "LOCK TABLE ONLY "+table+" IN SHARE UPDATE EXCLUSIVE MODE", func(ctx context.Context, tx *Tx) error {
		there := false
		if err := Rows(ctx, tx, func(rows Row) error { return rows.Scan(&there) }, "SELECT to_regclass('"+name+"') IS NOT NULL"); err != nil || there {
			return err
		}
		// To make a partition in place would lock writers out of the whole table; to attach a table does not.
		if _, err := tx.Exec(ctx, "CREATE TABLE "+name+" (LIKE "+table+")"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "ALTER TABLE "+table+" ATTACH PARTITION "+name+" FOR VALUES FROM ("+strconv.FormatInt(from.UnixMicro(), 10)+") TO ("+strconv.FormatInt(until.UnixMicro(), 10)+")")
		return err
	})
}

// dropWeeks drops the partitions whose every row may go, and tells how many rows there were.
func (db *DB) dropWeeks(ctx context.Context, r Rule, now time.Time) (total int, err error) {
	have, err := db.weeks(ctx, r.Table)
	if err != nil {
		return 0, err
	}
	_, over := turnOver(have, now, r.Keep)
	for _, from := range over {
		n, err := db.dropWeek(ctx, r, partitionName(r.Table, from), now.Add(-r.Keep))
		if total += n; err != nil && !db.left(ctx, r.Table, err) {
			return total, err
		}
	}
	return total, nil
}

// dropWeek looks beside the writers first, and locks them out only for the drop itself and for a last look, which is one into an index.
func (db *DB) dropWeek(ctx context.Context, r Rule, name string, before time.Time) (n int, err error) {
	needed, err := r.holds(ctx, db, name, before)
	if err != nil || needed {
		return 0, err
	}
	if err := Rows(ctx, db, func(rows Row) error { return rows.Scan(&n) }, "SELECT count(*) FROM "+name); err != nil {
		return 0, err
	}
	alongWith := func(context.Context, *Tx) (taken bool, err error) { return true, nil }
	if r.Chained != nil {
		if alongWith, err = db.forgetWeek(ctx, r, name); err != nil {
			return 0, err
		}
	}
	err = db.change(ctx, "LOCK TABLE ONLY "+r.Table+" IN ACCESS EXCLUSIVE MODE", func(ctx context.Context, tx *Tx) error {
		if needed, err = r.holds(ctx, tx, name, before); err != nil || needed {
			return err
		}
		if taken, err := alongWith(ctx, tx); err != nil || !taken {
			needed = true
			return err
		}
		_, err := tx.Exec(ctx, "DROP TABLE "+name)
		return err
	})
	if err != nil || needed {
		return 0, err
	}
	return n, nil
}

// forgetWeek looks at a week of a chained log that is about to go. What it returns deletes older records beside the week, and tells the log's owner; taken is false
// when the week has grown since.
func (db *DB) forgetWeek(ctx context.Context, r Rule, name string) (alongWith func(ctx context.Context, tx *Tx) (taken bool, err error), err error) {
	last, err := newestIn(ctx, db, name)
	if err != nil {
		return nil, err
	}
	gone := func(context.Context, *Tx) error { return nil }
	if last > 0 {
		if gone, err = r.Chained(ctx, db, last); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, tx *Tx) (bool, error) {
		if now, err := newestIn(ctx, tx, name); err != nil || now != last {
			return false, err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM "+r.Table+" WHERE seq <= ? AND tableoid <> '"+name+"'::regclass", last); err != nil {
			return false, err
		}
		return true, gone(ctx, tx)
	}, nil
}

// holds reports whether a partition has rows that the rule keeps whatever their age. A chained log's go in order: none may go before an older one that has to stay.
func (r Rule) holds(ctx context.Context, s Session, name string, before time.Time) (needed bool, err error) {
	query, args := "SELECT EXISTS (SELECT 1 FROM "+name+" WHERE state > '')", []any(nil)
	if r.Unsealed {
		return false, nil
	}
	if r.Log {
		query = "SELECT EXISTS (SELECT 1 FROM " + name + " WHERE seq IS NULL) OR coalesce((SELECT max(seq) FROM " + name + ") = (SELECT max(seq) FROM " + r.Table + "), false)"
	}
	if r.Chained != nil {
		query += " OR EXISTS (SELECT 1 FROM " + r.Table + " WHERE at >= ? AND seq < (SELECT max(seq) FROM " + name + "))"
		args = []any{before.UnixMicro()}
	}
	err = Rows(ctx, s, func(rows Row) error { return rows.Scan(&needed) }, query, args...)
	return needed, err
}

// change runs a change of partitions once, behind its lock. A lock fixes no snapshot, so work sees what was committed before it was granted.
func (db *DB) change(ctx context.Context, lock string, work func(ctx context.Context, tx *Tx) error) error {
	if err := nested(ctx); err != nil {
		return err
	}
	return db.attempt(ctx, func(ctx context.Context, tx *Tx) error {
		for _, statement := range []string{"SET LOCAL lock_timeout = '" + lockPatience + "'", lock} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return work(ctx, tx)
	})
}

// left reports whether a change of partitions failed because others were using the table, wrote to that very week meanwhile, or had just dropped it: it is left for the next time.
func (db *DB) left(ctx context.Context, table string, err error) bool {
	var pg *pgconn.PgError
	left := retryable(err) || errors.As(err, &pg) && pg.Code == "42P01" // no such table
	if left {
		db.log.LogAttrs(ctx, slog.LevelDebug, "a change of partitions is left for later", slog.String("table", table), slog.Any("error", err))
	}
	return left
}

// pruneRest deletes some of the rows that fell into no week and may go.
func (db *DB) pruneRest(ctx context.Context, r Rule, now time.Time) (int, error) {
	rest := r.Table + "_rest"
	free, args := "at < ? AND seq < (SELECT max(seq) FROM "+r.Table+")", []any{now.Add(-r.Keep).UnixMicro()}
	switch {
	case r.Unsealed:
		free = "at < ?"
	case !r.Log:
		free, args = r.free(now)
	}
	var n int64
	err := db.Tx(ctx, func(ctx context.Context, tx *Tx) (err error) {
		n, err = tx.Exec(ctx, "DELETE FROM "+rest+" WHERE ctid = ANY (ARRAY(SELECT ctid FROM "+rest+" WHERE "+free+" ORDER BY at LIMIT ?))", append(args, pruned)...)
		return err
	})
	return int(n), err
}
