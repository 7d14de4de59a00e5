package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/neap-cloud/neap/internal/fault"
)

// quickCheckLimit is the size in bytes up to which a file is checked at start; a larger one is checked beside the work, as it would hold up the start.
const quickCheckLimit = 64 << 20

// sqlite is one file with three pools: one connection that writes for the application, one for River, and several that only read. More than one
// writing connection per user makes writers wait for each other in SQLite's busy handler, which sleeps, instead of in our queue, which does not.
type sqlite struct {
	writes    *sql.DB
	river     *sql.DB
	readers   *sql.DB
	writer    *writer
	reading   readConn
	path      string
	unchecked func() // ends the check that runs beside; nil = there is none
	private   string // folder to remove at close, "" = none
}

func openSQLite(ctx context.Context, c Config) (_ *DB, err error) {
	s := &sqlite{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	path, sync := c.Path, "FULL"
	if c.Memory {
		if s.private, err = os.MkdirTemp("", "neap-store-"); err != nil {
			return nil, failure(err)
		}
		path, sync = filepath.Join(s.private, "neap.db"), "OFF"
	}
	if err := unfinished(path); err != nil {
		return nil, err
	}
	if path, err = prepareFile(path); err != nil {
		return nil, err
	}
	c.Path, s.path = path, path
	if err := s.connect(ctx, path, sync); err != nil {
		return nil, c.unopened(err)
	}
	large, err := s.check(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, c); err != nil {
		return nil, err
	}
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return nil, failure(err)
	}
	s.writer = newWriter(conn, c.Hook)
	db := &DB{engine: s, log: c.Log}
	if large {
		s.checkBeside(db, c)
	}
	return db, nil
}

// prepareFile makes the file and its folder, for their owner only.
func prepareFile(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", failure(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fault.Of(fault.Unavailable, "store", "The folder of the database %q cannot be made.", path).With(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fault.Of(fault.Unavailable, "store", "The database %q cannot be opened for writing.", path).With(err)
	}
	return path, file.Close()
}

// connect opens the three pools. The writing one comes first, as it switches the file to WAL.
func (s *sqlite) connect(ctx context.Context, path, sync string) (err error) {
	const (
		wait = "_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_txlock=immediate"
		// A busy engine writes the same pages again and again: the longer the log may grow, 64 MB here, the fewer of them are copied into the file.
		seldom = "&_pragma=wal_autocheckpoint(16000)"
		// The writer alone keeps its pages from one statement to the next; whoever only reads forgets them whenever something was written.
		remembers = "&_pragma=cache_size(-65536)" // KiB
	)
	if s.writes, err = pool(ctx, path, 1, wait+seldom+remembers+"&_pragma=journal_mode(WAL)&_pragma=synchronous("+sync+")"); err != nil {
		return err
	}
	// River's rows only repeat what our own tables say, so they need not reach the disk at every commit. OFF would not do: its checkpoints could
	// leave the whole file damaged after a power cut.
	riverSync := sync
	if sync == "FULL" {
		riverSync = "NORMAL"
	}
	if s.river, err = pool(ctx, path, 1, wait+seldom+"&_pragma=synchronous("+riverSync+")&_time_format=sqlite"); err != nil {
		return err
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	if s.readers, err = pool(ctx, path, readers, wait+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	s.reading = readConn{db: s.readers, cached: &statements{prepare: s.readers.PrepareContext}}
	return nil
}

func pool(ctx context.Context, path string, size int, options string) (*sql.DB, error) {
	file := url.URL{Path: filepath.ToSlash(path)}
	db, err := sql.Open("sqlite", "file:"+file.EscapedPath()+"?"+options)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	// While another process switches a new file to WAL, SQLite refuses at once, whatever the busy timeout.
	for attempt := 1; ; attempt++ {
		err := db.PingContext(ctx)
		if err == nil || !retryable(err) || attempt == attempts {
			return db, err
		}
		if err := pause(ctx, attempt); err != nil {
			return db, err
		}
	}
}

// check refuses a damaged file, as far as looking for damage is cheap; large says that the file has still to be looked at.
func (s *sqlite) check(ctx context.Context, c Config) (large bool, err error) {
	info, err := os.Stat(c.Path)
	if err != nil {
		return false, failure(err)
	}
	if info.Size() > quickCheckLimit {
		return true, nil
	}
	return false, verdict(ctx, s.writes, c)
}

// verdict reads the whole file.
func verdict(ctx context.Context, db *sql.DB, c Config) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return c.unopened(err)
	}
	if verdict != "ok" {
		return c.broken(errors.New(verdict))
	}
	return nil
}

// migrate tries again because SQLite has no lock that outlives a transaction: of processes that open an empty file together, all but one fail at each step.
func (s *sqlite) migrate(ctx context.Context, c Config) error {
	m, err := newMigrator(s.writes, "sqlite", c)
	if err != nil {
		return err
	}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := m.up(ctx, m.newest)
		if err == nil || full(err) || attempt == attempts {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (s *sqlite) driver() string      { return "sqlite" }
func (s *sqlite) reads() querier      { return s.reading }
func (s *sqlite) alone() bool         { return false }
func (s *sqlite) jobs() *sql.DB       { return s.river }
func (s *sqlite) pool() *pgxpool.Pool { return nil }

func (s *sqlite) transact(ctx context.Context, unit func(querier) (bool, error)) error {
	return s.writer.transact(ctx, unit)
}

// now is this machine's time: SQLite has no other.
func (s *sqlite) now(context.Context, querier) (time.Time, error) { return time.Now().UTC(), nil }

func (s *sqlite) close() error {
	var errs []error
	if s.unchecked != nil {
		s.unchecked()
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.reading.cached != nil {
		errs = append(errs, s.reading.cached.close())
	}
	for _, db := range []*sql.DB{s.readers, s.river, s.writes} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.private != "" {
		errs = append(errs, os.RemoveAll(s.private))
	}
	return errors.Join(errs...)
}

// statements keeps prepared statements by their text. Only texts that do not vary are given to it, so it stays small.
type statements struct {
	prepare func(ctx context.Context, query string) (*sql.Stmt, error)
	known   sync.Map
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	if known, is := s.known.Load(query); is {
		return known.(*sql.Stmt), nil
	}
	made, err := s.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	if known, is := s.known.LoadOrStore(query, made); is {
		return known.(*sql.Stmt), made.Close()
	}
	return made, nil
}

func (s *statements) close() error {
	var errs []error
	s.known.Range(func(_, known any) bool {
		errs = append(errs, known.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(errs...)
}

// readConn is the reading pool.
type readConn struct {
	db     *sql.DB
	cached *statements
}

func (c readConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return 0, writesOutside(query)
}

func (c readConn) later(ctx context.Context, s statement) error { return writesOutside(s.query) }

func writesOutside(query string) error {
	return fmt.Errorf("%q would write outside a transaction", query)
}

func (c readConn) query(ctx context.Context, query string, args ...any) (rows, error) {
	prepared, err := c.cached.get(ctx, query)
	if err != nil {
		return nil, err
	}
	return prepared.QueryContext(ctx, args...)
}

// row takes microseconds, so ctx is not watched meanwhile: the watcher would cost as much as the read.
func (c readConn) row(ctx context.Context, query string, args ...any) Row {
	ctx = context.WithoutCancel(ctx)
	prepared, err := c.cached.get(ctx, query)
	if err != nil {
		return c.db.QueryRowContext(ctx, query, args...)
	}
	return prepared.QueryRowContext(ctx, args...)
}
