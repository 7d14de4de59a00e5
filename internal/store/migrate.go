package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/neap-cloud/neap/internal/fault"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// keptBackups is how many of the backups that precede migrations are kept.
const keptBackups = 3

// automatic begins the names of backups that precede migrations.
const automatic = "before-migration-"

// migrator brings one database to a release's form. Migrations expand first and contract a release later, so that the previous release goes on working beside.
type migrator struct {
	c      Config
	raw    *sql.DB
	driver string
	goose  *goose.Provider
	newest int64 // migration that this release knows
}

func newMigrator(raw *sql.DB, driver string, c Config) (*migrator, error) {
	dialect := goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithSlog(c.Log)}
	if driver == "postgres" {
		// Replicas that start together take turns.
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120), lock.WithUnlockTimeout(1, 10))
		if err != nil {
			return nil, failure(err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	if c.migrations == nil {
		c.migrations = migrations
	}
	files, err := fs.Sub(c.migrations, "migrations/"+driver)
	if err != nil {
		return nil, failure(err)
	}
	m := &migrator{c: c, raw: raw, driver: driver}
	if m.goose, err = goose.NewProvider(dialect, raw, files, options...); err != nil {
		return nil, failure(err)
	}
	for _, source := range m.goose.ListSources() {
		m.newest = max(m.newest, source.Version)
	}
	return m, nil
}

// prepare refuses a database that this release does not understand, and backs up one that is about to be migrated. It changes nothing in the database.
func (m *migrator) prepare(ctx context.Context) error {
	have, err := schemaOf(ctx, m.raw, m.driver)
	if err != nil {
		return err
	}
	if have > m.newest {
		return m.understand(ctx, have)
	}
	if have == 0 || have == m.newest || m.c.Backups == "" {
		return nil
	}
	to := filepath.Join(m.c.Backups, fmt.Sprintf("%s%05d-%s.zip", automatic, m.newest, time.Now().UTC().Format("20060102T150405.000")))
	if _, err := export(ctx, m.raw, m.driver, m.c.Release, to, nil); err != nil {
		return fault.Of(fault.Unavailable, "store", "The database has to be brought to this release's form, and the backup that comes before cannot be written to %s; nothing was changed. "+
			"Make room there, then start again.", m.c.Backups).With(err)
	}
	m.c.Log.Info("the database was backed up before it is brought to this release's form", "file", to)
	return dropOldest(m.c.Backups, automatic, keptBackups)
}

// understand checks that a database of a newer release still speaks this release's language.
func (m *migrator) understand(ctx context.Context, have int64) error {
	var reader int64
	var release string
	err := m.raw.QueryRowContext(ctx, "SELECT reader, release FROM schema_compat WHERE one = 1").Scan(&reader, &release)
	if err == nil && reader <= m.newest {
		m.c.Log.Info("the database was brought to a newer release's form, which this release understands", "form", have, "understood", m.newest, "by", release)
		return nil
	}
	if release == "" {
		release = "a newer release"
	} else {
		release = "Neap " + release
	}
	return fault.Of(fault.Conflict, "store", "The database has form %d, made by %s, and this release understands forms up to %d only; nothing was changed. Start the newer release, or restore "+
		"a backup from before the upgrade (neap restore; one was taken in the backups folder) with this one.", have, release, m.newest).With(err)
}

// up brings the tables to this release's form, or only as far as a given migration.
func (m *migrator) up(ctx context.Context, to int64) error {
	done, err := m.goose.UpTo(ctx, to)
	if err != nil {
		if full(err) {
			return failure(err)
		}
		return fault.Of(fault.Unavailable, "store", "The database cannot be brought to this release's form; the log has the details.").With(err)
	}
	if len(done) == 0 {
		return nil
	}
	m.c.Log.Info("the database has this release's form", "migrations", len(done), "newest", done[len(done)-1].Source.Path)
	if m.c.Release == "" || to < compatFrom {
		return nil
	}
	update := "UPDATE schema_compat SET release = ?"
	if m.driver == "postgres" {
		update = "UPDATE schema_compat SET release = $1"
	}
	_, err = m.raw.ExecContext(ctx, update, m.c.Release)
	return failure(err)
}

// compatFrom is the migration that made the table schema_compat.
const compatFrom = 6

// migrate is prepare and up, for databases whose migrations take turns by themselves.
func migrate(ctx context.Context, raw *sql.DB, driver string, c Config) error {
	m, err := newMigrator(raw, driver, c)
	if err != nil {
		return err
	}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	return m.up(ctx, m.newest)
}

// queryer is a database or a transaction.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaOf is the newest migration that a database has had; 0 for an empty one.
func schemaOf(ctx context.Context, in queryer, driver string) (version int64, err error) {
	there := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'"
	if driver == "postgres" {
		there = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'goose_db_version'"
	}
	var tables int
	if err := in.QueryRowContext(ctx, there).Scan(&tables); err != nil || tables == 0 {
		return 0, failure(err)
	}
	err = in.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version").Scan(&version)
	return version, failure(err)
}

// dropOldest keeps the newest files of a folder whose names begin with prefix and go on with what sorts by age.
func dropOldest(folder, prefix string, keep int) error {
	listed, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range listed {
		if strings.HasPrefix(f.Name(), prefix) && strings.HasSuffix(f.Name(), ".zip") {
			names = append(names, f.Name())
		}
	}
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)-keep)] {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}
