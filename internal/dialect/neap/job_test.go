package neap

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/runtime"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func shown(t *testing.T, view any) string {
	t.Helper()
	text, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAJobIsShownWithEverythingButItsSecrets(t *testing.T) {
	j := batch.Job{
		ID: "3892fea6-df92-11e9-9d97-f2a54137d40c", Account: "act-1", State: batch.Succeeded, Author: "u-1", RetryOf: "other", SubmittedAt: noon, StartedAt: noon.Add(time.Minute), StoppedAt: noon.Add(2 * time.Minute),
		Lane: capacity.Lane{Account: "act-1", Cloud: "aws", Region: "us-east-1", Queue: "spot"},
		Submission: batch.Submission{
			Customer: "lightning", Class: "Transcode_23", Cloud: "aws", Region: "us-east-1", Image: "host", Command: []string{"echo", "hi"},
			Env: map[string]string{"KEY": "canary-env"}, UserData: "canary-user-data", Tags: map[string]any{"team": "media"},
			Resources: runtime.Resources{MilliCPU: 1500, MemoryMiB: 512, GPUs: 1}, Priority: batch.Low, Timeout: 90 * time.Second, Expected: time.Minute, Deadline: noon.Add(time.Hour), Checkpoint: true,
		},
		Attempts: []batch.Attempt{{N: 1}, {N: 2}},
	}
	got := shown(t, fromJob(j))
	want := `{"id":"3892fea6-df92-11e9-9d97-f2a54137d40c","class":"Transcode_23","customer":"lightning","kind":"container","cloud":"aws","region":"us-east-1","queue":"spot","priority":"LOW",` +
		`"image":"host","command":["echo","hi"],"resources":{"vcpus":1.5,"memory":512,"gpu":1},"tags":{"team":"media"},"timeout":90,"deadline":"2026-03-01T13:00:00Z","expected":60,"checkpoint":true,` +
		`"state":"SUCCEEDED","author":"u-1","retryOf":"other","submittedAt":"2026-03-01T12:00:00Z","startedAt":"2026-03-01T12:01:00Z","stoppedAt":"2026-03-01T12:02:00Z","attemptCount":2}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	j = batch.Job{Submission: batch.Submission{AMI: "ami-1", Queue: "asked"}, State: batch.Rejected, Reason: "There is no such queue."}
	for _, says := range []string{`"kind":"instance"`, `"queue":"asked"`, `"reason":"There is no such queue."`} {
		if got := shown(t, fromJob(j)); !strings.Contains(got, says) || strings.Contains(got, "startedAt") {
			t.Errorf("%s lacks %s", got, says)
		}
	}
}

func TestAnAttemptTellsWhereItRanAndHowItEnded(t *testing.T) {
	got := shown(t, fromAttempt(batch.Attempt{
		N: 2, Runtime: "process", Machine: "a", Host: "i-1", Type: "c5.large", Zone: "us-east-1a", Group: "sig-1", Part: 500_000_000, At: noon, StartedAt: noon, EndedAt: noon.Add(time.Second),
		Outcome: "failed", Reason: "It left with 3.", Exit: &runtime.Exit{Code: 137, Signal: "KILL", OutOfMemory: true}, Limits: "cgroup v2", Lines: 7,
	}))
	want := `{"n":2,"runtime":"process","machine":"a","host":"i-1","type":"c5.large","zone":"us-east-1a","group":"sig-1","share":0.5,"at":"2026-03-01T12:00:00Z","startedAt":"2026-03-01T12:00:00Z",` +
		`"endedAt":"2026-03-01T12:00:01Z","outcome":"failed","reason":"It left with 3.","exit":{"code":137,"signal":"KILL","outOfMemory":true},"limits":"cgroup v2","lines":7}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := shown(t, fromAttempt(batch.Attempt{N: 1, Runtime: "docker", At: noon})); strings.Contains(got, "exit") || strings.Contains(got, "endedAt") {
		t.Errorf("one that goes on: %s", got)
	}
	lines := shown(t, fromLines([]output.Line{{Attempt: 1, N: 9, At: noon, Stream: "stderr", Text: "x", Dropped: 3}}))
	if lines != `[{"attempt":1,"n":9,"at":"2026-03-01T12:00:00Z","stream":"stderr","text":"x","dropped":3}]` {
		t.Errorf("lines: %s", lines)
	}
}

func TestEveryStateCanBeAskedFor(t *testing.T) {
	for _, s := range []batch.State{
		batch.Submitted, batch.Pending, batch.Runnable, batch.Starting, batch.Running, batch.Succeeded, batch.Failed, batch.TimedOut, batch.Cancelled, batch.Rejected,
	} {
		if !isState(s) {
			t.Errorf("%s is unknown", s)
		}
	}
	if isState("") || isState("DONE") {
		t.Error("anything is a state")
	}
}

// yard is where queues are kept, and a keeper of rights who knows one caller.
type yard struct {
	mu     sync.Mutex
	queues []capacity.Queue
}

func (y *yard) Queues(_ context.Context, account string) ([]capacity.Queue, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	var found []capacity.Queue
	for _, q := range y.queues {
		if q.Account == account {
			found = append(found, q)
		}
	}
	return found, nil
}

func (y *yard) PutQueue(_ context.Context, q capacity.Queue) (capacity.Queue, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	q.Created = noon
	y.queues = append(y.queues, q)
	return q, nil
}

func (y *yard) DropQueue(_ context.Context, lane capacity.Lane) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	before := len(y.queues)
	y.queues = slices.DeleteFunc(y.queues, func(q capacity.Queue) bool { return q.Lane == lane })
	if len(y.queues) == before {
		return fault.Missing("queue", lane.Queue)
	}
	return nil
}

func (y *yard) Authenticate(context.Context, op.Credential) (op.Caller, error) {
	return op.Caller{Organisation: "o", Subject: "u", Default: "act-1", Rights: y}, nil
}
func (y *yard) Authorize(op.Deed) error { return nil }

func (y *yard) ask(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	server, err := op.Mount(op.Config{Dialects: []op.Dialect{Dialect(Deps{Queues: y})}, Authenticator: y})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestQueuesAreMadeListedAndRemoved(t *testing.T) {
	y := &yard{}
	const low = `{"cloud":"aws","region":"us-east-1","queue":"arn:aws:batch:us-east-1:1:job-queue/low","lifecycle":"on-demand","types":["c5.large"],"most":{"vcpus":64.5,"memory":1024,"gpu":2},"created":"2026-03-01T12:00:00Z"}`
	if status, got := y.ask(t, "PUT", "/neap/v1/job-queues", low); status != 200 || got != low {
		t.Errorf("%d %s", status, got)
	}
	if status, got := y.ask(t, "PUT", "/neap/v1/job-queues", `{"cloud":"aws","region":"us-east-1","queue":"bulk","lifecycle":"spot"}`); status != 200 || strings.Contains(got, "most") {
		t.Errorf("%d %s", status, got)
	}
	if q := y.queues[0]; q.Account != "act-1" || q.Lifecycle != "on-demand" || q.Most != (runtime.Resources{MilliCPU: 64_500, MemoryMiB: 1024, GPUs: 2}) {
		t.Errorf("%+v", q)
	}
	if status, got := y.ask(t, "GET", "/neap/v1/job-queues", ""); status != 200 || !strings.HasPrefix(got, `{"items":[`+low+`,{"cloud":"aws"`) {
		t.Errorf("%d %s", status, got)
	}
	const where = "/neap/v1/job-queues?cloud=aws&region=us-east-1&queue=arn:aws:batch:us-east-1:1:job-queue/low"
	for n, want := range []int{200, 404} {
		if status, got := y.ask(t, "DELETE", where, ""); status != want {
			t.Errorf("deletion %d: %d %s", n+1, status, got)
		}
	}
	if _, got := y.ask(t, "GET", "/neap/v1/job-queues?accountId=act-2", ""); got != `{"items":[]}` {
		t.Errorf("of another account: %s", got)
	}
}

func TestWhatIsAskedOfJobsWronglyIsRefusedByName(t *testing.T) {
	y := &yard{}
	for _, c := range []struct{ method, path, body, says string }{
		{"PUT", "/neap/v1/job-queues", `{}`, `"field":"lifecycle"`},
		{"PUT", "/neap/v1/job-queues", `{"cloud":"aws","region":"us-east-1","queue":"q","lifecycle":"cheap"}`, `"field":"lifecycle"`},
		{"PUT", "/neap/v1/job-queues", `{"cloud":"aws","region":"us-east-1","queue":"q","lifecycle":"spot","most":{"vcpus":-1}}`, `"field":"most.vcpus"`},
		{"DELETE", "/neap/v1/job-queues?cloud=aws&region=us-east-1", "", `"field":"queue"`},
		{"POST", "/neap/v1/jobs", `{"customer":"c","cloud":"aws","region":"us-east-1","id":"x"}`, `"field":"image"`},
		{"POST", "/neap/v1/jobs", `{"customer":"c","cloud":"aws","region":"us-east-1","image":"host"}`, `"field":"id"`},
		{"GET", "/neap/v1/jobs?state=DONE", "", `"field":"state"`},
		{"GET", "/neap/v1/jobs?since=yesterday", "", `"field":"since"`},
		{"GET", "/neap/v1/jobs?limit=0", "", `"field":"limit"`},
		{"GET", "/neap/v1/job-costs", "", `"field":"from"`},
		{"GET", "/neap/v1/job-costs?from=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "", `"field":"until"`},
	} {
		if status, got := y.ask(t, c.method, c.path, c.body); status != http.StatusBadRequest || !strings.Contains(got, c.says) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, got)
		}
	}
}
