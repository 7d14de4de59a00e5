package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/neap-cloud/neap/internal/fault"
)

// Extra is something that travels in a backup beside the tables.
type Extra struct {
	Name    string
	Content []byte
}

// Backup writes what the database holds at one moment into the file to, which must not exist yet. It reads one snapshot beside whoever works on the database: nobody
// has to stop, and nobody is held up. A backup of one kind of database restores into the other. The job queue's own tables are left out: they only repeat ours.
func Backup(ctx context.Context, c Config, to string, extras ...Extra) (m Manifest, err error) {
	if c.URL == "" {
		if _, err := os.Stat(c.Path); err != nil {
			return m, fault.Of(fault.NotFound, "database", "There is no database %s to back up.", c.Path).With(err)
		}
	}
	raw, driver, err := openRaw(ctx, c, "_pragma=query_only(1)")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	return export(ctx, raw, driver, c.Release, to, extras)
}

// openRaw is a plain connection to the database, without migrating it.
func openRaw(ctx context.Context, c Config, pragmas string) (*sql.DB, string, error) {
	if c.URL == "" {
		db, err := pool(ctx, c.Path, 1, "_pragma=busy_timeout(10000)&"+pragmas)
		if err != nil {
			return nil, "", c.unopened(err)
		}
		return db, "sqlite", nil
	}
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, "", fault.Of(fault.Invalid, "store", "The PostgreSQL URL cannot be read; write postgres://user:password@host:port/database.").With(err)
	}
	db := stdlib.OpenDB(*config)
	if err := db.PingContext(ctx); err != nil {
		return nil, "", errors.Join(fault.Of(fault.Unavailable, "store", "PostgreSQL at %s:%d does not answer or refuses the login.", config.Host, config.Port).With(err), db.Close())
	}
	return db, "postgres", nil
}

// export writes one snapshot of raw.
func export(ctx context.Context, raw *sql.DB, driver, release, to string, extras []Extra) (m Manifest, err error) {
	options := &sql.TxOptions{ReadOnly: true}
	if driver == "postgres" {
		options.Isolation = sql.LevelRepeatableRead
	}
	snapshot, err := raw.BeginTx(ctx, options)
	if err != nil {
		return m, failure(err)
	}
	defer func() { _ = snapshot.Rollback() }() // it was only read from
	m = Manifest{Format: archiveFormat, Release: release, Driver: driver, Taken: time.Now().UTC().Truncate(time.Second)}
	// The first statement fixes the moment that all of them see.
	if m.Schema, err = schemaOf(ctx, snapshot, driver); err != nil {
		return m, err
	}
	tables, err := tablesOf(ctx, snapshot, driver)
	if err != nil {
		return m, err
	}
	archive, err := newArchive(to)
	if err != nil {
		return m, err
	}
	if err := fillArchive(ctx, archive, snapshot, &m, tables, extras); err != nil {
		archive.abandon()
		var known *fault.Error
		if errors.As(err, &known) || ctx.Err() != nil {
			return m, err
		}
		return m, fault.Of(fault.Unavailable, "backup", "The backup %s could not be written whole, so it was removed; look at the disk's room.", to).With(err)
	}
	return m, nil
}

func fillArchive(ctx context.Context, archive *archiveWriter, snapshot *sql.Tx, m *Manifest, tables []string, extras []Extra) error {
	for _, table := range tables {
		var rows int64
		e, err := archive.entry(tableFolder, table, func(w io.Writer) (err error) {
			rows, err = writeTable(ctx, snapshot, table, w)
			return err
		})
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		e.Rows = rows
		m.Tables = append(m.Tables, e)
	}
	for _, x := range extras {
		e, err := archive.entry(extraFolder, x.Name, func(w io.Writer) error { _, err := w.Write(x.Content); return err })
		if err != nil {
			return err
		}
		m.Extras = append(m.Extras, e)
	}
	return archive.finish(*m)
}

// writeTable writes the line of columns and then each row.
func writeTable(ctx context.Context, snapshot *sql.Tx, table string, w io.Writer) (n int64, err error) {
	rows, err := snapshot.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY 1")
	if err != nil {
		return 0, failure(err)
	}
	columns, err := rows.Columns()
	if err != nil {
		return 0, errors.Join(failure(err), rows.Close())
	}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(columns); err != nil {
		return 0, errors.Join(err, rows.Close())
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	err = each(rows, func(rows Row) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			switch v := v.(type) {
			case nil, int64, string:
			case []byte:
				values[i] = string(v)
			default:
				return fault.Of(fault.Internal, "backup", "Column %s of table %s holds a %T, which backups do not know.", columns[i], table, v)
			}
		}
		n++
		return lines.Encode(values)
	})
	return n, err
}

// tablesOf lists the tables that are ours, by name.
func tablesOf(ctx context.Context, in *sql.Tx, driver string) (tables []string, err error) {
	query := "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
	if driver == "postgres" {
		query = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
	}
	rows, err := in.QueryContext(ctx, query)
	if err != nil {
		return nil, failure(err)
	}
	err = each(rows, func(rows Row) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		for _, foreign := range []string{"sqlite_", "goose_", "river_"} {
			if strings.HasPrefix(name, foreign) {
				return nil
			}
		}
		tables = append(tables, name)
		return nil
	})
	return tables, err
}
