package examples

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTheResumingExampleGoesOnWhereItsMachineWasTakenBack(t *testing.T) {
	t.Parallel()
	s := start(t, "--rate", "20") // of the two minutes between a notice and the end a few seconds are left
	script := filepath.Join(openFolder(t), "resume.sh")
	content, err := os.ReadFile("../../examples/jobs/resume.sh")
	if err != nil {
		t.Fatal(err)
	}
	write(t, script, string(content), 0o644)
	id, errs, err := s.run(t, "neap", "job", "submit", "--image", "host", "--customer", "c", "--region", "us-east-1", "--checkpoint", "--vcpus", "0.5", "--memory", "64", "--", "sh", script, "15")
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	id = strings.TrimSpace(id)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	follow := s.command(ctx, "neap", "job", "logs", "-f", id)
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said = append(said, lines.Text()); len(said) == 1 {
			if _, errs, err := s.run(t, "neap", "interrupt", s.show(t, id).Attempts[0].Host); err != nil {
				t.Fatalf("%v\n%s", err, errs)
			}
		}
	}
	if err := follow.Wait(); err != nil {
		t.Error(err)
	}
	j := s.show(t, id)
	if told := strings.Join(said, "\n"); j.State != "SUCCEEDED" || len(j.Attempts) < 2 || j.Attempts[0].Outcome != "preempted" ||
		!regexp.MustCompile(`(?s)^I go on behind 0\..*I go on behind [1-9]\d*\..*All 15 are done\.$`).MatchString(told) {
		t.Errorf("%+v said\n%s", j, told)
	}
}

// job is what `neap job show -o json` says.
type job struct {
	State    string
	Attempts []struct{ Host, Outcome string }
}

func (s server) show(t *testing.T, id string) (j job) {
	t.Helper()
	out, errs, err := s.run(t, "neap", "job", "show", id, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &j)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	return j
}
