package store

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// attempts bounds how often a unit of work is run again after the database refused it for the sake of another.
const attempts = 12

// Tx is a unit of work. Not safe for concurrent use. Never use the DB inside a Tx function: pass the Tx on.
type Tx struct {
	db    *DB
	conn  querier
	after []func()
	ended bool
}

type txKey struct{}
type dryKey struct{}
type prologueKey struct{}

// Tx runs work in a transaction: all or nothing. Concurrent calls on SQLite are committed in groups. With a dry-run ctx everything is rolled back
// and nil is returned when work returned nil. work may be run again after a serialisation failure, so it must have no effects outside the Tx.
func (db *DB) Tx(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	if err := nested(ctx); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := db.attempt(ctx, work)
		if err == nil || !retryable(err) || attempt == attempts {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// attempt is one run of work, from begin to commit. The work's own errors pass as they are.
func (db *DB) attempt(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	tx := &Tx{db: db}
	prologue := claim(ctx)
	var failed error
	kept, committed := false, false
	defer func() { prologue.settle(committed) }()
	err := db.engine.transact(ctx, func(conn querier) (bool, error) {
		tx.conn = conn
		defer func() { tx.ended = true }()
		inside := context.WithValue(ctx, txKey{}, tx)
		if failed = work(inside, tx); failed == nil && !IsDryRun(ctx) {
			failed = prologue.run(inside, tx)
			kept = failed == nil
		}
		return kept, failed
	})
	if failed != nil {
		db.health.note(failed)
		return failed
	}
	if err != nil || !kept {
		db.health.note(err)
		return failure(err)
	}
	committed = true
	for _, f := range tx.after {
		f()
	}
	return nil
}

// AfterCommit runs f once tx has been committed (never for a rolled-back or dry one): for waking workers early, never for state.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// Exec runs a statement with ? placeholders and tells how many rows it changed. For workflow only; other rooms have collections.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	changed, err := tx.conn.exec(ctx, query, args...)
	return changed, failure(err)
}

// ExecLater is an Exec that nobody needs the answer of. It is sent to the server with what follows it, at the latest with the commit. For workflow only.
func (tx *Tx) ExecLater(ctx context.Context, query string, args ...any) error {
	return failure(tx.conn.later(ctx, statement{query: query, args: args, changes: anyNumber}))
}

// Later is tx for callers to whom every fault is the same: what is written through it is sent to the server with what follows it, at the latest with the commit,
// and if it was in vain the transaction ends there.
func (tx *Tx) Later() Session { return later{tx} }

type later struct{ *Tx }

// put runs a statement on behalf of s, or later if that is what s is for.
func (tx *Tx) put(ctx context.Context, s Session, write statement) error {
	if _, is := s.(later); is {
		return failure(tx.conn.later(ctx, write))
	}
	return failure(write.run(ctx, tx.conn))
}

// Rows runs a query with ? placeholders and hands each row to scan. For workflow only; other rooms have collections.
func Rows(ctx context.Context, s Session, scan func(Row) error, query string, args ...any) error {
	rows, err := s.session().query(ctx, query, args...)
	if err != nil {
		return failure(err)
	}
	return each(rows, scan)
}

// Alone runs one statement in a transaction of its own, without asking for its begin and its end where the database can do without, and hands the row that it
// returns to scan; found is false when there is none. On PostgreSQL it acts on rows as they are once whoever changes them has committed, not on a snapshot.
// For workflow only.
func (db *DB) Alone(ctx context.Context, scan func(Row) error, query string, args ...any) (found bool, err error) {
	work := func(ctx context.Context, s Session) error {
		found = false
		return Rows(ctx, s, func(row Row) error { found = true; return scan(row) }, query, args...)
	}
	if !db.engine.alone() {
		err = db.Tx(ctx, func(ctx context.Context, tx *Tx) error { return work(ctx, tx) })
		return found, err
	}
	if err := nested(ctx); err != nil {
		return false, err
	}
	for attempt := 1; ; attempt++ {
		err := work(ctx, db)
		db.health.note(err)
		if err == nil || !retryable(err) || attempt == attempts {
			return found, err
		}
		if err := pause(ctx, attempt); err != nil {
			return false, err
		}
	}
}

// each hands every row to scan and closes rows.
func each(rows rows, scan func(Row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return failure(err)
		}
	}
	return failure(rows.Err())
}

func (tx *Tx) session() querier { return tx.conn }

func (tx *Tx) write(ctx context.Context, work func(ctx context.Context, tx *Tx) error) error {
	return work(ctx, tx)
}

// nested refuses a transaction inside another: on SQLite it would wait for itself for ever.
func nested(ctx context.Context) error {
	if outer, is := ctx.Value(txKey{}).(*Tx); is && !outer.ended {
		return fault.Of(fault.Internal, "store", "A transaction was begun, or the database written to, inside a transaction; pass the Tx on.")
	}
	return nil
}

// pause waits a little longer, and a little differently, after each refusal.
func pause(ctx context.Context, attempt int) error {
	longest := min(time.Millisecond<<attempt, 200*time.Millisecond)
	timer := time.NewTimer(rand.N(longest) + time.Millisecond/2)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithDryRun marks ctx so that every Tx under it is rolled back at its end.
func WithDryRun(ctx context.Context) context.Context { return context.WithValue(ctx, dryKey{}, true) }

// IsDryRun reports whether ctx is marked.
func IsDryRun(ctx context.Context) bool { return ctx.Value(dryKey{}) != nil }

// WithPrologue makes p part of the first transaction under ctx that commits: it is run inside that transaction, before the commit, exactly once.
// done reports whether that has happened. op uses it so that a change and its audit entry are one.
func WithPrologue(ctx context.Context, p Prologue) (marked context.Context, done func() bool) {
	pending := &prologue{work: p}
	return context.WithValue(ctx, prologueKey{}, pending), pending.done
}

// prologue is work that waits for its transaction. A transaction claims it, and gives it back when it fails.
type prologue struct {
	mu    sync.Mutex
	work  Prologue
	state string // "" waiting, "claimed", "done"
}

// claim returns ctx's prologue when it is still waiting, else nil; a nil prologue does nothing.
func claim(ctx context.Context) *prologue {
	p, is := ctx.Value(prologueKey{}).(*prologue)
	if !is || IsDryRun(ctx) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != "" {
		return nil
	}
	p.state = "claimed"
	return p
}

func (p *prologue) run(ctx context.Context, tx *Tx) error {
	if p == nil {
		return nil
	}
	return p.work(ctx, tx)
}

func (p *prologue) settle(committed bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = ""
	if committed {
		p.state = "done"
	}
}

func (p *prologue) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == "done"
}
