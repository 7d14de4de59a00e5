package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/neap-cloud/neap/internal/fault"
)

// RestoreOptions are the choices of a restore.
type RestoreOptions struct {
	Force bool // replace a database that holds something; a SQLite file is put aside, not deleted
	// Mark runs in the transaction that fills the tables: what it writes is there together with them or not at all.
	Mark func(ctx context.Context, tx *Tx) error
}

// Restore fills the database with what the backup holds, all of it or nothing. A target that holds something is refused unless forced, one that somebody works on always
// (PostgreSQL; who owns a SQLite file's folder has to lock it). The tables are those of the backup's release; the next Open brings them to this release's form.
func (a *Archive) Restore(ctx context.Context, c Config, o RestoreOptions) error {
	if c.URL != "" {
		return a.restorePostgres(ctx, c, o)
	}
	return a.restoreSQLite(ctx, c, o)
}

// restoreSQLite fills a new file beside the database and exchanges the two at the very end. See unfinished for the moment in between.
func (a *Archive) restoreSQLite(ctx context.Context, c Config, o RestoreOptions) (err error) {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return failure(err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 && !o.Force {
		return fault.Of(fault.Exists, "database", "There is a database %s already, and restoring would replace it; give --force to do so (the old file is put aside), or restore into another folder.", path)
	}
	c.Path = path + ".restoring"
	removeDatabase(c.Path) // what an earlier attempt left
	if _, err := prepareFile(c.Path); err != nil {
		return err
	}
	defer removeDatabase(c.Path)
	raw, _, err := openRaw(ctx, c, "_pragma=journal_mode(MEMORY)&_pragma=synchronous(OFF)")
	if err != nil {
		return err
	}
	err = a.fill(ctx, raw, "sqlite", c, o)
	if err == nil {
		err = verdict(ctx, raw, c)
	}
	if err = errors.Join(err, raw.Close()); err != nil {
		return err
	}
	if err := syncFile(c.Path); err != nil {
		return failure(err)
	}
	return exchange(c.Path, path)
}

// exchange puts the old database aside, with what belongs to it, and the new one in its place. The old log must never meet the new file.
func exchange(fresh, path string) error {
	aside := path + ".replaced-" + time.Now().UTC().Format("20060102T150405")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fault.Of(fault.Unavailable, "database", "The old database %s cannot be put aside; nothing was changed.", path).With(err)
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return fault.Of(fault.Unavailable, "database", "The restored database cannot be given its name; the old one is in %s.", aside).With(err)
	}
	return failure(syncFolder(filepath.Dir(path)))
}

func removeDatabase(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		_ = os.Remove(path + suffix) // it is mostly not there
	}
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func (a *Archive) restorePostgres(ctx context.Context, c Config, o RestoreOptions) (err error) {
	raw, _, err := openRaw(ctx, c, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	have, err := schemaOf(ctx, raw, "postgres")
	if err != nil {
		return err
	}
	if have != 0 && have != a.Schema {
		return fault.Of(fault.Conflict, "database", "The database has form %d and the backup form %d, so it cannot take its place there; restore into an empty database.", have, a.Schema)
	}
	return a.fill(ctx, raw, "postgres", c, o)
}

// fill makes the backup's tables and fills them in one transaction.
func (a *Archive) fill(ctx context.Context, raw *sql.DB, driver string, c Config, o RestoreOptions) error {
	c.Backups, c.Log = "", slog.New(slog.DiscardHandler) // there is nothing to back up, and that tables are made is no news
	m, err := newMigrator(raw, driver, c)
	if err != nil {
		return err
	}
	if a.Schema > m.newest {
		return fault.Of(fault.Invalid, "backup", "The backup was taken by Neap %s and has form %d; this release knows forms up to %d only. Restore it with that release, or a newer one.", a.Release, a.Schema, m.newest)
	}
	if err := m.up(ctx, a.Schema); err != nil {
		return err
	}
	conn, err := raw.Conn(ctx)
	if err != nil {
		return failure(err)
	}
	defer func() { _ = conn.Close() }() // it only goes back to the pool
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return failure(err)
	}
	defer func() { _ = tx.Rollback() }() // after the commit this does nothing
	r := restorer{archive: a, driver: driver, conn: conn, tx: tx}
	if err := r.empty(ctx, o.Force); err != nil {
		return err
	}
	for _, table := range a.Tables {
		if err := r.table(ctx, table); err != nil {
			return fmt.Errorf("restore table %s: %w", table.Name, failure(err))
		}
	}
	if o.Mark != nil {
		if err := o.Mark(ctx, r.session()); err != nil {
			return err
		}
	}
	return failure(tx.Commit())
}

// restorer fills tables inside a transaction.
type restorer struct {
	archive *Archive
	driver  string
	conn    *sql.Conn
	tx      *sql.Tx
}

// empty makes room: a database in use is refused, one that holds something too unless forced.
func (r *restorer) empty(ctx context.Context, force bool) error {
	tables, err := tablesOf(ctx, r.tx, r.driver)
	if err != nil {
		return err
	}
	if r.driver == "postgres" {
		var held int
		if err := r.tx.QueryRowContext(ctx, "SELECT count(*) FROM leases WHERE until > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&held); err != nil {
			return failure(err)
		}
		if held > 0 {
			return fault.Of(fault.Conflict, "database", "A Neap is working on this database; stop every replica, wait ten seconds, and restore then.")
		}
	}
	var held int
	if err := r.tx.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM installation) + (SELECT count(*) FROM groups)").Scan(&held); err != nil {
		return failure(err)
	}
	if held > 0 && !force {
		return fault.Of(fault.Exists, "database", "The database holds an installation already, and restoring would replace it; give --force to do so, or restore into an empty database.")
	}
	for _, table := range tables {
		if _, err := r.tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return failure(err)
		}
	}
	return nil
}

func (r *restorer) table(ctx context.Context, e Entry) error {
	known, err := tablesOf(ctx, r.tx, r.driver)
	if err != nil {
		return err
	}
	is := false
	for _, table := range known {
		is = is || table == e.Name
	}
	if !is {
		return fault.Of(fault.Invalid, "backup", "The backup holds a table %q that no Neap of its release has; nothing was changed.", e.Name)
	}
	fill := r.insert
	if r.driver == "postgres" {
		fill = r.copy
	}
	if err := fill(ctx, e.Name); err != nil {
		return err
	}
	var rows int64
	if err := r.tx.QueryRowContext(ctx, "SELECT count(*) FROM "+e.Name).Scan(&rows); err != nil {
		return err
	}
	if rows != e.Rows {
		return fault.Of(fault.Internal, "backup", "Table %s has %d rows after the restore and had %d; nothing was changed.", e.Name, rows, e.Rows)
	}
	return r.continued(ctx, e.Name)
}

// insert fills a table row by row, which is SQLite's fastest way.
func (r *restorer) insert(ctx context.Context, table string) (err error) {
	var statement *sql.Stmt
	defer func() {
		if statement != nil {
			err = errors.Join(err, statement.Close())
		}
	}()
	return r.archive.rows(ctx, table, func(columns []string) (err error) {
		statement, err = r.tx.PrepareContext(ctx, "INSERT INTO "+table+" ("+quoted(columns)+") VALUES (?"+strings.Repeat(", ?", len(columns)-1)+")")
		return err
	}, func(values []any) error {
		_, err := statement.ExecContext(ctx, values...)
		return err
	})
}

// copied is how many rows one COPY carries.
const copied = 5000

// copy fills a table through PostgreSQL's COPY, on the connection that holds the transaction.
func (r *restorer) copy(ctx context.Context, table string) error {
	var names []string
	var waiting [][]any
	flush := func() error {
		rows := waiting
		waiting = nil
		return r.conn.Raw(func(driver any) error {
			_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, names, pgx.CopyFromRows(rows))
			return err
		})
	}
	err := r.archive.rows(ctx, table, func(columns []string) error { names = columns; return nil }, func(values []any) error {
		if waiting = append(waiting, values); len(waiting) < copied {
			return nil
		}
		return flush()
	})
	if err != nil || len(waiting) == 0 {
		return err
	}
	return flush()
}

// continued lets a log's order go on behind the rows that were restored. SQLite does that by itself.
func (r *restorer) continued(ctx context.Context, table string) error {
	if r.driver != "postgres" {
		return nil
	}
	var name sql.NullString
	query := "SELECT pg_get_serial_sequence(c.table_name, c.column_name) FROM information_schema.columns c WHERE c.table_schema = current_schema() AND c.table_name = $1 AND c.is_identity = 'YES'"
	err := r.tx.QueryRowContext(ctx, query, table).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !name.Valid {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.tx.ExecContext(ctx, "SELECT setval($1, (SELECT coalesce(max(ord), 0) + 1 FROM "+table+"), false)", name.String)
	return err
}

// session lets collections write in the transaction.
func (r *restorer) session() *Tx {
	conn := &restoring{tx: r.tx, rewrite: func(query string, _ []any) string { return query }}
	if r.driver == "postgres" {
		conn.rewrite = (&placeholders{}).rewrite
	}
	return &Tx{db: &DB{}, conn: conn}
}

// restoring is the restorer's transaction as collections use it.
type restoring struct {
	tx      *sql.Tx
	rewrite func(query string, args []any) string
}

func (c *restoring) query(ctx context.Context, query string, args ...any) (rows, error) {
	return c.tx.QueryContext(ctx, c.rewrite(query, args), args...)
}

func (c *restoring) row(ctx context.Context, query string, args ...any) Row {
	return c.tx.QueryRowContext(ctx, c.rewrite(query, args), args...)
}

func (c *restoring) exec(ctx context.Context, query string, args ...any) (int64, error) {
	done, err := c.tx.ExecContext(ctx, c.rewrite(query, args), args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (c *restoring) later(ctx context.Context, s statement) error { return s.run(ctx, c) }

func quoted(columns []string) string {
	list := make([]string, len(columns))
	for n, c := range columns {
		list[n] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
	}
	return strings.Join(list, ", ")
}
