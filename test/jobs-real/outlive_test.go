package jobsreal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// counter writes its process and a number, line by line, until there is a file; then it ends with 7.
func counter(class, end string) map[string]any {
	return document(class, `n=0; echo pids $$ $PPID; while ! test -e `+end+`; do n=$((n+1)); echo "$$ $n"; sleep 0.02; done; exit 7`)
}

// counted holds what a counter wrote to one process that counted from 1 on, and tells how far it came.
func counted(t *testing.T, lines []line) (last int) {
	t.Helper()
	process := ""
	for i, l := range lines {
		if l.N != int64(i+1) || l.Dropped != 0 || l.Attempt != 1 {
			t.Fatalf("line %d is %+v", i+1, l)
		}
		pid, number, _ := strings.Cut(l.Text, " ")
		if pid == "pids" {
			continue
		}
		if process == "" {
			process = pid
		}
		n, err := strconv.Atoi(number)
		if err != nil || n != last+1 || pid != process {
			t.Fatalf("%q comes after %d of the process %s", l.Text, last, process)
		}
		last = n
	}
	return last
}

// outlive ends Neap in every way while jobs run, and some of their supervisors.
func outlive(t *testing.T, n *neap) {
	end := filepath.Join(n.folder, "end")
	finish := func() {
		if err := os.WriteFile(end, nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(finish) // whatever fails, no job is left
	again := func(class string) map[string]any {
		return document(class, `echo pids $$ $PPID; while ! test -e `+end+`; do sleep 0.05; done`)
	}
	counting, ending := n.submit(t, counter("counts", end)), n.submit(t, document("ends meanwhile", `echo pids $$ $PPID; while ! test -e `+filepath.Join(n.folder, "meanwhile")+`; do sleep 0.05; done; echo last words; exit 9`))
	orphaned, twice := n.submit(t, again("orphaned")), n.submit(t, again("orphaned meanwhile"))
	supervised := map[string][]int{}
	for _, id := range []string{counting, ending, orphaned, twice} {
		supervised[id] = pids(t, n.words(t, id, 1, "pids "))
	}

	t.Log("the supervisor of a job is killed")
	killSupervisor(t, supervised[orphaned][1])
	n.words(t, orphaned, 2, "pids ")

	t.Log("Neap is killed; meanwhile a job ends, and a supervisor is killed")
	cursor, seen := n.follow(t, counting, "", 20)
	n.kill(t)
	if err := os.WriteFile(filepath.Join(n.folder, "meanwhile"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	killSupervisor(t, supervised[twice][1])
	until(t, "the job has ended", func() bool { return len(living(supervised[ending])) == 0 })
	n.start(t)
	if j := n.ended(t, ending, "FAILED", 1); j.code() != 9 {
		t.Errorf("%+v", j)
	}
	n.words(t, ending, 1, "last words")
	n.words(t, twice, 2, "pids ")
	before := n.goesOn(t, counting, len(seen), supervised[counting])

	t.Log("Neap is stopped")
	n.stop(t)
	n.start(t)
	n.goesOn(t, counting, before, supervised[counting])

	more := make(chan []line)
	go func() {
		_, lines := n.follow(t, counting, cursor, 0)
		more <- lines
	}()
	finish()
	if j := n.ended(t, counting, "FAILED", 1); j.code() != 7 {
		t.Errorf("%+v", j)
	}
	all := n.lines(t, counting)
	counted(t, all)
	if seen = append(seen, <-more...); fmt.Sprint(seen) != fmt.Sprint(all) {
		t.Errorf("followed across the kill: %d lines, not these %d", len(seen), len(all))
	}
	for id, attempts := range map[string]int{orphaned: 2, twice: 2} {
		if j := n.ended(t, id, "SUCCEEDED", attempts); j.Attempts[0].Outcome != "lost" {
			t.Errorf("%+v", j)
		}
	}
}

// goesOn waits until a counter has written more than so many lines, in the process that it always was.
func (n *neap) goesOn(t *testing.T, id string, than int, process []int) (lines int) {
	t.Helper()
	until(t, "the job goes on", func() bool {
		lines = len(n.lines(t, id))
		return lines > than+20
	})
	counted(t, n.lines(t, id))
	if len(living(process)) != len(process) || n.status(t, id) != "RUNNING" {
		t.Errorf("of %v there are %v, and the job is %s", process, living(process), n.status(t, id))
	}
	return lines
}

// killSupervisor kills a process, having made sure that it is one beside a job.
func killSupervisor(t *testing.T, pid int) {
	t.Helper()
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(command), "task-shim") {
		t.Fatalf("%d is no supervisor: %q %v", pid, command, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// follow reads lines behind a cursor as they come: to the end of the job, or enough of them.
func (n *neap) follow(t *testing.T, id, after string, enough int) (cursor string, lines []line) {
	r, err := http.NewRequestWithContext(t.Context(), "GET", n.url()+"/neap/v1/jobs/"+id+"/logs/follow", nil)
	if err != nil {
		t.Error(err)
		return "", nil
	}
	r.Header.Set("Authorization", "Bearer "+n.token)
	r.Header.Set("Last-Event-ID", after)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return "", nil
	}
	defer answer.Body.Close()
	texts, name := bufio.NewScanner(answer.Body), ""
	texts.Buffer(nil, 1<<24)
	for texts.Scan() {
		text := texts.Text()
		if id, is := strings.CutPrefix(text, "id: "); is {
			cursor = id
		}
		if event, is := strings.CutPrefix(text, "event: "); is {
			name = event
		}
		if data, is := strings.CutPrefix(text, "data: "); is {
			var event struct{ Items []line }
			if err := json.Unmarshal([]byte(data), &event); err != nil {
				t.Errorf("%v in %s", err, data)
			}
			lines = append(lines, event.Items...)
		}
		if text == "" && (name == "end" || enough > 0 && len(lines) >= enough) {
			return cursor, lines
		}
	}
	t.Errorf("the stream broke off after %d lines: %v", len(lines), texts.Err())
	return cursor, lines
}

func followed(t *testing.T, n *neap) {
	id := n.submit(t, document("followed", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.1; done"))
	cursor, some := n.follow(t, id, "", 3)
	_, rest := n.follow(t, id, cursor, 0)
	if all := n.lines(t, id); len(all) != 9 || len(some) >= 9 || fmt.Sprint(append(some, rest...)) != fmt.Sprint(all) {
		t.Errorf("%+v, then %+v", some, rest)
	}
}

// cli runs one command line of the real binary.
func (n *neap) cli(t *testing.T, arguments ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // no command may outlive the test
	defer cancel()
	command := exec.CommandContext(ctx, n.binary, arguments...)
	command.Env = append(os.Environ(), "NEAP_URL="+n.url(), "NEAP_TOKEN="+n.token)
	raw, err := command.CombinedOutput()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	return string(raw), command.ProcessState.ExitCode()
}
