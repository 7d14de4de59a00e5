package main

import (
	"context"
	"database/sql"
	"net/url"
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
	if o.Database == "" {
		const settings = "?_pragma=busy_timeout(10000)&_txlock=immediate&_pragma=synchronous(OFF)"
		if own.db, err = sql.Open("sqlite", "file:"+filepath.Join(o.Data, "neap.db")+settings); err != nil {
			return own, world, err
		}
		world.db, err = sql.Open("sqlite", "file:"+filepath.Join(o.Data, "sim.db")+settings)
		return own, world, err
	}
	own.postgres, world.postgres = true, true
	if own.db, err = sql.Open("pgx", o.Database); err != nil {
		return own, world, err
	}
	address, err := url.Parse(o.Database)
	if err != nil {
		return own, world, err
	}
	options := address.Query()
	options.Set("search_path", "sim")
	address.RawQuery = options.Encode()
	world.db, err = sql.Open("pgx", address.String())
	return own, world, err
}

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
