// Package table writes things down for people: tables, and properties one a line.
//
// It owns alignment, and that no text can break a terminal. It must not know what the things are. Start reading at Write.
package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Column is one column of a table of T.
type Column[T any] struct {
	Head string
	Wide bool // only when the table is to be wide
	Cell func(T) string
}

// Write aligns the rows under their heads. Empty cells read "-", so that columns can be cut by programs.
func Write[T any](w io.Writer, wide bool, columns []Column[T], rows []T) error {
	columns = slices.DeleteFunc(slices.Clone(columns), func(c Column[T]) bool { return c.Wide && !wide })
	aligned := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cell func(c Column[T]) string) {
		cells := make([]string, len(columns))
		for i, c := range columns {
			if cells[i] = OneLine(cell(c)); cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(aligned, strings.Join(cells, "\t"))
	}
	line(func(c Column[T]) string { return c.Head })
	for _, row := range rows {
		line(func(c Column[T]) string { return c.Cell(row) })
	}
	return aligned.Flush()
}

// Pair is one line of a description: a name and a value.
type Pair [2]string

// WritePairs shows a thing's properties, one a line; those without a value are left out.
func WritePairs(w io.Writer, pairs []Pair) error {
	aligned := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		if p[1] != "" {
			fmt.Fprintf(aligned, "%s\t%s\n", p[0], OneLine(p[1]))
		}
	}
	return aligned.Flush()
}

// OneLine keeps text from breaking a table, or a terminal: control characters could move its cursor.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0:
			return -1
		}
		return r
	}, text)
}
