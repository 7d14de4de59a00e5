package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func operationColumns() []column[Operation] {
	return []column[Operation]{
		{head: "DIALECT", cell: func(o Operation) string { return o.Dialect }},
		{head: "ID", cell: func(o Operation) string { return o.ID }},
		{head: "METHOD", cell: func(o Operation) string { return o.Method }},
		{head: "PATH", cell: func(o Operation) string { return o.Path }},
		{head: "NEED", cell: func(o Operation) string { return o.Need }},
		{head: "N", cell: func(o Operation) string {
			if o.N == 0 {
				return ""
			}
			return number(o.N)
		}},
		{head: "CHANGES", wide: true, cell: func(o Operation) string {
			if o.Mutates {
				return "yes"
			}
			return "no"
		}},
		{head: "TITLE", wide: true, cell: func(o Operation) string { return o.Title }},
	}
}

func (s *shell) operations() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operations",
		Short: "List every operation of this build (no server needed)",
		Long:  "List every operation of this build (no server needed).\n\nWith -o tsv: dialect, id, method, path, permission and row of the dialect's facts table, tab-separated under one line of heads.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows := s.hooks.Operations()
			if s.output == "tsv" {
				return writeTSV(cmd.OutOrStdout(), rows)
			}
			if rows == nil {
				rows = []Operation{}
			}
			raw, err := json.Marshal(rows)
			if err != nil {
				return err
			}
			return s.print(cmd, page{raw: raw, text: func(w io.Writer, wide bool) error {
				return writeTable(w, wide, operationColumns(), rows)
			}}, "table", "wide", "tsv", "json", "yaml")
		},
	}
	withoutClientFlags(cmd)
	return cmd
}

// writeTSV is a stable form for programs: heads in lower case, the same six columns in every release.
func writeTSV(w io.Writer, rows []Operation) error {
	var out strings.Builder
	out.WriteString("dialect\tid\tmethod\tpath\tneed\tn\n")
	for _, o := range rows {
		fmt.Fprintf(&out, "%s\t%s\t%s\t%s\t%s\t%d\n", o.Dialect, o.ID, o.Method, o.Path, o.Need, o.N)
	}
	_, err := io.WriteString(w, out.String())
	return err
}
