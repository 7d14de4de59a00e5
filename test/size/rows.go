package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tables is one of the two databases, seen as plain rows.
type tables struct {
	db       *sql.DB
	postgres bool
}

// databases opens Neap's own database and the simulated cloud's.
func databases(o options) (own, world tables, err error) {
	const settings = "?_pragma=busy_timeout(10000)&_txlock=immediate&_pragma=synchronous(OFF)"
	if world.db, err = sql.Open("sqlite", "file:"+o.world()+settings); err != nil {
		return own, world, err
	}
	if o.Database == "" {
		own.db, err = sql.Open("sqlite", "file:"+filepath.Join(o.Data, "neap.db")+settings)
		return own, world, err
	}
	own.postgres = true
	own.db, err = sql.Open("pgx", o.Database)
	return own, world, err
}

// world is the simulated cloud's file. No real cloud would be a guest in Neap's database, so this one is not either.
func (o options) world() string { return filepath.Join(o.Data, "sim.db") }

func (t tables) tx(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := work(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// copied is some rows of a table.
type copied struct {
	table   string
	columns []string
	rows    [][]any
}

func (t tables) read(ctx context.Context, tx *sql.Tx, table, where string) (c copied, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" WHERE "+where)
	if err != nil {
		return c, err
	}
	defer rows.Close()
	c.table = table
	if c.columns, err = rows.Columns(); err != nil {
		return c, err
	}
	for rows.Next() {
		values, into := make([]any, len(c.columns)), make([]any, len(c.columns))
		for n := range values {
			into[n] = &values[n]
		}
		if err := rows.Scan(into...); err != nil {
			return c, err
		}
		c.rows = append(c.rows, values)
	}
	return c, rows.Err()
}

// insert writes the rows with other names in every text, and with what change makes of a column.
func (t tables) insert(ctx context.Context, tx *sql.Tx, c copied, names *strings.Replacer, change func(column string, value any) any) error {
	for some := range slices.Chunk(c.rows, 20) {
		var values []any
		var marks []string
		for _, row := range some {
			var one []string
			for n, value := range row {
				if text, is := value.([]byte); is {
					value = string(text)
				}
				if text, is := value.(string); is {
					value = names.Replace(text)
				}
				if change != nil {
					value = change(c.columns[n], value)
				}
				values = append(values, value)
				one = append(one, t.mark(len(values)))
			}
			marks = append(marks, "("+strings.Join(one, ", ")+")")
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO "+c.table+" ("+strings.Join(c.columns, ", ")+") VALUES "+strings.Join(marks, ", "), values...); err != nil {
			return err
		}
	}
	return nil
}

func (t tables) mark(n int) string {
	if t.postgres {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}
