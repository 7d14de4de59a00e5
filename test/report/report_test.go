package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stream makes lines of the stream from shorthand: "action package test | text".
func stream(lines ...string) string {
	var out strings.Builder
	for _, line := range lines {
		head, text, hasText := strings.Cut(line, " | ")
		words := append(strings.Fields(head), "", "")
		if words[0] == "raw" {
			out.WriteString(text + "\n")
			continue
		}
		out.WriteString(`{"Action":"` + words[0] + `","Package":"` + words[1] + `","Test":"` + words[2] + `"`)
		if hasText && words[0] == "output" {
			out.WriteString(`,"Output":"` + text + `\n"`)
		} else if hasText {
			out.WriteString(`,"Elapsed":` + text)
		}
		out.WriteString("}\n")
	}
	return out.String()
}

func TestReportCountsAndExplains(t *testing.T) {
	for _, c := range []struct {
		name   string
		lines  []string
		skips  string
		code   int
		wants  []string
		avoids []string
	}{
		{
			name:  "a package that passes shows go test's own line and the totals",
			lines: []string{"run p TestA", "output p TestA | noise", "pass p TestA | 1.5", "output p  | PASS", `output p  | ok  \tp\t1.6s`, "pass p  | 1.6"},
			wants: []string{"ok  \tp\t1.6s\n", "    1.50s  p  TestA\n", "\n1 passed, 0 failed, 0 skipped\n"}, avoids: []string{"noise", "PASS"},
		},
		{
			name:  "a failure is shown in full",
			lines: []string{"run p TestA", "output p TestA | === RUN   TestA", "output p TestA |     a_test.go:3: got 1", "output p TestA | --- FAIL: TestA (0.1s)", "fail p TestA | 0.1", `output p  | FAIL\tp\t0.2s`, "fail p  | 0.2"},
			code:  1, wants: []string{"    a_test.go:3: got 1\n--- FAIL: TestA (0.1s)\n", "FAIL\tp\t0.2s\n", "\n0 passed, 1 failed, 0 skipped\n"}, avoids: []string{"=== RUN"},
		},
		{
			name:  "a package that does not build counts as a failure",
			lines: []string{`raw | {"ImportPath":"p","Action":"build-output","Output":"a.go:1: syntax error\n"}`, `raw | {"ImportPath":"p","Action":"build-fail"}`, `output p  | FAIL\tp [build failed]`, "fail p  | 0"},
			code:  1, wants: []string{"a.go:1: syntax error\n", "[build failed]", "0 passed, 1 failed, 0 skipped"},
		},
		{
			name:  "a test that a panic cut short is failed, and its output shown",
			lines: []string{"run p TestA", "output p TestA | panic: oh", `output p  | FAIL\tp\t0.2s`, "fail p  | 0.2"},
			code:  1, wants: []string{"--- FAIL: TestA (did not end)\npanic: oh\n", "0 passed, 1 failed, 0 skipped"},
		},
		{
			name:  "a stream that ends early fails what was running",
			lines: []string{"run p TestA", "output p TestA | waiting"},
			code:  1, wants: []string{"waiting\n", "0 passed, 1 failed, 0 skipped"},
		},
		{
			name:  "skips are listed with their reasons, and allowed up to the number",
			lines: []string{"run p TestA", "output p TestA |     a_test.go:3: needs a server", "output p TestA | --- SKIP: TestA (0.0s)", "skip p TestA | 0", "run p TestB", "pass p TestB | 0", `output p  | ok  \tp\t0.1s`, "pass p  | 0.1"},
			skips: "# how many\n\n1 of them\n",
			wants: []string{"  p  TestA: a_test.go:3: needs a server\n", "1 passed, 0 failed, 1 skipped"},
		},
		{
			name:  "one skip too many fails the run",
			lines: []string{"run p TestA", "skip p TestA | 0", "run p TestB", "pass p TestB | 0"},
			skips: "0\n", code: 1, wants: []string{"p  TestA: no reason given", "1 tests were skipped, and only 0 may be.", "1 passed, 0 failed, 1 skipped"},
		},
		{
			name:  "nothing ran",
			lines: []string{`output p  | ?   \tp\t[no test files]`, "skip p  | 0"},
			code:  1, wants: []string{"?   \tp\t[no test files]\n", "No test ran.", "0 passed, 0 failed, 0 skipped"},
		},
		{
			name:  "what is not JSON is passed on",
			lines: []string{"raw | go: warning", `raw | {"a":1}`, "run p TestA", "pass p TestA | 0"},
			wants: []string{"go: warning\n", `{"a":1}`},
		},
		{
			name:   "parents are not listed among the slowest, their subtests are",
			lines:  []string{"run p TestA", "run p TestA/one", "pass p TestA/one | 2", "pass p TestA | 2"},
			wants:  []string{"2.00s  p  TestA/one\n", "2 passed"},
			avoids: []string{"p  TestA\n"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			allowed := ""
			if c.skips != "" {
				allowed = filepath.Join(t.TempDir(), "skips")
				if err := os.WriteFile(allowed, []byte(c.skips), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			code, err := run(strings.NewReader(stream(c.lines...)), &out, allowed, 0)
			if err != nil || code != c.code {
				t.Errorf("code %d, error %v; code %d expected", code, err, c.code)
			}
			for _, want := range c.wants {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, out.String())
				}
			}
			for _, avoid := range c.avoids {
				if strings.Contains(out.String(), avoid) {
					t.Errorf("%q is not wanted in\n%s", avoid, out.String())
				}
			}
		})
	}
}

func TestTheTotalsAreTheLastLine(t *testing.T) {
	var out strings.Builder
	if _, err := run(strings.NewReader(stream("run p TestA", "pass p TestA | 1")), &out, "", 0); err != nil {
		t.Fatal(err)
	}
	if got := lastLine(out.String()); got != "1 passed, 0 failed, 0 skipped\n" {
		t.Errorf("last line %q", got)
	}
}

func TestAnAllowanceThatIsNoNumberIsRefused(t *testing.T) {
	for _, content := range []string{"", "# only a comment\n", "many\n"} {
		name := filepath.Join(t.TempDir(), "skips")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, err := run(strings.NewReader(""), &strings.Builder{}, name, 0); err == nil || code != 1 {
			t.Errorf("%q: code %d, error %v", content, code, err)
		}
	}
	if _, err := run(strings.NewReader(""), &strings.Builder{}, filepath.Join(t.TempDir(), "none"), 0); err == nil {
		t.Error("a missing file passed")
	}
}

func TestAMachineThatLacksSomethingMaySkipThatManyMore(t *testing.T) {
	allowed := filepath.Join(t.TempDir(), "skips")
	if err := os.WriteFile(allowed, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := stream("run p TestA", "pass p TestA | 1", "run p TestB", "skip p TestB | 0")
	for more, want := range []int{1, 0} {
		if code, err := run(strings.NewReader(lines), &strings.Builder{}, allowed, more); err != nil || code != want {
			t.Errorf("%d more: code %d, %v; want %d", more, code, err, want)
		}
	}
}
