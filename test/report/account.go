package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// slowest is how many of the slowest tests are listed.
const slowest = 10

// result is one test and how it ended.
type result struct {
	pkg, name string
	seconds   float64
	output    strings.Builder
	ended     bool
	isParent  bool // its time is that of its subtests
}

// account is what is known of all packages so far.
type account struct {
	out     io.Writer
	running map[string]*result // by package and test
	order   map[string][]string
	text    map[string]*strings.Builder // of packages, outside any test
	timed   []*result
	skipped []*result
	broken  map[string]bool // packages with a failed test

	passed, failed int
}

func newAccount(out io.Writer) *account {
	return &account{out: out, running: map[string]*result{}, order: map[string][]string{}, text: map[string]*strings.Builder{}, broken: map[string]bool{}}
}

func (a *account) take(e event) {
	switch {
	case e.Action == "build-output":
		fmt.Fprint(a.out, e.Output)
	case e.Action == "build-fail", e.Action == "start":
	case e.Test == "":
		a.takePackage(e)
	default:
		a.takeTest(e)
	}
}

func (a *account) takeTest(e event) {
	key := e.Package + " " + e.Test
	r := a.running[key]
	if r == nil {
		r = &result{pkg: e.Package, name: e.Test}
		a.running[key] = r
		a.order[e.Package] = append(a.order[e.Package], key)
		if parent, _, ok := cutLast(e.Test); ok {
			if above := a.running[e.Package+" "+parent]; above != nil {
				above.isParent = true
			}
		}
	}
	switch e.Action {
	case "output":
		r.output.WriteString(e.Output)
		return
	case "pass":
		a.passed++
	case "fail":
		a.fail(r)
	case "skip":
		a.skipped = append(a.skipped, r)
	default: // run, pause, cont
		return
	}
	r.ended, r.seconds = true, e.Elapsed
	a.timed = append(a.timed, r)
}

func (a *account) fail(r *result) {
	a.failed++
	a.broken[r.pkg] = true
	for _, line := range strings.SplitAfter(r.output.String(), "\n") {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(a.out, line)
		}
	}
}

func (a *account) takePackage(e event) {
	text := a.text[e.Package]
	if text == nil {
		text = &strings.Builder{}
		a.text[e.Package] = text
	}
	switch e.Action {
	case "output":
		text.WriteString(e.Output)
	case "pass", "skip":
		fmt.Fprint(a.out, lastLine(text.String()))
		a.forget(e.Package)
	case "fail":
		a.interrupted(e.Package)
		if !a.broken[e.Package] {
			// No test is to blame: it did not build, or ended outside of any test.
			a.failed++
		}
		fmt.Fprint(a.out, text.String())
		a.forget(e.Package)
	}
}

// interrupted fails the tests that a panic, an exit or a time-out left without an end.
func (a *account) interrupted(pkg string) {
	for _, key := range a.order[pkg] {
		if r := a.running[key]; !r.ended {
			fmt.Fprintf(a.out, "--- FAIL: %s (did not end)\n", r.name)
			a.fail(r)
			r.ended = true
		}
	}
}

// forget lets go of what only mattered while the package ran.
func (a *account) forget(pkg string) {
	for _, key := range a.order[pkg] {
		delete(a.running, key)
	}
	delete(a.order, pkg)
	delete(a.text, pkg)
}

// close writes the end of the account and gives the exit code.
func (a *account) close(allowed int) int {
	var unended []string
	for pkg := range a.order {
		unended = append(unended, pkg)
	}
	slices.Sort(unended)
	for _, pkg := range unended {
		a.interrupted(pkg)
	}
	a.writeSlowest()
	a.writeSkipped()
	verdict := 0
	if a.failed > 0 {
		verdict = 1
	}
	if a.passed+a.failed == 0 {
		fmt.Fprintln(a.out, "\nNo test ran.")
		verdict = 1
	}
	if allowed != unlimited && len(a.skipped) > allowed {
		fmt.Fprintf(a.out, "\n%d tests were skipped, and only %d may be.\n", len(a.skipped), allowed)
		verdict = 1
	}
	fmt.Fprintf(a.out, "\n%d passed, %d failed, %d skipped\n", a.passed, a.failed, len(a.skipped))
	return verdict
}

func (a *account) writeSlowest() {
	leaves := slices.DeleteFunc(slices.Clone(a.timed), func(r *result) bool { return r.isParent || r.seconds == 0 })
	slices.SortStableFunc(leaves, func(x, y *result) int {
		if x.seconds != y.seconds {
			return map[bool]int{true: -1, false: 1}[x.seconds > y.seconds]
		}
		return strings.Compare(x.pkg+x.name, y.pkg+y.name)
	})
	if len(leaves) == 0 {
		return
	}
	fmt.Fprintln(a.out, "\nSlowest tests")
	for _, r := range leaves[:min(slowest, len(leaves))] {
		fmt.Fprintf(a.out, "%8.2fs  %s  %s\n", r.seconds, r.pkg, r.name)
	}
}

func (a *account) writeSkipped() {
	if len(a.skipped) == 0 {
		return
	}
	fmt.Fprintln(a.out, "\nSkipped")
	for _, r := range a.skipped {
		fmt.Fprintf(a.out, "  %s  %s: %s\n", r.pkg, r.name, reason(r.output.String()))
	}
}

// reason is what a skipped test said, without the go command's own lines.
func reason(output string) string {
	var said []string
	for _, line := range strings.Split(output, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// lastLine is the verdict that ends a package's output: "ok …" or "? …".
func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndex(text, "\n")+1:] + "\n"
}

// cutLast parts a subtest's name from its parent's.
func cutLast(test string) (parent, name string, ok bool) {
	i := strings.LastIndex(test, "/")
	if i < 0 {
		return "", test, false
	}
	return test[:i], test[i+1:], true
}
