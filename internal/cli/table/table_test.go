package table

import (
	"strings"
	"testing"
)

func TestATableIsAlignedAndNoTextBreaksIt(t *testing.T) {
	var out strings.Builder
	columns := []Column[string]{
		{Head: "NAME", Cell: func(s string) string { return s }},
		{Head: "EMPTY", Cell: func(string) string { return "" }},
		{Head: "MORE", Wide: true, Cell: func(string) string { return "x" }},
	}
	if err := Write(&out, false, columns, []string{"a\x1b[2J\nb", "longer than that"}); err != nil {
		t.Fatal(err)
	}
	want := "NAME              EMPTY\na[2J b            -\nlonger than that  -\n"
	if out.String() != want {
		t.Errorf("%q, not %q", out.String(), want)
	}
}

func TestOnlyPropertiesWithAValueAreShown(t *testing.T) {
	var out strings.Builder
	if err := WritePairs(&out, []Pair{{"state", "running"}, {"ended", ""}, {"author", "ada"}}); err != nil || out.String() != "state   running\nauthor  ada\n" {
		t.Errorf("%v: %q", err, out.String())
	}
}
