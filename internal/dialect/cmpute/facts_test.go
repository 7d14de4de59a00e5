package cmpute_test

import (
	"cmp"
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/cmpute"
	"github.com/neap-cloud/neap/internal/op"
)

var update = flag.Bool("update", false, "drop the operations that are built now from uncovered.txt")

const uncovered = "testdata/uncovered.txt"

func rows() []op.Row { return cmpute.Dialect(cmpute.Deps{}).Rows }

func lines(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// facts are the published operations by their number.
func facts(t *testing.T) map[string]op.Row {
	t.Helper()
	all := map[string]op.Row{}
	for _, line := range lines(t, "testdata/operations.tsv")[1:] {
		cells := strings.Split(line, "\t")
		if len(cells) != 5 {
			t.Fatalf("bad line %q", line)
		}
		all[cells[0]] = op.Row{Section: cells[1], Title: cells[2], Route: cells[3] + " " + cells[4]}
	}
	return all
}

func TestRowsAgreeWithTheFacts(t *testing.T) {
	all := facts(t)
	if len(all) != 33 {
		t.Fatalf("the table holds %d operations, want 33", len(all))
	}
	seen := map[int]bool{}
	for _, row := range rows() {
		if row.N == 0 {
			continue
		}
		published, known := all[strconv.Itoa(row.N)]
		if !known || row.Route != published.Route || row.Title != published.Title || row.Section != published.Section {
			t.Errorf("%s is %q (%s: %s), the facts say %q (%s: %s)", row.ID, row.Route, row.Section, row.Title, published.Route, published.Section, published.Title)
		}
		if seen[row.N] {
			t.Errorf("operation %d has two rows", row.N)
		}
		seen[row.N] = true
	}
	if !slices.IsSortedFunc(rows(), func(a, b op.Row) int { return cmp.Compare(a.N, b.N) }) {
		t.Error("sort the rows by N")
	}
}

// TestEveryFactIsBuiltOrListedAsUncovered keeps uncovered.txt honest. With -update it drops what is built; nothing adds to it.
func TestEveryFactIsBuiltOrListedAsUncovered(t *testing.T) {
	built := map[string]bool{}
	for _, row := range rows() {
		built[strconv.Itoa(row.N)] = true
	}
	listed := lines(t, uncovered)
	open := slices.DeleteFunc(slices.Clone(listed), func(n string) bool { return built[n] })
	if *update {
		if err := os.WriteFile(uncovered, []byte(strings.Join(open, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if len(open) < len(listed) {
		t.Errorf("%d operations are built that %s lists: drop them with -update", len(listed)-len(open), uncovered)
	}
	for n, published := range facts(t) {
		if !built[n] && !slices.Contains(listed, n) {
			t.Errorf("operation %s (%s) has no row and is not in %s, which may only shrink", n, published.Route, uncovered)
		}
	}
}

func TestNeedsSayWhetherTheyChangeSomething(t *testing.T) {
	for _, row := range rows() {
		_, action, _ := strings.Cut(row.Need, ":")
		reads := strings.HasPrefix(action, "describe") || strings.HasPrefix(action, "list") || strings.HasPrefix(action, "read")
		if reads == row.Mutates {
			t.Errorf("%s needs %s", row.ID, row.Need)
		}
	}
}
