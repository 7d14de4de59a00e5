package sim

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"
)

// database is the world's own store, apart from the engine's. Every change outlives the process from the moment that the call that made it returns. A machine
// that loses power may lose the last moments of the world: to Neap that looks like instances that vanish, which it has to live with anyway, and without waiting
// for the disk at every call one small machine can play a storm of thousands of interruptions.
type database struct {
	writes   *sql.DB   // one connection on SQLite: writers queue here instead of at the file's lock
	changes  *prepared // its statements
	readers  *sql.DB
	reads    runner // readers, which prepare each statement once
	postgres bool
	schema   string       // PostgreSQL's
	alone    sync.Mutex   // this process's writers wait here instead of at PostgreSQL's lock, each with a connection that readers need
	written  atomic.Int64 // by this process: transactions
}

// runner is a *sql.DB or a *sql.Tx.
type runner interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func openDatabase(ctx context.Context, c Config) (*database, error) {
	var db *database
	var err error
	switch {
	case c.Path != "" && !c.Memory && c.URL == "":
		db, err = openFile(c.Path)
	case c.Memory && c.Path == "" && c.URL == "":
		db, err = openMemory()
	case c.URL != "" && c.Path == "" && !c.Memory:
		db, err = openPostgres(c.URL)
	default:
		return nil, errors.New("exactly one of a path, memory and a URL says where the world is kept")
	}
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

const pragmas = "_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=wal_autocheckpoint(16000)&_pragma=cache_size(-32768)"

func fileName(path, options string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options}).String()
}

func openFile(path string) (*database, error) {
	writes, err := sql.Open("sqlite", fileName(path, pragmas))
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	reads, err := sql.Open("sqlite", fileName(path, pragmas+"&_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	reads.SetMaxOpenConns(4)
	return &database{writes: writes, changes: &prepared{DB: writes}, readers: reads, reads: &prepared{DB: reads}}, nil
}

func openMemory() (*database, error) {
	both, err := sql.Open("sqlite", "file:sim?mode=memory&cache=private&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	both.SetMaxOpenConns(1) // each connection would be a world of its own
	return &database{writes: both, changes: &prepared{DB: both}, readers: both, reads: both}, nil
}

func openPostgres(address string) (*database, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	options := parsed.Query()
	schema := "sim"
	if beside := options.Get("search_path"); beside != "" {
		schema = beside + "_sim"
	}
	options.Set("search_path", pgx.Identifier{schema}.Sanitize())
	// A process that is stopped in the middle of a call must not hold up everybody's world.
	options.Set("idle_in_transaction_session_timeout", "2000")
	options.Set("synchronous_commit", "off")
	parsed.RawQuery = options.Encode()
	both, err := sql.Open("pgx", parsed.String())
	if err != nil {
		return nil, err
	}
	both.SetMaxOpenConns(8)
	return &database{writes: both, changes: &prepared{DB: both}, readers: both, reads: both, postgres: true, schema: schema}, nil
}

func (db *database) close() error {
	if db.readers == db.writes {
		return db.writes.Close()
	}
	return errors.Join(db.readers.Close(), db.writes.Close())
}

// prepared keeps the statements of a pool's queries by their texts, of which there are few. Closing the pool closes them.
type prepared struct {
	*sql.DB
	known sync.Map

	mu     sync.Mutex
	missed []string // by transactions
}

func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if known, is := p.known.Load(query); is {
		return known.(*sql.Stmt), nil
	}
	made, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if known, is := p.known.LoadOrStore(query, made); is {
		return known.(*sql.Stmt), made.Close()
	}
	return made, nil
}

// QueryContext looks at ctx only before it reads: to watch it meanwhile would cost as much as most reads.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	statement, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(context.WithoutCancel(ctx), args...)
}

func (p *prepared) catchUp(ctx context.Context) error {
	p.mu.Lock()
	missed := p.missed
	p.missed = nil
	p.mu.Unlock()
	for _, query := range missed {
		if _, err := p.statement(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

// inside is a transaction of a pool with one connection, on which nothing can be prepared for good meanwhile: what it has to do without is prepared for the next.
type inside struct {
	*sql.Tx
	pool *prepared
}

func (i inside) statement(ctx context.Context, query string) *sql.Stmt {
	if known, is := i.pool.known.Load(query); is {
		return i.StmtContext(ctx, known.(*sql.Stmt))
	}
	i.pool.mu.Lock()
	defer i.pool.mu.Unlock()
	i.pool.missed = append(i.pool.missed, query)
	return nil
}

func (i inside) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := i.statement(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return i.Tx.QueryContext(ctx, query, args...)
}

func (i inside) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := i.statement(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return i.Tx.QueryRowContext(ctx, query, args...)
}

func (i inside) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := i.statement(ctx, query); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return i.Tx.ExecContext(ctx, query, args...)
}

// sql turns question marks into PostgreSQL's numbered parameters. No statement here has a question mark in a literal.
func (db *database) sql(query string) string {
	if !db.postgres {
		return query
	}
	var out strings.Builder
	for number := 1; ; number++ {
		before, after, found := strings.Cut(query, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteString("$" + strconv.Itoa(number))
		query = after
	}
}

// find is the place of a parameter's text in a column, 0 when it is not there.
func (db *database) find(column string) string {
	if db.postgres {
		return "strpos(" + column + ", ?)"
	}
	return "instr(" + column + ", ?)"
}

// write runs work as the world's only writer, in one transaction. It is carried out whole even when the caller goes away meanwhile.
func (db *database) write(ctx context.Context, work func(ctx context.Context, tx runner) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := db.changes.catchUp(ctx); err != nil {
		return fmt.Errorf("simulated cloud: %w", err)
	}
	db.alone.Lock()
	defer db.alone.Unlock()
	tx, err := db.writes.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("simulated cloud: %w", err)
	}
	if db.postgres {
		var next int64
		if err := tx.QueryRowContext(ctx, "SELECT next FROM world FOR UPDATE").Scan(&next); err != nil {
			return fmt.Errorf("simulated cloud: %w", errors.Join(err, tx.Rollback()))
		}
	}
	var in runner = tx
	if !db.postgres { // its driver prepares by itself
		in = inside{tx, db.changes}
	}
	if err := work(ctx, in); err != nil {
		if failed := tx.Rollback(); failed != nil {
			return errors.Join(err, failed)
		}
		return err
	}
	defer db.written.Add(1)
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("simulated cloud: %w", err)
	}
	return nil
}

// seed settles the world's seed: the stored one, else the one asked for, else a fresh one.
func (db *database) seed(ctx context.Context, asked uint64) (uint64, error) {
	fresh := asked
	if fresh == 0 {
		fresh = rand.Uint64()
	}
	insert := db.sql("INSERT INTO world (one, version, seed, next) VALUES (1, ?, ?, 1) ON CONFLICT DO NOTHING")
	if _, err := db.writes.ExecContext(ctx, insert, schemaVersion, int64(fresh)); err != nil {
		return 0, err
	}
	var version int
	var stored int64
	if err := db.writes.QueryRowContext(ctx, "SELECT version, seed FROM world").Scan(&version, &stored); err != nil {
		return 0, err
	}
	if version != schemaVersion {
		return 0, fmt.Errorf("the world has layout %d, this release knows %d; move it aside to start a new one", version, schemaVersion)
	}
	if asked != 0 && asked != uint64(stored) {
		return 0, fmt.Errorf("the world was made with seed %d, not %d", uint64(stored), asked)
	}
	_, err := db.writes.ExecContext(ctx, db.sql("UPDATE world SET next = next + ? WHERE next > 1"), forgettable)
	return uint64(stored), err
}

// forgettable is how many numbers a start skips: more than a machine that lost power may have forgotten, so that no id is given twice.
const forgettable = 1000

// number reserves count consecutive numbers, which no two instances ever share.
func (db *database) number(ctx context.Context, tx runner, count int) (first int64, err error) {
	var next int64
	err = tx.QueryRowContext(ctx, db.sql("UPDATE world SET next = next + ? RETURNING next"), count).Scan(&next)
	return next - int64(count), err
}
