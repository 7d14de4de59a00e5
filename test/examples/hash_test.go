// Package examples runs what the folder examples shows, against the real binary: NEAP_BIN, or one that it builds. No network is needed.
package examples

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheHashingExampleRunsAJobForEachFileAndFindsTheSameSums(t *testing.T) {
	t.Parallel()
	s := start(t)
	folder := openFolder(t)
	for name, content := range map[string]string{"one.txt": "one\n", "with space.txt": strings.Repeat("again ", 5000), "$(name) 'quoted'.bin": "\x00\xff"} {
		write(t, filepath.Join(folder, name), content, 0o644)
	}
	out, errs, err := s.run(t, "../../examples/jobs/hash.sh", folder)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, errs)
	}
	for _, content := range []string{"one\n", strings.Repeat("again ", 5000), "\x00\xff"} {
		if sum := fmt.Sprintf("%.12s… same", fmt.Sprintf("%x", sha256.Sum256([]byte(content)))); !strings.Contains(out, sum) {
			t.Errorf("no line with %q", sum)
		}
	}
	for text, times := range map[string]int{"SUCCEEDED": 3, " same": 3, "DIFFERENT": 0, `"fleet"`: 1, `"idle"`: 1} {
		if got := strings.Count(out, text); got != times {
			t.Errorf("%d times %q, want %d", got, text, times)
		}
	}
	if !strings.Contains(errs, "3 of 3 done") {
		t.Error("nothing tells how far the jobs are")
	}
	if t.Failed() {
		t.Logf("%s\n%s", out, errs)
	}
}

func TestTheHashingExampleSaysWhatToDoAboutFilesThatJobsCannotRead(t *testing.T) {
	t.Parallel()
	s := start(t)
	folder := openFolder(t)
	write(t, filepath.Join(folder, "closed.txt"), "closed", 0)
	out, errs, err := s.run(t, "../../examples/jobs/hash.sh", folder)
	if err == nil || !strings.Contains(errs, "cannot read "+folder+"/closed.txt") || !strings.Contains(errs, "--job-user") {
		t.Errorf("%v\n%s\n%s", err, out, errs)
	}
}
