package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// reference writes the command tree down; docs/cli.md is its output.
func reference(root *cobra.Command) string {
	var out strings.Builder
	out.WriteString("# The command line\n\nThis page follows from the commands themselves: `go test ./internal/cli -update` writes it, and the test fails when it is out of date.\n\n" +
		"The client finds the server by `--url` or `NEAP_URL`, and its token by `--token`, `NEAP_TOKEN` or the file `admin-token` of the data folder.\n" +
		"Exit codes: 0 done, 1 refused or failed, 2 the command line or configuration is wrong; `neap job submit --wait` ends with that of its job.\n\n## Flags of every client command\n\n")
	writeFlags(&out, root.PersistentFlags())
	for _, child := range root.Commands() {
		describe(&out, child)
	}
	return out.String()
}

func describe(out *strings.Builder, cmd *cobra.Command) {
	if !cmd.IsAvailableCommand() || cmd.Name() == "completion" || cmd.Name() == "help" {
		return
	}
	if cmd.HasSubCommands() && cmd.Long != "" {
		fmt.Fprintf(out, "\n## `%s`\n\n%s\n", cmd.CommandPath(), cmd.Long)
	}
	if !cmd.HasSubCommands() {
		text := cmd.Long
		if text == "" {
			text = cmd.Short + "."
		}
		fmt.Fprintf(out, "\n## `%s`\n\n%s\n", strings.TrimSuffix(cmd.UseLine(), " [flags]"), text)
		if cmd.Example != "" {
			fmt.Fprintf(out, "\n```\n%s\n```\n", cmd.Example)
		}
		if cmd.LocalNonPersistentFlags().HasAvailableFlags() {
			out.WriteString("\n")
			writeFlags(out, cmd.LocalNonPersistentFlags())
		}
	}
	for _, child := range cmd.Commands() {
		describe(out, child)
	}
}

func writeFlags(out *strings.Builder, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(out, "- `%s`: %s", name, f.Usage)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" {
			fmt.Fprintf(out, " (default `%s`)", f.DefValue)
		}
		out.WriteString("\n")
	})
}

func TestTheReferencePageFollowsTheCommands(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "cli.md")
	want := []byte(reference(New(hooksOfTests())))
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; run the test with -update", file)
	}
}

func TestEveryCommandSaysWhatItDoes(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short text is %q", cmd.CommandPath(), cmd.Short)
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(New(hooksOfTests()))
}
