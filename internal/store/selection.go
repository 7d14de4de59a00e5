package store

import (
	"context"
	"database/sql"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// querier runs statements with ? placeholders on a connection, or on any of a pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// selection is what a query reads of one table. Values never stand in its text, so that there are few texts and each is prepared once.
type selection struct {
	conn  querier
	table string
	where []string
	args  []any
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
	if order != "" {
		text.WriteString(" ORDER BY " + order)
	}
	if limit > 0 {
		text.WriteString(" LIMIT " + strconv.Itoa(limit))
	}
	return text.String()
}

func (s *selection) rows(ctx context.Context, columns, order string, limit int) (*sql.Rows, error) {
	rows, err := s.conn.QueryContext(ctx, s.query(columns, order, limit), s.args...)
	if err != nil {
		return nil, failure(err)
	}
	return rows, nil
}
