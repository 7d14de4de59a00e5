package store

import (
	"context"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// querier runs statements with ? placeholders on a connection, or on any of a pool.
type querier interface {
	query(ctx context.Context, query string, args ...any) (rows, error)
	row(ctx context.Context, query string, args ...any) Row
	// exec tells how many rows the statement changed.
	exec(ctx context.Context, query string, args ...any) (changed int64, err error)
	// later is an exec that need not be done before something follows on the connection, or the commit.
	later(ctx context.Context, s statement) error
}

// statement is a write whose outcome is known in advance: another one ends the transaction with what otherwise says.
type statement struct {
	query     string
	args      []any
	changes   int64                           // how many rows it has to change; anyNumber = no matter
	otherwise func(ctx context.Context) error // never nil, unless no matter
}

const anyNumber = -1

// run does it at once.
func (s *statement) run(ctx context.Context, conn querier) error {
	changed, err := conn.exec(ctx, s.query, s.args...)
	if err != nil {
		return err
	}
	return s.judge(ctx, changed)
}

// judge is the statement's fault, if it changed so many rows.
func (s *statement) judge(ctx context.Context, changed int64) error {
	if s.changes == anyNumber || s.changes == changed {
		return nil
	}
	return s.otherwise(ctx)
}

// Row is a row of an answer.
type Row interface{ Scan(into ...any) error }

// rows are an answer, as database/sql has it.
type rows interface {
	Row
	Next() bool
	Err() error
	Close() error
}

// selection is what a query reads of one table. Values never stand in its text, so that there are few texts and each is prepared once.
type selection struct {
	conn  querier
	table string
	where []string
	args  []any
	by    string // columns of GROUP BY; "" = none
}

// from begins a selection, narrowed to the scope.
func from(s Session, table string, sc Scope) *selection {
	sel := &selection{conn: s.session(), table: table}
	if !sc.all {
		sel.and("account = ?", sc.account)
	}
	return sel
}

func (s *selection) and(condition string, args ...any) {
	s.where, s.args = append(s.where, condition), append(s.args, args...)
}

// oneOf narrows to rows whose column has one of the values. A list is filled up to a round length with its first value, so that lengths make few texts.
func (s *selection) oneOf(column string, values []string) {
	switch len(values) {
	case 0:
		s.and("1 = 0")
	case 1:
		s.and(column+" = ?", values[0])
	default:
		round := 1 << bits.Len(uint(len(values)-1))
		s.and(column + " IN (?" + strings.Repeat(", ?", round-1) + ")")
		for n := range round {
			if n >= len(values) {
				n = 0
			}
			s.args = append(s.args, values[n])
		}
	}
}

func (s *selection) between(from, until time.Time) {
	if !from.IsZero() {
		s.and("at >= ?", ceilMicros(from))
	}
	if !until.IsZero() {
		s.and("at < ?", ceilMicros(until))
	}
}

// ceilMicros rounds up, so that a bound between two microseconds excludes what lies before it.
func ceilMicros(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

// query is the selection's text. order is "" or the columns of ORDER BY; limit ≤ 0 is none.
func (s *selection) query(columns, order string, limit int) string {
	var text strings.Builder
	text.WriteString("SELECT " + columns + " FROM " + s.table)
	if len(s.where) > 0 {
		text.WriteString(" WHERE " + strings.Join(s.where, " AND "))
	}
	if s.by != "" {
		text.WriteString(" GROUP BY " + s.by)
	}
	if order != "" {
		text.WriteString(" ORDER BY " + order)
	}
	if limit > 0 {
		text.WriteString(" LIMIT " + strconv.Itoa(limit))
	}
	return text.String()
}

func (s *selection) rows(ctx context.Context, columns, order string, limit int) (rows, error) {
	rows, err := s.conn.query(ctx, s.query(columns, order, limit), s.args...)
	if err != nil {
		return nil, failure(err)
	}
	return rows, nil
}
