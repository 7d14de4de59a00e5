package store

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/neap-cloud/neap/internal/fault"
)

const (
	// What the application may do at once. The server is often as small as this machine: more than its processors can serve only get in each other's way.
	leastConns   = 8
	connsPerCore = 4
	riverConns   = 8

	// A process that is stopped, or cut off, in the middle of a transaction holds its locks no longer than its leases: the server ends it then.
	idleTimeout = "idle_in_transaction_session_timeout"
	idleLimit   = "5000" // milliseconds
)

// postgres is a server that other replicas share.
type postgres struct {
	app    *pgxpool.Pool
	db     *sql.DB // the same connections, for migrations and backups
	river  *pgxpool.Pool
	hook   func(point string)
	dollar *placeholders
}

func openPostgres(ctx context.Context, c Config) (_ *DB, err error) {
	config, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fault.Of(fault.Invalid, "store", "The PostgreSQL URL cannot be read; write postgres://user:password@host:port/database.").With(err)
	}
	config.ConnConfig.RuntimeParams[idleTimeout] = idleLimit
	p := &postgres{hook: func(string) {}, dollar: &placeholders{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.app, err = poolOf(ctx, config, int32(max(leastConns, connsPerCore*runtime.GOMAXPROCS(0)))); err != nil {
		return nil, err
	}
	p.db = stdlib.OpenDBFromPool(p.app)
	if err := p.app.Ping(ctx); err != nil {
		return nil, fault.Of(fault.Unavailable, "store", "PostgreSQL at %s:%d does not answer or refuses the login.", config.ConnConfig.Host, config.ConnConfig.Port).With(err)
	}
	if err := migrate(ctx, p.db, "postgres", c); err != nil {
		return nil, err
	}
	if p.river, err = poolOf(ctx, config, riverConns); err != nil {
		return nil, err
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

func poolOf(ctx context.Context, config *pgxpool.Config, most int32) (*pgxpool.Pool, error) {
	own := config.Copy()
	own.MaxConns, own.MinConns = most, 0
	made, err := pgxpool.NewWithConfig(ctx, own)
	return made, failure(err)
}

func (p *postgres) driver() string      { return "postgres" }
func (p *postgres) reads() querier      { return pgReads{p.app, p.dollar} }
func (p *postgres) alone() bool         { return true }
func (p *postgres) jobs() *sql.DB       { return p.db }
func (p *postgres) pool() *pgxpool.Pool { return p.river }

func (p *postgres) transact(ctx context.Context, unit func(querier) (bool, error)) error {
	conn, err := p.app.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx := &pipeline{conn: conn, dollar: p.dollar}
	defer tx.rollback() // after a commit this does nothing; after a panic in unit it frees the connection
	keep, err := unit(tx)
	if err != nil {
		return err
	}
	if !keep {
		return tx.flush(ctx) // a dry run finds the same faults
	}
	p.hook("commit:before")
	if err := tx.commit(ctx); err != nil {
		return err
	}
	p.hook("commit:after")
	return nil
}

func (p *postgres) now(ctx context.Context, conn querier) (time.Time, error) {
	var micros int64
	err := conn.row(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&micros)
	return fromMicros(micros), err
}

func (p *postgres) close() error {
	var err error
	if p.db != nil {
		err = p.db.Close()
	}
	for _, pool := range []*pgxpool.Pool{p.river, p.app} {
		if pool != nil {
			pool.Close()
		}
	}
	return err
}

// pgReads is the pool as it answers single statements. The driver keeps prepared statements by itself.
type pgReads struct {
	pool   *pgxpool.Pool
	dollar *placeholders
}

func (c pgReads) query(ctx context.Context, query string, args ...any) (rows, error) {
	found, err := c.pool.Query(ctx, c.dollar.rewrite(query, args), args...)
	return pgRows{found}, err
}

func (c pgReads) row(ctx context.Context, query string, args ...any) Row {
	return c.pool.QueryRow(ctx, c.dollar.rewrite(query, args), args...)
}

func (c pgReads) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return 0, writesOutside(query)
}

func (c pgReads) later(ctx context.Context, s statement) error { return writesOutside(s.query) }

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
