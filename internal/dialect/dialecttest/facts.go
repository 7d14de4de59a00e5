// Package dialecttest holds a dialect to its facts: the table of published operations, and samples of what they answer.
//
// It owns what the tests of several dialects share. It must not know any of them. Start reading at Facts and Samples.
package dialecttest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/op"
)

// Facts compares rows with testdata/operations.tsv both ways: each row is in the table, in its order, with the table's method and path, and each operation of the
// table has a row or stands in testdata/uncovered.txt. With update what is built is dropped from that file; nothing adds to it. Operations that the table numbers
// with letters ("x1") have rows without a number.
func Facts(t *testing.T, rows []op.Row, update bool) {
	t.Helper()
	const list = "testdata/uncovered.txt"
	byRoute, published := map[string]string{}, lines(t, "testdata/operations.tsv")[1:]
	for _, line := range published {
		cells := strings.Split(line, "\t")
		if len(cells) != 5 {
			t.Fatalf("bad line %q", line)
		}
		for method := range strings.SplitSeq(cells[3], "|") {
			byRoute[method+" "+cells[4]] = cells[0]
		}
	}
	built, numbers := map[string]bool{}, []int{}
	for _, row := range rows {
		n, known := byRoute[row.Route]
		if !known || row.N != 0 && fmt.Sprint(row.N) != n || row.N == 0 && !strings.HasPrefix(n, "x") {
			t.Errorf("%s has the number %d, but the facts number %q %q", row.ID, row.N, row.Route, n)
		}
		built[n] = true
		if row.N != 0 {
			numbers = append(numbers, row.N)
		}
	}
	if !slices.IsSorted(numbers) {
		t.Errorf("the rows do not stand in the order of the facts: %v", numbers)
	}
	var open []string
	for _, n := range lines(t, list) {
		if !built[n] {
			open = append(open, n)
		} else if !update {
			t.Errorf("operation %s is built: drop it from %s with -update", n, list)
		}
	}
	for _, line := range published {
		if n, _, _ := strings.Cut(line, "\t"); !built[n] && !slices.Contains(open, n) {
			t.Errorf("operation %s has no row and is not in %s, which may only shrink", n, list)
		}
	}
	if update && !t.Failed() {
		if err := os.WriteFile(list, []byte(strings.Join(open, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(content), func(c rune) bool { return c == '\n' })
}
