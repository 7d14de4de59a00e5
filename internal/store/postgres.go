package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/neap-cloud/neap/internal/fault"
)

const (
	postgresConns = 16 // of the application
	riverConns    = 8

	// A process that is stopped, or cut off, in the middle of a transaction holds its locks no longer than its leases: the server ends it then.
	idleTimeout = "idle_in_transaction_session_timeout"
	idleLimit   = "5000" // milliseconds
)

// postgres is a server that other replicas share.
type postgres struct {
	db     *sql.DB
	river  *pgxpool.Pool
	hook   func(point string)
	dollar *placeholders
}

func openPostgres(ctx context.Context, c Config) (_ *DB, err error) {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, fault.Of(fault.Invalid, "store", "The PostgreSQL URL cannot be read; write postgres://user:password@host:port/database.").With(err)
	}
	config.RuntimeParams[idleTimeout] = idleLimit
	p := &postgres{db: stdlib.OpenDB(*config), hook: func(string) {}, dollar: &placeholders{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	p.db.SetMaxOpenConns(postgresConns)
	p.db.SetMaxIdleConns(postgresConns)
	if err := p.db.PingContext(ctx); err != nil {
		return nil, fault.Of(fault.Unavailable, "store", "PostgreSQL at %s:%d does not answer or refuses the login.", config.Host, config.Port).With(err)
	}
	if err := migrate(ctx, p.db, "postgres", c); err != nil {
		return nil, err
	}
	forRiver, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, failure(err)
	}
	forRiver.ConnConfig.RuntimeParams[idleTimeout] = idleLimit
	forRiver.MaxConns, forRiver.MinConns = riverConns, 0
	if p.river, err = pgxpool.NewWithConfig(ctx, forRiver); err != nil {
		return nil, failure(err)
	}
	db := &DB{engine: p, log: c.Log}
	for _, table := range partitionedTables() {
		if err := db.makeWeeks(ctx, table, time.Now()); err != nil {
			return nil, err
		}
	}
	p.hook = c.Hook
	return db, nil
}

func (p *postgres) driver() string      { return "postgres" }
func (p *postgres) reads() querier      { return pgConn{p.db, p.dollar} }
func (p *postgres) alone() bool         { return true }
func (p *postgres) jobs() *sql.DB       { return p.db }
func (p *postgres) pool() *pgxpool.Pool { return p.river }

// transact reads one snapshot from begin to commit. A unit that changes a row which another changed meanwhile is refused and run again, so that, as on
// SQLite, what it read is still true when it commits what it made of it.
func (p *postgres) transact(ctx context.Context, unit func(querier) (bool, error)) error {
	tx, err := p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return err
	}
	// After a commit this does nothing; after a panic in unit it frees the connection.
	defer func() { _ = tx.Rollback() }()
	keep, err := unit(pgConn{tx, p.dollar})
	if err != nil || !keep {
		return err
	}
	p.hook("commit:before")
	if err := tx.Commit(); err != nil {
		return err
	}
	p.hook("commit:after")
	return nil
}

func (p *postgres) now(ctx context.Context, conn querier) (time.Time, error) {
	var micros int64
	err := conn.QueryRowContext(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&micros)
	return fromMicros(micros), err
}

func (p *postgres) close() error {
	if p.river != nil {
		p.river.Close()
	}
	return p.db.Close()
}

// pgConn is a connection or pool that understands ? placeholders. The driver keeps prepared statements by itself.
type pgConn struct {
	querier
	dollar *placeholders
}

func (c pgConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.querier.ExecContext(ctx, c.dollar.rewrite(query, args), args...)
}

func (c pgConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.querier.QueryContext(ctx, c.dollar.rewrite(query, args), args...)
}

func (c pgConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.querier.QueryRowContext(ctx, c.dollar.rewrite(query, args), args...)
}

// placeholders turns ? into $1, $2, … and remembers the result. Our statements have no ? in quotes.
type placeholders struct{ known sync.Map }

func (p *placeholders) rewrite(query string, args []any) string {
	if len(args) == 0 {
		return query
	}
	if known, is := p.known.Load(query); is {
		return known.(string)
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	p.known.Store(query, b.String())
	return b.String()
}

var (
	_ engine = (*postgres)(nil)
	_ engine = (*sqlite)(nil)
)
