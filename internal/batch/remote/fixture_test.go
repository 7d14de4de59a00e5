package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// batches is a small cloud with queues of its own: jobs stand as the test moves them. It is as unkind as a cloud may be: it shows a job only some time after it was
// submitted, and loses calls on the way there or back.
type batches struct {
	cloud.Provider // it can nothing else
	clock          *clock.Manual

	mu     sync.Mutex
	queues []cloud.JobQueue
	jobs   []*made
	calls  map[string]int
	ahead  map[string][]error // what goes wrong with the next calls, by name
	hang   chan struct{}      // calls in this channel's region wait for its end
	hangs  string
}

// made is a job and what it wrote.
type made struct {
	cloud.Job
	spec   cloud.JobSpec
	region string
	lines  []cloud.JobLine
	hidden time.Time // until when it is not shown
	purged bool
}

const settle = time.Minute

var errLost = errors.New("the connection broke")

// lostAfter lets a call take effect, and loses its answer.
type lostAfter struct{ error }

func (b *batches) Info() cloud.Info { return cloud.Info{Name: "aws", Settle: settle} }

func (b *batches) For(context.Context, string) (cloud.Provider, error) { return b, nil }

// call counts a call, and says what goes wrong with it.
func (b *batches) call(ctx context.Context, name, region string) (before, after error) {
	b.mu.Lock()
	b.calls[name]++
	hang := b.hang
	if region != b.hangs {
		hang = nil
	}
	next := b.ahead[name]
	if len(next) > 0 {
		b.ahead[name] = next[1:]
		if lost, is := errors.AsType[lostAfter](next[0]); is {
			after = lost
		} else {
			before = next[0]
		}
	}
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	return cmp.Or(ctx.Err(), before), after
}

// fail makes things go wrong with the next calls.
func (b *batches) fail(name string, errs ...error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead[name] = append(b.ahead[name], errs...)
}

func (b *batches) count() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	made := maps.Clone(b.calls)
	clear(b.calls)
	return made
}

func (b *batches) JobQueues(ctx context.Context, region string, names []string) (found []cloud.JobQueue, err error) {
	if err, _ := b.call(ctx, "JobQueues", region); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.queues {
		if names == nil || slices.Contains(names, q.Name) {
			found = append(found, q)
		}
	}
	return found, nil
}

func (b *batches) SubmitJob(ctx context.Context, region string, spec cloud.JobSpec) (string, error) {
	before, after := b.call(ctx, "SubmitJob", region)
	if before != nil {
		return "", before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	j := &made{
		Job:  cloud.Job{ID: fmt.Sprintf("job-%d", len(b.jobs)), Token: spec.Token, State: cloud.JobWaiting, Created: now},
		spec: spec, region: region,
	}
	if after != nil {
		j.hidden = now.Add(submitWithin + settle) // it came as late as it could, and was shown as late
	}
	b.jobs = append(b.jobs, j)
	return j.ID, after
}

func (b *batches) Jobs(ctx context.Context, q cloud.JobQuery) (found []cloud.Job, err error) {
	if err, _ := b.call(ctx, "Jobs", q.Region); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		isMeant := slices.Contains(q.IDs, j.ID) || q.Token != "" && j.Token == q.Token && j.spec.Queue == q.Queue
		if isMeant && j.region == q.Region && !j.purged && !b.clock.Now().Before(j.hidden) {
			found = append(found, j.Job)
		}
	}
	return found, nil
}

func (b *batches) EndJob(ctx context.Context, region, id, reason string) error {
	before, after := b.call(ctx, "EndJob", region)
	if before != nil {
		return before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if j.ID == id && j.region == region && j.State != cloud.JobEnded {
			j.State, j.End, j.Reason, j.Ended = cloud.JobEnded, cloud.JobKilled, reason, b.clock.Now()
		}
	}
	return after
}

func (b *batches) JobOutput(ctx context.Context, region, output, cursor string, limit int) (page []cloud.JobLine, next string, err error) {
	if err, _ := b.call(ctx, "JobOutput", region); err != nil {
		return nil, "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &n); err != nil {
			return nil, "", err
		}
	}
	for _, j := range b.jobs {
		if j.Output == output && n < len(j.lines) {
			page = j.lines[n:min(n+limit, len(j.lines))]
		}
	}
	return page, fmt.Sprint(n + len(page)), nil
}

// job is the one job of a task.
func (b *batches) job(t testing.TB, token string) *made {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []*made
	for _, j := range b.jobs {
		if j.Token == token {
			found = append(found, j)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d jobs of %s", len(found), token)
	}
	return found[0]
}

func (b *batches) begin(t testing.TB, token string) {
	t.Helper()
	j := b.job(t, token)
	b.mu.Lock()
	defer b.mu.Unlock()
	j.State, j.Started, j.Output = cloud.JobRunning, b.clock.Now(), "log/"+j.ID
}

func (b *batches) write(t testing.TB, token string, texts ...string) {
	t.Helper()
	j := b.job(t, token)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range texts {
		j.lines = append(j.lines, cloud.JobLine{At: b.clock.Now(), Text: text})
	}
}

func (b *batches) end(t testing.TB, token string, end cloud.JobEnd, code int, reason string) {
	t.Helper()
	j := b.job(t, token)
	b.mu.Lock()
	defer b.mu.Unlock()
	j.State, j.End, j.Ended, j.Reason = cloud.JobEnded, end, b.clock.Now(), reason
	if end == cloud.JobExited {
		j.Code = &code
	}
}

// world is a runtime over such a cloud, with a database that outlives it.
type world struct {
	t testing.TB
	*Runtime
	cloud *batches
	clock *clock.Manual
	db    *store.DB
}

func begin(t testing.TB) *world {
	c := clock.NewManual(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	w := &world{t: t, clock: c, db: storetest.Memory(t), cloud: newBatches(c)}
	w.restart()
	return w
}

func newBatches(c *clock.Manual) *batches {
	return &batches{clock: c, calls: map[string]int{}, ahead: map[string][]error{}, queues: []cloud.JobQueue{
		{Name: "low", State: cloud.JobQueueOpen}, {Name: "off", State: cloud.JobQueueClosed}, {Name: "pods", State: cloud.JobQueueUnfit, Reason: "it runs pods on Kubernetes"},
	}}
}

// restart forgets what a process remembers.
func (w *world) restart() {
	w.Runtime = New(Config{DB: w.db, Clouds: w.cloud, Catalog: catalog.AWS(), Installation: "inst-1", Clock: w.clock})
}

func spec(id string) runtime.Spec {
	return runtime.Spec{
		ID: id, Image: "library/alpine:3", Command: []string{"true"}, Env: map[string]string{"TOKEN": "s3cret"}, Resources: runtime.Resources{MilliCPU: 1500},
		Labels: map[string]string{"neap.class": "a#b"}, Place: runtime.Place{Account: "acc", Cloud: "aws", Region: "us-east-1", Queue: "low"},
	}
}

func (w *world) start(id string) {
	w.t.Helper()
	if err := w.Start(w.t.Context(), spec(id)); err != nil {
		w.t.Fatal(err)
	}
}

// task is how a task stands; false when it is not known.
func (w *world) task(id string) (runtime.Task, bool) {
	w.t.Helper()
	found, err := w.Tasks(w.t.Context(), []string{id})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(found) == 0 {
		return runtime.Task{}, false
	}
	return found[0], true
}

func (w *world) is(id string, state runtime.State) runtime.Task {
	w.t.Helper()
	t, _ := w.task(id)
	if t.State != state {
		w.t.Fatalf("%s is %+v, want %s", id, t, state)
	}
	return t
}

// over lets so much time pass that an end is told.
func (w *world) over(id string) runtime.Task {
	w.t.Helper()
	w.task(id)
	w.clock.Advance(lateOutput)
	t, _ := w.task(id)
	return t
}

func (w *world) output(id string, after int64, limit int) string {
	w.t.Helper()
	lines, err := w.Output(w.t.Context(), id, after, limit)
	if err != nil {
		w.t.Fatal(err)
	}
	var texts []string
	for n, line := range lines {
		if line.N != after+int64(n)+1 || line.Stream != "stdout" {
			w.t.Errorf("%+v at place %d behind %d", line, n, after)
		}
		texts = append(texts, line.Text)
	}
	return strings.Join(texts, " ")
}
