package store

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/neap-cloud/neap/internal/fault"
)

// Config says where the data lives. Exactly one of Path, Memory and URL is set.
type Config struct {
	Path   string // SQLite file; made, readable by its owner only, when it is missing
	Memory bool   // SQLite for tests: a private temporary file, never flushed, removed by Close
	URL    string // PostgreSQL ("postgres://…")
	Log    *slog.Logger
	// Release is this program's version, written beside what it makes; Backups is the folder of the backups that precede migrations, "" = none are taken.
	Release string
	Backups string
	// Hook is called around every commit, for crash tests; nil in production. point is "commit:before" or "commit:after".
	Hook func(point string)

	migrations fs.FS // nil = those of this release; tests give others
}

// DB is an open database. Safe for concurrent use.
type DB struct {
	engine engine
	log    *slog.Logger
	health health
}

// engine is what differs between the two databases.
type engine interface {
	driver() string
	// reads answers single statements; it sees what is committed.
	reads() querier
	// transact calls unit with a connection, and keeps what it wrote when it says so. commit is called around the commit.
	transact(ctx context.Context, unit func(conn querier) (keep bool, err error)) error
	// alone reports whether a single statement on reads() may write, in a transaction of its own.
	alone() bool
	now(ctx context.Context, conn querier) (time.Time, error)
	jobs() *sql.DB
	pool() *pgxpool.Pool
	// room fails while there is too little room for writes.
	room() error
	close() error
}

// Open connects, migrates, and checks integrity.
func Open(ctx context.Context, c Config) (*DB, error) {
	given := 0
	for _, is := range []bool{c.Path != "", c.Memory, c.URL != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, fault.Of(fault.Invalid, "store", "Say where the data lives: exactly one of a SQLite file, memory, and a PostgreSQL URL.")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Hook == nil {
		c.Hook = func(string) {}
	}
	if c.URL != "" {
		return openPostgres(ctx, c)
	}
	return openSQLite(ctx, c)
}

// Close ends all connections. Transactions in progress are finished first.
func (db *DB) Close() error { return db.engine.close() }

// Now is the database's wall time: the only time that leases compare.
func (db *DB) Now(ctx context.Context, s Session) (time.Time, error) {
	now, err := db.engine.now(ctx, s.session())
	return now, failure(err)
}

// Ping reports whether the database answers, and takes writes: a full disk and a damaged file are said here until a write succeeds again.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.engine.reads().row(ctx, "SELECT 1").Scan(&one); err != nil {
		return failure(err)
	}
	return db.probe(ctx)
}

// Driver is "sqlite" or "postgres".
func (db *DB) Driver() string { return db.engine.driver() }

// SQL is a write pool for workflow (River), the only other room that speaks SQL. On SQLite it is River's own connection.
func (db *DB) SQL() *sql.DB { return db.engine.jobs() }

// Pool is workflow's native PostgreSQL pool; nil on SQLite.
func (db *DB) Pool() *pgxpool.Pool { return db.engine.pool() }

// session is the connection that single statements use.
func (db *DB) session() querier { return db.engine.reads() }

// write runs one statement in a transaction of its own.
func (db *DB) write(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	return db.Tx(ctx, work)
}
