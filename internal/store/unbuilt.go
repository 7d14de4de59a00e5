package store

import (
	"context"
	"database/sql"
	"log/slog"
	"time"
)

// Config says where the data lives. Exactly one of Path, Memory and URL is set.
type Config struct {
	Path   string // SQLite file
	Memory bool   // SQLite in memory, for tests
	URL    string // PostgreSQL ("postgres://…")
	Log    *slog.Logger
	// Hook is called around every commit, for crash tests; nil in production. point is "commit:before" or "commit:after".
	Hook func(point string)
}

// DB is an open database. Safe for concurrent use.
type DB struct{}

// Tx is a unit of work. Not safe for concurrent use. Never use the DB inside a Tx function: pass the Tx on.
type Tx struct{}

func (*DB) session() {}
func (*Tx) session() {}

// Open connects, migrates, and checks integrity.
func Open(ctx context.Context, c Config) (*DB, error) { panic("unbuilt") }

func (db *DB) Close() error { panic("unbuilt") }

// Tx runs work in a transaction: all or nothing. Concurrent calls on SQLite are committed in groups. With a dry-run ctx everything is rolled back
// and nil is returned when work returned nil. work may be run again after a serialisation failure, so it must have no effects outside the Tx.
func (db *DB) Tx(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	panic("unbuilt")
}

// Now is the database's wall time: the only time that leases compare.
func (db *DB) Now(ctx context.Context, s Session) (time.Time, error) { panic("unbuilt") }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { panic("unbuilt") }

// Driver is "sqlite" or "postgres"; SQL is the write pool, for workflow (River), which is the only other room that speaks SQL.
func (db *DB) Driver() string { panic("unbuilt") }
func (db *DB) SQL() *sql.DB   { panic("unbuilt") }

// AfterCommit runs f once tx has been committed (never for a rolled-back or dry one): for waking workers early, never for state.
func (tx *Tx) AfterCommit(f func()) { panic("unbuilt") }

// WithDryRun marks ctx so that every Tx under it is rolled back at its end.
func WithDryRun(ctx context.Context) context.Context { panic("unbuilt") }

// IsDryRun reports whether ctx is marked.
func IsDryRun(ctx context.Context) bool { panic("unbuilt") }

// WithPrologue makes p part of the first transaction under ctx that commits: it is run inside that transaction, before the commit, exactly once.
// done reports whether that has happened. op uses it so that a change and its audit entry are one.
func WithPrologue(ctx context.Context, p Prologue) (marked context.Context, done func() bool) {
	panic("unbuilt")
}

func (c Collection[T]) Get(ctx context.Context, s Session, sc Scope, id string) (Doc[T], error) {
	panic("unbuilt")
}

// Insert stores a new document. fault.Exists (with the collection's noun) when the id is taken.
func (c Collection[T]) Insert(ctx context.Context, s Session, d Doc[T]) (Doc[T], error) {
	panic("unbuilt")
}

// Update replaces the document if its Version is still the stored one, and returns it with the new Version. Else fault.Conflict; fault.NotFound when it is gone.
func (c Collection[T]) Update(ctx context.Context, s Session, d Doc[T]) (Doc[T], error) {
	panic("unbuilt")
}

// Delete removes a document; fault.NotFound when there is none in scope.
func (c Collection[T]) Delete(ctx context.Context, s Session, sc Scope, id string) error {
	panic("unbuilt")
}

// List returns a page and the cursor of the next one, "" at the end.
func (c Collection[T]) List(ctx context.Context, s Session, sc Scope, q Query) (docs []Doc[T], next string, err error) {
	panic("unbuilt")
}

func (c Collection[T]) Count(ctx context.Context, s Session, sc Scope, q Query) (int, error) {
	panic("unbuilt")
}

// Append adds records, unsealed. Records whose ID is known already are left as they are.
func (l Log[T]) Append(ctx context.Context, s Session, records ...Record[T]) error { panic("unbuilt") }

func (l Log[T]) List(ctx context.Context, s Session, sc Scope, q LogQuery) ([]Record[T], error) {
	panic("unbuilt")
}

// Seal gives unsealed records the next sequence numbers, in order of insertion, and returns how many. One caller at a time (hold a lease).
func (l Log[T]) Seal(ctx context.Context, tx *Tx, limit int) (int, error) { panic("unbuilt") }
