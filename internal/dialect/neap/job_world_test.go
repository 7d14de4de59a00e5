package neap

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/cli"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
)

// talking is a runtime whose every task has written three lines by the time anybody looks.
type talking struct{ *batchtest.Instant }

func (r talking) Tasks(ctx context.Context, ids []string) ([]runtime.Task, error) {
	tasks, err := r.Instant.Tasks(ctx, ids)
	for i := range tasks {
		tasks[i].Lines = 3
	}
	return tasks, err
}

func (talking) Output(_ context.Context, _ string, after int64, limit int) (lines []runtime.Line, err error) {
	for n := after + 1; n <= 3 && len(lines) < limit; n++ {
		lines = append(lines, runtime.Line{N: n, At: noon.Add(time.Duration(n) * time.Second), Stream: "stdout", Text: fmt.Sprint("line ", n)})
	}
	return lines, nil
}

// unsealed keeps secrets where a test would find them.
type unsealed struct{}

func (unsealed) Seal(plain []byte, _ string) ([]byte, error) { return plain, nil }
func (unsealed) Open(plain []byte, _ string) ([]byte, error) { return plain, nil }

// works is Neap's dialect over a room that runs jobs.
type works struct {
	*testing.T
	*httptest.Server
	tasks *batchtest.Instant
	clock *clock.Manual
}

func open(t *testing.T) works {
	t.Helper()
	db, now := storetest.Memory(t), clock.NewManual(noon)
	tasks, err := batchtest.NewInstant(filepath.Join(t.TempDir(), "tasks"))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := workflow.New(workflow.Config{DB: db, Clock: now, Log: slog.New(slog.DiscardHandler), Replica: "here", Lease: time.Second, Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	room := batch.New(batch.Config{
		DB: db, Clock: now, Workflow: engine, Ledger: ledger.New(ledger.Config{DB: db, Clock: now}), Seal: unsealed{}, Machine: "here", Log: slog.New(slog.DiscardHandler),
		Capacity: &batchtest.Fixed{Machines: 1, Each: runtime.Resources{MilliCPU: 2000, MemoryMiB: 8192}}, Output: &output.Collector{Book: &output.Book{DB: db}},
		Simulated: func(context.Context, string) (bool, error) { return true, nil }, Hosted: []runtime.Runtime{talking{tasks}},
	})
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	if err := engine.Start(ctx); err != nil {
		t.Fatal(err)
	}
	engine.Beside(room.Run)
	server, err := op.Mount(op.Config{Dialects: []op.Dialect{Dialect(Deps{Batch: room, Queues: &yard{}})}, Authenticator: &yard{}})
	if err != nil {
		t.Fatal(err)
	}
	w := works{t, httptest.NewServer(server), tasks, now}
	t.Cleanup(func() {
		w.Close()
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := engine.Stop(stop); err != nil {
			t.Error(err)
		}
		end()
		if err := tasks.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// ask answers with the body as text, and as T.
func ask[T any](w works, status int, method, path, body string, headers ...string) (answer T, text string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := w.Client().Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		w.Fatalf("%s %s: %d, not %d: %s %v", method, path, res.StatusCode, status, raw, err)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &answer); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return answer, string(raw)
}

func job(command string) string {
	return `{"customer":"lightning","cloud":"aws","region":"us-east-1","id":"Transcode_23","image":"host","command":[` + command + `],"env":{"KEY":"canary-env"},"resources":{"vcpus":1.5,"memory":512}}`
}

// ends waits for a job's end.
func (w works) ends(id string) jobView {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if j, _ := ask[jobView](w, 200, "GET", "/neap/v1/jobs/"+id, ""); j.State.Final() {
			return j
		}
	}
	w.Fatalf("job %s does not end", id)
	return jobView{}
}

func TestAJobIsSubmittedRunReadAndRetried(t *testing.T) {
	w := open(t)
	made, _ := ask[jobView](w, 200, "POST", "/neap/v1/jobs", job(`"exit","3"`), "Idempotency-Key: once")
	if same, _ := ask[jobView](w, 200, "POST", "/neap/v1/jobs", job(`"exit","3"`), "Idempotency-Key: once"); same.ID != made.ID {
		t.Errorf("the same key made %s and %s", made.ID, same.ID)
	}
	j := w.ends(made.ID)
	if j.State != batch.Failed || len(j.Attempts) != 1 || j.Attempts[0].Exit == nil || j.Attempts[0].Exit.Code != 3 || j.Attempts[0].Host == "" || j.Cost == nil || j.Author != "u" {
		t.Errorf("%+v", j)
	}
	logs, _ := ask[page[lineView]](w, 200, "GET", "/neap/v1/jobs/"+j.ID+"/logs?limit=2", "")
	rest, _ := ask[page[lineView]](w, 200, "GET", "/neap/v1/jobs/"+j.ID+"/logs?after="+logs.Next, "")
	if len(logs.Items) != 2 || logs.Next == "" || len(rest.Items) != 1 || rest.Items[0].Text != "line 3" || rest.Next != "" {
		t.Errorf("%+v, then %+v", logs, rest)
	}
	if tail, _ := ask[page[lineView]](w, 200, "GET", "/neap/v1/jobs/"+j.ID+"/logs?tail=1&attempt=1", ""); len(tail.Items) != 1 || tail.Items[0].N != 3 || tail.Next == "" {
		t.Errorf("%+v", tail)
	}
	told, _ := ask[page[transitionView]](w, 200, "GET", "/neap/v1/jobs/"+j.ID+"/history", "")
	if n := len(told.Items); n < 3 || told.Items[n-1].To != batch.Failed {
		t.Errorf("%+v", told)
	}
	for _, path := range []string{"/neap/v1/jobs", "/neap/v1/jobs/" + j.ID, "/neap/v1/jobs/" + j.ID + "/history", "/neap/v1/jobs?costs=true"} {
		if _, text := ask[any](w, 200, "GET", path, ""); strings.Contains(text, "canary-env") {
			t.Errorf("%s shows the environment: %s", path, text)
		}
	}
	ask[any](w, http.StatusConflict, "POST", "/neap/v1/jobs/"+j.ID+"/cancel", "")
	again, _ := ask[jobView](w, 200, "POST", "/neap/v1/jobs/"+j.ID+"/retry", "")
	if again.RetryOf != j.ID || w.ends(again.ID).State != batch.Failed {
		t.Errorf("%+v", again)
	}
	failed, _ := ask[page[jobView]](w, 200, "GET", "/neap/v1/jobs?state=failed&customer=lightning&class=Transcode_23&region=us-east-1&costs=true&since=2026-03-01T11:00:00Z", "")
	if len(failed.Items) != 2 || failed.Items[0].Cost == nil {
		t.Errorf("%+v", failed)
	}
	if none, _ := ask[page[jobView]](w, 200, "GET", "/neap/v1/jobs?state=running", ""); len(none.Items) != 0 {
		t.Errorf("%+v", none)
	}
	ask[any](w, 404, "GET", "/neap/v1/jobs/none/logs/follow", "")
	ask[any](w, 400, "GET", "/neap/v1/jobs/"+j.ID+"/logs?after=x", "")
}

func TestAJobIsFollowedWhileItRunsToItsEndAndWithoutRepetition(t *testing.T) {
	w := open(t)
	made, _ := ask[jobView](w, 200, "POST", "/neap/v1/jobs", job(`"hold"`))
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/neap/v1/jobs/"+made.ID+"/logs/follow", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	res, err := w.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	finished, cursor := false, ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if id, is := strings.CutPrefix(lines.Text(), "id: "); is {
			cursor = id
		}
		if !finished && strings.Contains(text.String(), "line 3") { // which came while it runs
			finished = true
			for _, task := range w.tasks.Running() {
				if _, err := w.tasks.Finish(task, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	got := text.String()
	if !finished || strings.Count(got, "line 3") != 1 || !strings.HasSuffix(got, "event: end\ndata: {\"state\":\"SUCCEEDED\"}\n\n") || !strings.HasPrefix(got, ": open\n\n") {
		t.Errorf("%q", got)
	}
	if _, again := ask[any](w, 200, "GET", "/neap/v1/jobs/"+made.ID+"/logs/follow", "", "Last-Event-ID: "+cursor); strings.Contains(again, "line") || !strings.Contains(again, "event: end") {
		t.Errorf("behind the end: %q", again)
	}
}

// neap runs a command line against the works.
func (w works) neap(args ...string) (code int, out, errs string) {
	var written, said strings.Builder
	code = cli.Run(w.Context(), cli.Hooks{}, cli.World{
		In: strings.NewReader(""), Out: &written, Err: &said, Environ: []string{"NEAP_URL=" + w.URL, "NEAP_TOKEN=x"}, Clock: clock.Wall{},
	}, args)
	return code, written.String(), said.String()
}

func TestTheCommandLineSubmitsWaitsFollowsAndExplains(t *testing.T) {
	w := open(t)
	where := []string{"job", "submit", "--image", "host", "--customer", "lightning", "--region", "us-east-1", "--vcpus", "0.1"}
	code, id, errs := w.neap(append(where, "--wait", "--env", "KEY=canary-env", "--", "exit", "7")...)
	if id = strings.TrimSpace(id); code != 7 || len(id) != 36 || !strings.Contains(errs, "Job "+id+" has FAILED") {
		t.Fatalf("%d %q %q", code, id, errs)
	}
	code, ids, errs := w.neap(append(where, "--wait", "--many", "25", "--", "true")...)
	if code != 0 || strings.Count(ids, "\n") != 25 || !strings.Contains(errs, "25 of 25 done") {
		t.Errorf("%d %q %q", code, ids, errs)
	}
	if code, out, errs := w.neap("logs", "-f", id[:20]); code != 0 || out != "line 1\nline 2\nline 3\n" || !strings.Contains(errs, "FAILED") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	for _, c := range []struct{ args, says string }{
		{"job explain " + id, "Attempt 1, on "}, {"job explain " + id, "exit code 7"}, {"job show " + id, "FAILED"}, {"job list --limit 30 -o wide", "host true"},
		{"job list --state failed", id}, {"job retry " + id, "runs again as "}, {"job queues", "No named queues"}, {"job explain -o json " + id, `"history"`},
	} {
		if code, out, errs := w.neap(strings.Fields(c.args)...); code != 0 || !strings.Contains(out, c.says) || strings.Contains(out, "canary-env") {
			t.Errorf("%s: %d %q %q", c.args, code, out, errs)
		}
	}
	if code, _, errs := w.neap("job", "cancel", id); code != 1 || errs == "" {
		t.Errorf("an ended job is cancelled: %d %q", code, errs)
	}
}

func TestAWaitingJobTellsHowManyAreAheadAndIsCancelled(t *testing.T) {
	w := open(t)
	var last jobView
	for range 4 { // of which one has room, and three wait
		w.clock.Advance(time.Second)
		last, _ = ask[jobView](w, 200, "POST", "/neap/v1/jobs", job(`"hold"`))
	}
	for end := time.Now().Add(20 * time.Second); ; <-time.After(5 * time.Millisecond) {
		j, _ := ask[jobView](w, 200, "GET", "/neap/v1/jobs/"+last.ID, "")
		if j.State == batch.Runnable && j.Ahead != nil && *j.Ahead == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", j)
		}
	}
	if j, _ := ask[jobView](w, 200, "POST", "/neap/v1/jobs/"+last.ID+"/cancel", ""); j.State != batch.Cancelled {
		t.Errorf("%+v", j)
	}
	if lanes, _ := ask[page[laneView]](w, 200, "GET", "/neap/v1/job-costs?from=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z", ""); lanes.Items == nil {
		t.Error("no list of costs")
	}
}
