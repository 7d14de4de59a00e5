package spot_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/dialect/spot/setup"
	"github.com/neap-cloud/neap/internal/op"
)

var update = flag.Bool("update", false, "drop the operations that are built now from uncovered.txt")

// rows are those of all products.
func rows() []op.Row {
	return spot.Dialect(elastigroup.Product(elastigroup.Deps{}), setup.Product(setup.Deps{})).Rows
}

// fact is a published operation.
type fact struct {
	n            int
	method, path string
}

func facts(t *testing.T) map[int]fact {
	t.Helper()
	all := map[int]fact{}
	for _, line := range lines(t, "testdata/operations.tsv")[1:] {
		cells := strings.Split(line, "\t")
		n, err := strconv.Atoi(cells[0])
		if err != nil || len(cells) != 5 {
			t.Fatalf("bad line %q", line)
		}
		all[n] = fact{n, cells[3], cells[4]}
	}
	return all
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

func TestRowsAgreeWithTheFacts(t *testing.T) {
	all := facts(t)
	if len(all) != 342 {
		t.Fatalf("the table holds %d operations, want 342", len(all))
	}
	seen := map[int]bool{}
	for _, row := range rows() {
		if row.N == 0 {
			continue
		}
		published, known := all[row.N]
		switch {
		case !known:
			t.Errorf("%s: the facts have no operation %d", row.ID, row.N)
		case row.Route != published.method+" "+published.path:
			t.Errorf("%s is %q, the facts say %q", row.ID, row.Route, published.method+" "+published.path)
		case seen[row.N]:
			t.Errorf("operation %d has two rows", row.N)
		}
		seen[row.N] = true
	}
}

func TestRowsStandInTheOrderOfTheFacts(t *testing.T) {
	inTable := slices.DeleteFunc(rows(), func(r op.Row) bool { return r.N == 0 })
	if !slices.IsSortedFunc(inTable, func(a, b op.Row) int { return cmp.Compare(a.N, b.N) }) {
		t.Error("sort the rows by N")
	}
	if slices.ContainsFunc(rows()[:len(inTable)], func(r op.Row) bool { return r.N == 0 }) {
		t.Error("rows that are not in the table stand among those that are")
	}
}

// TestEveryFactIsBuiltOrListedAsUncovered keeps uncovered.txt honest. With -update it drops what is built; nothing adds to it.
func TestEveryFactIsBuiltOrListedAsUncovered(t *testing.T) {
	const file = "testdata/uncovered.txt"
	built := map[int]bool{}
	for n, published := range facts(t) { // what the table lists twice is one row
		built[n] = slices.ContainsFunc(rows(), func(r op.Row) bool { return r.N != 0 && r.Route == published.method+" "+published.path })
	}
	var open []string
	listed := map[int]bool{}
	for _, line := range lines(t, file) {
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatalf("bad line %q in %s", line, file)
		}
		listed[n] = true
		if built[n] {
			if !*update {
				t.Errorf("operation %d is built: drop it from %s with -update", n, file)
			}
			continue
		}
		open = append(open, line)
	}
	for n, published := range facts(t) {
		if !built[n] && !listed[n] {
			t.Errorf("operation %d (%s %s) has no row and is not in %s, which may only shrink", n, published.method, published.path, file)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(fmt.Sprintln(strings.Join(open, "\n"))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRowsBeyondTheTableAgreeWithTheExtraFacts holds what clients use, or newer descriptions have, to its own table.
func TestRowsBeyondTheTableAgreeWithTheExtraFacts(t *testing.T) {
	published := map[string]bool{}
	for _, line := range lines(t, "testdata/operations-extra.tsv")[1:] {
		cells := strings.Split(line, "\t")
		if len(cells) != 5 {
			t.Fatalf("bad line %q", line)
		}
		published[cells[3]+" "+cells[4]] = false
	}
	for _, row := range rows() {
		seen, known := published[row.Route]
		switch {
		case row.N != 0:
		case !known:
			t.Errorf("%s: the extra facts have no %q", row.ID, row.Route)
		case seen:
			t.Errorf("%q has two rows", row.Route)
		}
		if row.N == 0 {
			published[row.Route] = true
		}
	}
	for route, built := range published {
		if !built {
			t.Errorf("%q has no row", route)
		}
	}
}
