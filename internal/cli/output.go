package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/document"
	"github.com/neap-cloud/neap/internal/cli/suggest"
	"github.com/neap-cloud/neap/internal/cli/table"
)

const watchEvery = 2 * time.Second

// page is something to show: as JSON, or for people.
type page struct {
	raw  json.RawMessage
	text func(w io.Writer, wide bool) error
}

var formats = []string{"table", "wide", "json", "yaml"}

// print shows a page once, in the format that was asked for.
func (s *shell) print(cmd *cobra.Command, p page, known ...string) error {
	if err := s.checkOutput(known...); err != nil {
		return err
	}
	return s.write(cmd.OutOrStdout(), p)
}

// show fetches a page and prints it; with --watch again and again, until ctx ends or the server refuses.
func (s *shell) show(cmd *cobra.Command, fetch func(ctx context.Context) (page, error)) error {
	if err := s.checkOutput(); err != nil {
		return err
	}
	if !s.watch {
		p, err := fetch(cmd.Context())
		if err != nil {
			return err
		}
		return s.write(cmd.OutOrStdout(), p)
	}
	return s.follow(cmd, fetch)
}

// follow draws in place on a terminal and appends elsewhere. A server that does not answer is waited for: it may be restarting.
func (s *shell) follow(cmd *cobra.Command, fetch func(ctx context.Context) (page, error)) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	for first := true; ; first = false {
		var frame bytes.Buffer
		p, err := fetch(ctx)
		var silent *unreachable
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &silent):
			fmt.Fprintln(&frame, silent.Error())
		case err != nil:
			return err
		default:
			if err := s.write(&frame, p); err != nil {
				return err
			}
		}
		if _, err := out.Write(s.frame(frame.Bytes(), first)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.world.Clock.After(watchEvery):
		}
	}
}

// frame replaces what stands on a terminal line by line, so that nothing flickers; elsewhere an empty line parts the frames.
func (s *shell) frame(content []byte, first bool) []byte {
	const home, clear, restOfLine, restOfScreen = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"
	if !s.world.Terminal {
		if first {
			return content
		}
		return append([]byte("\n"), content...)
	}
	drawn := home + strings.ReplaceAll(string(content), "\n", restOfLine+"\n") + restOfScreen
	if first {
		drawn = clear + drawn
	}
	return []byte(drawn)
}

func (s *shell) checkOutput(known ...string) error {
	if len(known) == 0 {
		known = formats
	}
	if s.output == "" || slices.Contains(known, s.output) {
		return nil
	}
	return usagef("--output %q is none of %s%s", s.output, strings.Join(known, ", "), suggest.Clause(s.output, known))
}

func (s *shell) write(w io.Writer, p page) error {
	switch s.output {
	case "json":
		var indented bytes.Buffer
		if err := json.Indent(&indented, bytes.TrimSpace(p.raw), "", "  "); err != nil {
			return err
		}
		indented.WriteByte('\n')
		_, err := indented.WriteTo(w)
		return err
	case "yaml":
		return document.YAML(w, p.raw)
	}
	return p.text(w, s.output == "wide")
}

// list is the JSON array of items.
func list(items []json.RawMessage) (json.RawMessage, error) {
	if items == nil {
		items = []json.RawMessage{}
	}
	return json.Marshal(items)
}

// one is a page for a value of ours, shown to people as its members.
func one(value any) page {
	raw, err := json.Marshal(value)
	return page{raw: raw, text: func(w io.Writer, _ bool) error {
		if err != nil {
			return err
		}
		return document.Members(w, raw)
	}}
}

// column is one column of a table of T.
type column[T any] struct {
	head string
	wide bool // only with -o wide
	cell func(T) string
}

// writeTable aligns the rows under their heads.
func writeTable[T any](w io.Writer, wide bool, columns []column[T], rows []T) error {
	shown := make([]table.Column[T], len(columns))
	for n, c := range columns {
		shown[n] = table.Column[T]{Head: c.head, Wide: c.wide, Cell: c.cell}
	}
	return table.Write(w, wide, shown, rows)
}

// pair is one line of a description.
type pair struct{ name, value string }

// writePairs shows a thing's properties, one a line.
func writePairs(w io.Writer, pairs []pair) error {
	shown := make([]table.Pair, len(pairs))
	for n, p := range pairs {
		shown[n] = table.Pair{p.name, p.value}
	}
	return table.WritePairs(w, shown)
}

func oneLine(text string) string { return table.OneLine(text) }
