package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// beginning reads one snapshot from begin to commit. A unit that changes a row which another changed meanwhile is refused and run again, so that, as on SQLite, what
// it read is still true when it commits what it made of it.
const beginning = "begin isolation level repeatable read"

// rollbackPatience bounds how long the end of a failed transaction is waited for, whose own context may have ended.
const rollbackPatience = 5 * time.Second

// pipeline is a transaction that goes to the server as seldom as it can: it begins with its first statement, and what is put off goes with the next statement
// whose answer is needed, or with the commit.
type pipeline struct {
	conn   *pgxpool.Conn
	dollar *placeholders
	begun  bool
	queue  []statement
	failed error // nothing more is done after it
}

func (p *pipeline) query(ctx context.Context, query string, args ...any) (rows, error) {
	query = p.dollar.rewrite(query, args)
	if p.isBare() {
		found, err := p.conn.Query(ctx, query, args...)
		return pgRows{found}, err
	}
	answers, err := p.send(ctx, query, args)
	if err != nil {
		return nil, err
	}
	found, err := answers.Query()
	return pgRows{endsBatch{found, answers}}, err
}

func (p *pipeline) row(ctx context.Context, query string, args ...any) Row {
	query = p.dollar.rewrite(query, args)
	if p.isBare() {
		return p.conn.QueryRow(ctx, query, args...)
	}
	answers, err := p.send(ctx, query, args)
	if err != nil {
		return noRow{err}
	}
	return onlyRow{answers}
}

func (p *pipeline) exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	query = p.dollar.rewrite(query, args)
	if p.isBare() {
		tag, err := p.conn.Exec(ctx, query, args...)
		return tag.RowsAffected(), err
	}
	answers, err := p.send(ctx, query, args)
	if err != nil {
		return 0, err
	}
	tag, err := answers.Exec()
	return tag.RowsAffected(), end(answers, err)
}

func (p *pipeline) later(_ context.Context, s statement) error {
	if p.failed == nil {
		p.queue = append(p.queue, s)
	}
	return p.failed
}

// isBare reports whether a statement goes to the server alone.
func (p *pipeline) isBare() bool { return p.failed == nil && p.begun && len(p.queue) == 0 }

// send hands over what was put off, and query after it unless that is empty. What it returns stands before the answer to query.
func (p *pipeline) send(ctx context.Context, query string, args []any) (pgx.BatchResults, error) {
	if p.failed != nil {
		return nil, p.failed
	}
	var batch pgx.Batch
	if !p.begun {
		batch.Queue(beginning)
	}
	for _, s := range p.queue {
		batch.Queue(p.dollar.rewrite(s.query, s.args), s.args...)
	}
	if query != "" {
		batch.Queue(query, args...)
	}
	answers := p.conn.SendBatch(ctx, &batch)
	if p.failed = p.read(ctx, answers); p.failed != nil {
		return nil, p.failed
	}
	return answers, nil
}

// read takes the answers to what was put off.
func (p *pipeline) read(ctx context.Context, answers pgx.BatchResults) error {
	if !p.begun {
		if _, err := answers.Exec(); err != nil {
			return end(answers, err)
		}
		p.begun = true
	}
	put := p.queue
	p.queue = nil
	for _, s := range put {
		tag, err := answers.Exec()
		if err != nil {
			return end(answers, err)
		}
		if changed := tag.RowsAffected(); s.changes != anyNumber && s.changes != changed {
			// What it says may need a look, for which the connection has to be free.
			if err := answers.Close(); err != nil {
				return err
			}
			return s.judge(ctx, changed)
		}
	}
	return nil
}

// end frees the connection for what follows. After err, which it would repeat, that is no news.
func end(answers pgx.BatchResults, err error) error {
	if closed := answers.Close(); err == nil {
		return closed
	}
	return err
}

// flush does what was put off.
func (p *pipeline) flush(ctx context.Context) error {
	if p.failed != nil || len(p.queue) == 0 {
		return p.failed
	}
	answers, err := p.send(ctx, "", nil)
	if err != nil {
		return err
	}
	return answers.Close()
}

// commit goes with what was put off, unless some of that may still end the transaction.
func (p *pipeline) commit(ctx context.Context) error {
	for _, s := range p.queue {
		if s.changes != anyNumber {
			if err := p.flush(ctx); err != nil {
				return err
			}
			break
		}
	}
	if p.failed != nil || !p.begun && len(p.queue) == 0 {
		return p.failed
	}
	answers, err := p.send(ctx, "commit", nil)
	if err != nil {
		return err
	}
	tag, err := answers.Exec()
	if err = end(answers, err); err == nil && tag.String() != "COMMIT" {
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// rollback ends what was not committed. When that fails, the pool drops the connection, and the server ends it.
func (p *pipeline) rollback() {
	conn := p.conn.Conn()
	if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackPatience)
	defer cancel()
	_, _ = conn.Exec(ctx, "rollback")
}

// endsBatch are the rows that end a batch.
type endsBatch struct {
	pgx.Rows
	batch pgx.BatchResults
}

func (r endsBatch) Close() {
	r.Rows.Close()
	_ = r.batch.Close() // its fault is that of the rows
}

// pgRows are rows as database/sql has them.
type pgRows struct{ pgx.Rows }

func (r pgRows) Close() error {
	r.Rows.Close()
	return nil
}

// onlyRow is the row that ends a batch.
type onlyRow struct{ batch pgx.BatchResults }

func (r onlyRow) Scan(into ...any) error {
	return end(r.batch, r.batch.QueryRow().Scan(into...))
}

// noRow stands for a row that could not be asked for.
type noRow struct{ err error }

func (r noRow) Scan(...any) error { return r.err }
