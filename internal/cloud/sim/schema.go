package sim

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

const schemaVersion = 1

// schema is read by SQLite and PostgreSQL alike. Times are milliseconds since 1970; "never" is the largest number.
const schema = `
CREATE TABLE IF NOT EXISTS world (one INTEGER PRIMARY KEY, version INTEGER NOT NULL, seed BIGINT NOT NULL, next BIGINT NOT NULL);

CREATE TABLE IF NOT EXISTS instance (
	seq BIGINT PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	account TEXT NOT NULL,
	token TEXT NOT NULL,
	region TEXT NOT NULL,
	zone TEXT NOT NULL,
	type TEXT NOT NULL,
	product TEXT NOT NULL,
	lifecycle TEXT NOT NULL,
	pool TEXT NOT NULL,
	quota TEXT NOT NULL,
	vcpus INTEGER NOT NULL,
	request TEXT NOT NULL,
	image TEXT NOT NULL,
	subnet TEXT NOT NULL,
	private_ip TEXT NOT NULL,
	public_ip TEXT NOT NULL,
	tags TEXT NOT NULL,
	launched_at BIGINT NOT NULL,
	running_at BIGINT NOT NULL,
	ok_at BIGINT NOT NULL,
	impaired_at BIGINT NOT NULL,
	stopping_at BIGINT NOT NULL,
	stopped_at BIGINT NOT NULL,
	notice_at BIGINT NOT NULL,
	ends_at BIGINT NOT NULL,
	gone_at BIGINT NOT NULL,
	ended TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS instance_living ON instance (account, region, gone_at);
CREATE INDEX IF NOT EXISTS instance_pool ON instance (pool, lifecycle, ends_at);
CREATE INDEX IF NOT EXISTS instance_quota ON instance (account, region, quota, ends_at, vcpus);
CREATE INDEX IF NOT EXISTS instance_subnet ON instance (subnet, account, ends_at);
CREATE INDEX IF NOT EXISTS instance_token ON instance (account, token);

CREATE TABLE IF NOT EXISTS launch (
	account TEXT NOT NULL,
	token TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	refusal TEXT NOT NULL,
	PRIMARY KEY (account, token)
);

CREATE TABLE IF NOT EXISTS notice (
	id TEXT PRIMARY KEY,
	account TEXT NOT NULL,
	region TEXT NOT NULL,
	instance TEXT NOT NULL,
	kind TEXT NOT NULL,
	issued_at BIGINT NOT NULL,
	visible_at BIGINT NOT NULL,
	deadline BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS notice_due ON notice (visible_at, account, region);
CREATE INDEX IF NOT EXISTS notice_instance ON notice (instance);

CREATE TABLE IF NOT EXISTS trouble (seq BIGINT PRIMARY KEY, detail TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS call (
	seq BIGINT PRIMARY KEY,
	at BIGINT NOT NULL,
	account TEXT NOT NULL,
	region TEXT NOT NULL,
	name TEXT NOT NULL,
	detail TEXT NOT NULL,
	outcome TEXT NOT NULL
);
`

// columns were added to the table of instances since. Each has a default, and every statement names its columns: the release before reads and writes such a world.
const columns = `key_pair TEXT NOT NULL DEFAULT '', placement_group TEXT NOT NULL DEFAULT '', attributes TEXT NOT NULL DEFAULT '', started_at BIGINT NOT NULL DEFAULT 0`

func (db *database) migrate(ctx context.Context) error {
	tx, err := db.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if db.postgres {
		// Replicas may start together, and IF NOT EXISTS alone does not keep them apart.
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(7301452)"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{db.schema}.Sanitize()); err != nil {
			return err
		}
		// Even what is there already is locked by being made again, against a replica at work.
		var made bool
		if err := tx.QueryRowContext(ctx, "SELECT to_regclass('call') IS NOT NULL").Scan(&made); err != nil {
			return err
		}
		if made {
			if err := addColumns(ctx, tx); err != nil {
				return err
			}
			return tx.Commit()
		}
	}
	for statement := range strings.SplitSeq(schema, ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
	}
	if err := addColumns(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// addColumns brings the table of instances of an older release to this one's. What is there already is not touched, so that nobody waits for a lock.
func addColumns(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM instance WHERE seq < 0")
	if err != nil {
		return err
	}
	known, err := rows.Columns()
	if err := errors.Join(err, rows.Close()); err != nil {
		return err
	}
	for column := range strings.SplitSeq(columns, ", ") {
		name, _, _ := strings.Cut(column, " ")
		if slices.Contains(known, name) {
			continue
		}
		if _, err := tx.ExecContext(ctx, "ALTER TABLE instance ADD COLUMN "+column); err != nil {
			return fmt.Errorf("add the column %s: %w", name, err)
		}
	}
	return nil
}
