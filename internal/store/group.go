package store

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"
)

const (
	groupSize = 256                   // units in one commit
	groupAge  = 20 * time.Millisecond // after which a group is committed though more units wait
)

// errGroupLost means that a unit's group could not be committed although nothing was wrong with the unit: run it again.
var errGroupLost = errors.New("the group of transactions that this one belonged to was lost")

// errClosed answers whoever uses a database after Close.
var errClosed = errors.New("the database is closed")

// writer runs units of work one after the other on SQLite's only write connection, each in a savepoint, and commits them in groups: while one commit
// waits for the disk the next units queue up, and then share the next commit. Units run in their callers' goroutines; turn passes the connection on.
type writer struct {
	conn    *sql.Conn
	cached  *statements
	hook    func(point string)
	turn    chan struct{} // holds one token; who took it may use what is below
	closed  chan struct{}
	waiting atomic.Int32 // callers that will take the turn
	open    *group
}

// group is a transaction that several units share.
type group struct {
	units int
	began time.Time
	ended chan struct{} // closed when err is final
	err   error
}

func newWriter(conn *sql.Conn, hook func(string)) *writer {
	w := &writer{conn: conn, cached: &statements{prepare: conn.PrepareContext}, hook: hook, turn: make(chan struct{}, 1), closed: make(chan struct{})}
	w.turn <- struct{}{}
	return w
}

// transact runs unit in a savepoint and, when it wants to be kept or fails, waits until its group is on disk.
func (w *writer) transact(ctx context.Context, unit func(querier) (bool, error)) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	joined, keep, err := w.run(unit)
	if joined == nil || err == nil && !keep {
		return err
	}
	<-joined.ended
	if err != nil && (joined.err == nil || joined.units == 0) {
		return err // which may be about a unit of the same group: only now everybody sees that
	}
	return joined.err
}

// take waits for the turn, or until ctx ends.
func (w *writer) take(ctx context.Context) error {
	w.waiting.Add(1)
	select {
	case <-w.turn:
		w.waiting.Add(-1)
		return nil
	case <-w.closed:
		w.waiting.Add(-1)
		return errClosed
	case <-ctx.Done():
		// The open group may be counting on this caller to commit it, so the turn is taken all the same.
		go func() {
			select {
			case <-w.turn:
				w.waiting.Add(-1)
				w.pass()
			case <-w.closed:
				w.waiting.Add(-1)
			}
		}()
		return ctx.Err()
	}
}

// pass gives the turn on, after committing the open group unless somebody is there to extend it.
func (w *writer) pass() {
	if g := w.open; g != nil && (w.waiting.Load() == 0 || g.units >= groupSize || time.Since(g.began) > groupAge) {
		w.commit()
	}
	w.turn <- struct{}{}
}

// run holds the turn. A panic or Goexit inside unit rolls the unit back and goes on in its caller.
func (w *writer) run(unit func(querier) (bool, error)) (joined *group, keep bool, err error) {
	defer w.pass()
	if w.open == nil {
		if err := w.exec("BEGIN IMMEDIATE"); err != nil {
			return nil, false, err
		}
		w.open = &group{began: time.Now(), ended: make(chan struct{})}
	}
	joined = w.open
	if err := w.exec("SAVEPOINT unit"); err != nil {
		w.lose(err)
		return nil, false, errors.Join(errGroupLost, err)
	}
	ended := false
	defer func() {
		if !ended {
			w.undo(nil)
		}
	}()
	conn := &writeConn{w: w}
	keep, err = unit(conn)
	ended = true
	if err == nil {
		err = conn.failed
	}
	if err != nil || !keep {
		w.undo(err)
		return joined, false, err
	}
	if err := w.exec("RELEASE unit"); err != nil {
		w.lose(err)
		return nil, false, errors.Join(errGroupLost, err)
	}
	joined.units++
	return joined, true, nil
}

// undo rolls the last unit back. SQLite ends the whole transaction by itself on some errors (disk full, out of memory): then the group is lost.
func (w *writer) undo(cause error) {
	if err := w.exec("ROLLBACK TO unit"); err != nil {
		w.lose(errors.Join(cause, err))
		return
	}
	if err := w.exec("RELEASE unit"); err != nil {
		w.lose(err)
	}
}

// commit ends the open group and tells its units.
func (w *writer) commit() {
	g := w.open
	if g.units == 0 {
		w.lose(nil)
		return
	}
	w.hook("commit:before")
	if err := w.exec("COMMIT"); err != nil {
		w.lose(err)
		return
	}
	w.open = nil
	w.hook("commit:after")
	close(g.ended)
}

// lose rolls the open group back; its units are told to run again.
func (w *writer) lose(cause error) {
	g := w.open
	w.open = nil
	// An error here means that SQLite has ended the transaction already, which is what is wanted.
	_ = w.exec("ROLLBACK")
	g.err = errors.Join(errGroupLost, cause)
	close(g.ended)
}

// exec is never given a caller's context: an interrupted statement would roll back the work of others.
func (w *writer) exec(query string) error {
	_, err := (&writeConn{w: w}).exec(context.Background(), query)
	return err
}

// close waits for the turn and keeps it. The group that is open then is committed first.
func (w *writer) close() error {
	<-w.turn
	close(w.closed)
	if w.open != nil {
		w.commit()
	}
	return errors.Join(w.cached.close(), w.conn.Close())
}

// writeConn is the writer's connection as a unit sees it. A unit's context is looked at between statements, never during one. After a failed statement,
// as on PostgreSQL, the unit can do nothing more: SQLite may have ended the transaction, and what follows would be committed on its own.
type writeConn struct {
	w      *writer
	failed error
}

// prepared gets ready for a statement.
func (c *writeConn) prepared(ctx context.Context, query string) (context.Context, *sql.Stmt, error) {
	if err := errors.Join(ctx.Err(), c.failed); err != nil {
		return nil, nil, err
	}
	ctx = context.WithoutCancel(ctx)
	statement, err := c.w.cached.get(ctx, query)
	return ctx, statement, err
}

func (c *writeConn) exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	ctx, statement, err := c.prepared(ctx, query)
	if err == nil {
		var done sql.Result
		if done, err = statement.ExecContext(ctx, args...); err == nil {
			changed, err = done.RowsAffected()
		}
	}
	c.note(err)
	return changed, err
}

// later is now: there is no way to save.
func (c *writeConn) later(ctx context.Context, s statement) error {
	err := s.run(ctx, c)
	c.note(err)
	return err
}

func (c *writeConn) query(ctx context.Context, query string, args ...any) (found rows, err error) {
	ctx, statement, err := c.prepared(ctx, query)
	if err == nil {
		found, err = statement.QueryContext(ctx, args...)
	}
	c.note(err)
	return found, err
}

func (c *writeConn) note(err error) {
	if c.failed == nil {
		c.failed = err
	}
}

func (c *writeConn) row(ctx context.Context, query string, args ...any) Row {
	ctx = context.WithoutCancel(ctx)
	prepared, err := c.w.cached.get(ctx, query)
	if err != nil {
		return c.w.conn.QueryRowContext(ctx, query, args...)
	}
	return prepared.QueryRowContext(ctx, args...)
}
