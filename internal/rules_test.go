package internal_test

import (
	"fmt"
	"strings"
	"testing"
)

// Each rule of the house is shown one file that it must let pass and one that it must refuse, so that no rule is there for show.
func TestRulesObjectToWhatTheyAreFor(t *testing.T) {
	long := strings.Repeat("\n", longestFile+1)
	body := strings.Repeat("\tprintln()\n", longestFunction)
	methods := ""
	for i := range widestInterface + 1 {
		methods += fmt.Sprintf("\tM%d()\n", i)
	}
	for _, c := range []struct {
		name  string
		rule  rule
		file  string
		fine  string
		wrong string
	}{
		{"a long file", tooLong, "internal/x/x.go", "package x\n", "package x\n" + long},
		{"a long function", longFunctions, "internal/x/x.go", "package x\nfunc f() {\n}\n", "package x\nfunc f() {\n" + body + "}\n"},
		{"a wide interface", wideInterfaces, "internal/x/x.go", "package x\ntype I interface{ M() }\n", "package x\ntype I interface {\n" + methods + "}\n"},
		{"a silent package", silentPackages, "internal/x/x.go", "// Package x owns x.\npackage x\n", "package x\n"},
		{"a vague package", vagueNames, "internal/x/x.go", "package x\n", "package util\n"},
		{"a vague file", vagueNames, "internal/x/x.go", "package x\n", ""},
		{"init", initFunctions, "internal/x/x.go", "package x\ntype t int\nfunc (t) init() {}\n", "package x\nfunc init() {}\n"},
		{"an undocumented name", undocumented, "internal/x/x.go", "package x\n\n// F does.\nfunc F() {}\nfunc g() {}\n", "package x\nfunc F() {}\n"},
		{"an undocumented method", undocumented, "internal/x/x.go", "package x\ntype t int\nfunc (*t) F() {}\n", "package x\n// T is.\ntype T[E any] int\nfunc (*T[E]) F() {}\n"},
		{"a constant without a type", undocumented, "internal/x/x.go", "package x\n// K is.\ntype K string\nconst A K = \"a\"\n", "package x\n// K is.\ntype K string\nconst A = \"a\"\n"},
		{"a documented group", undocumented, "internal/x/x.go", "package x\n// The sizes.\nconst (\n\tA = 1\n\tB = 2\n)\n", "package x\nconst (\n\tA = 1\n\tB = 2\n)\n"},
		{"a sleeping test", sleepingTests, "internal/x/x_test.go",
			"package x\nfunc TestX(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }\n", "package x\nfunc TestX(t *testing.T) { time.Sleep(1) }\n"},
		{"a silent skip", silentSkips, "internal/x/x_test.go", "package x\nfunc TestX(t *testing.T) { t.Skip(\"no server\") }\n", "package x\nfunc TestX(t *testing.T) { t.Skip() }\n"},
		{"a foreign setting", foreignAssignments, "internal/x/x.go",
			"package x\nimport \"net/http\"\nfunc f() { var http struct{ A int }; http.A = 1 }\n", "package x\nimport \"net/http\"\nfunc f() { http.DefaultClient = nil }\n"},
	} {
		if c.name == "a vague file" {
			if found := c.rule(example(t, map[string]string{"internal/x/helpers.go": c.fine})); len(found) == 0 {
				t.Errorf("%s passed", c.name)
			}
			continue
		}
		if found := c.rule(example(t, map[string]string{c.file: c.fine})); len(found) > 0 {
			t.Errorf("%s: the right way is refused: %v", c.name, found)
		}
		if found := c.rule(example(t, map[string]string{c.file: c.wrong})); len(found) == 0 {
			t.Errorf("%s passed", c.name)
		}
	}
}

func TestComplexityCountsEveryFork(t *testing.T) {
	forks := strings.Repeat("\tif a && b {\n\t}\n", complexFunction)
	var files strings.Builder
	files.WriteString("package x\nvar a, b = true, true\nfunc f0() {\n" + forks + "}\n")
	for i := range smallSample {
		fmt.Fprintf(&files, "func g%d() {\n%s}\n", i, map[bool]string{true: forks}[i < complexPerMille*smallSample/1000])
	}
	if found := tooComplex(example(t, map[string]string{"internal/x/x.go": files.String()})); len(found) != 1 {
		t.Errorf("%d findings, 1 expected", len(found))
	}
}

func TestPackageVariablesOfTheAllowedFormsPass(t *testing.T) {
	const fine = `package x

import (
	"embed"
	"errors"
	"regexp"
	"sync"
)

//go:embed data
var data embed.FS

var (
	ErrGone   = errors.New("gone")
	errOther  = &wrongError{}
	words     = []string{"a", "b"}
	table     = map[string]int{"a": 1}
	pattern   = regexp.MustCompile("a")
	once      = sync.OnceValue(func() int { return 1 })
	groups    = collection[int]{table: "groups"}
	_ any     = 1
)

func f(words map[string]int) {
	words["a"] = 1
	table := map[string]int{}
	table["b"] = 2
	delete(table, "b")
	for i := range words { _ = i }
}
`
	if found := mutableVariables(example(t, map[string]string{"internal/x/x.go": fine})); len(found) > 0 {
		t.Errorf("refused: %v", found)
	}
}

func TestPackageVariablesThatCanChangeAreFound(t *testing.T) {
	for name, wrong := range map[string]string{
		"set later":            "package x\nvar a int\n",
		"mutex":                "package x\nimport \"sync\"\nvar a = sync.Mutex{}\n",
		"counter":              "package x\nimport \"sync/atomic\"\nvar a = atomic.Int64{}\n",
		"metric":               "package x\nimport \"github.com/prometheus/client_golang/prometheus\"\nvar a = prometheus.NewCounter()\n",
		"channel":              "package x\nvar a = make(chan int)\n",
		"pointer":              "package x\nvar a = &thing{}\n",
		"assigned":             "package x\nvar a = 1\nfunc f() { a = 2 }\n",
		"incremented":          "package x\nvar a = 1\nfunc f() { a++ }\n",
		"element":              "package x\nvar a = []int{1}\nfunc f() { a[0] = 2 }\n",
		"member":               "package x\nvar a = thing{}\nfunc f() { a.b.c = 2 }\n",
		"deleted from":         "package x\nvar a = map[int]int{}\nfunc f() { delete(a, 1) }\n",
		"pointed to":           "package x\nvar a = thing{}\nfunc f() { use(&a) }\n",
		"ranged into":          "package x\nvar a = 1\nfunc f() { for a = range 3 {} }\n",
		"assigned beside := x": "package x\nvar a = 1\nfunc f() { x := 1; a, x = 2, 3; _ = x }\n",
	} {
		if found := mutableVariables(example(t, map[string]string{"internal/x/x.go": wrong})); len(found) == 0 {
			t.Errorf("%s passed", name)
		}
	}
	elsewhere := map[string]string{"internal/x/a.go": "package x\nvar a = 1\n", "internal/x/b.go": "package x\nfunc f() { a = 2 }\n"}
	if found := mutableVariables(example(t, elsewhere)); len(found) != 1 {
		t.Errorf("a write from another file: %d findings, 1 expected", len(found))
	}
}
