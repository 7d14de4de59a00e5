package remote

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// hears lets time pass until a watcher is told of a task.
func (w *world) hears(told <-chan []string, id string) {
	w.t.Helper()
	for range 500 {
		w.clock.Advance(polled)
		select {
		case ids, open := <-told:
			if !open {
				w.t.Fatal("the watch is over")
			}
			if slices.Contains(ids, id) {
				return
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
	w.t.Fatalf("nobody tells of %s", id)
}

func TestWatchTellsOfTheBeginningOfOutputAndOfTheEnd(t *testing.T) {
	w := begin(t)
	other := New(Config{DB: w.db, Clouds: w.cloud, Clock: w.clock})
	ctx, cancel := context.WithCancel(t.Context())
	told, elsewhere := w.Watch(ctx), other.Watch(ctx)
	w.start("a.1")
	w.cloud.begin(t, "a.1")
	w.hears(told, "a.1")
	w.hears(elsewhere, "a.1")
	w.is("a.1", runtime.Running)
	w.cloud.write(t, "a.1", "one")
	w.hears(told, "a.1")
	if said := w.is("a.1", runtime.Running); said.Lines != 1 {
		t.Errorf("%+v", said)
	}
	w.cloud.end(t, "a.1", cloud.JobExited, 0, "")
	for said, is := w.task("a.1"); said.State != runtime.Ended; said, is = w.task("a.1") {
		if !is {
			t.Fatal("it is gone")
		}
		w.hears(told, "a.1")
	}
	w.hears(elsewhere, "a.1") // whichever of them saw it
	cancel()
	for range told {
	}
	for range elsewhere {
	}
}

func TestNothingIsAskedWhileNoTaskLives(t *testing.T) {
	w := begin(t)
	ctx, cancel := context.WithCancel(t.Context())
	told := w.Watch(ctx)
	for range 10 {
		w.clock.Advance(polled)
	}
	if calls := w.cloud.count(); len(calls) != 0 {
		t.Errorf("%v", calls)
	}
	w.start("a.1") // wakes it up
	w.cloud.begin(t, "a.1")
	w.hears(told, "a.1")
	cancel()
	for range told {
	}
}

func TestARegionThatHangsHoldsUpNoOther(t *testing.T) {
	w := begin(t)
	far := spec("far.1")
	far.Place.Region = "eu-west-1"
	if err := w.Start(t.Context(), far); err != nil {
		t.Fatal(err)
	}
	w.start("near.1")
	w.cloud.mu.Lock()
	w.cloud.hang, w.cloud.hangs = make(chan struct{}), "eu-west-1"
	w.cloud.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	told := w.Watch(ctx)
	w.cloud.begin(t, "near.1")
	w.hears(told, "near.1")
	w.cloud.write(t, "near.1", "more")
	w.hears(told, "near.1")
	w.is("near.1", runtime.Running)
	cancel()
	for range told {
	}
}

// TestNoTaskIsEverTwoJobs lets two replicas work on the same tasks while calls get lost either way, processes die, and time passes: whatever is told of a task holds,
// and no task is ever two jobs.
func TestNoTaskIsEverTwoJobs(t *testing.T) {
	db, checks := storetest.Memory(t), 0
	rapid.Check(t, func(r *rapid.T) {
		c := clock.NewManual(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
		w := &world{t: t, clock: c, db: db, cloud: newBatches(c)}
		replicas := make([]*Runtime, 2)
		restart := func(n int) { replicas[n] = New(Config{DB: w.db, Clouds: w.cloud, Clock: c}) }
		restart(0)
		restart(1)
		checks++
		ids := []string{fmt.Sprintf("a.%d", checks), fmt.Sprintf("b.%d", checks)}
		final := map[string]runtime.State{}
		for range rapid.IntRange(5, 100).Draw(r, "steps") {
			n, id := rapid.IntRange(0, 1).Draw(r, "replica"), rapid.SampledFrom(ids).Draw(r, "task")
			switch rapid.IntRange(0, 8).Draw(r, "what") {
			case 0, 1:
				_ = replicas[n].Start(t.Context(), spec(id)) // what matters is what became of it
			case 2:
				found, err := replicas[n].Tasks(t.Context(), ids)
				if err == nil {
					w.holds(r, found, ids, final)
				}
			case 3:
				_ = replicas[n].Stop(t.Context(), id, 0)
			case 4:
				restart(n)
			case 5:
				c.Advance(time.Duration(rapid.SampledFrom([]int{1, 4, 30, 61, 79, 81}).Draw(r, "seconds")) * time.Second)
			case 6:
				call := rapid.SampledFrom([]string{"SubmitJob", "SubmitJob", "Jobs", "EndJob"}).Draw(r, "call")
				w.cloud.fail(call, rapid.SampledFrom([]error{errLost, lostAfter{errLost}, lostAfter{errLost}, &cloud.Refusal{Kind: cloud.Throttled}}).Draw(r, "mishap"))
			case 7:
				w.cloud.move(id, cloud.JobRunning)
			case 8:
				w.cloud.move(id, cloud.JobEnded)
			}
			w.cloud.onlyOne(r)
		}
		w.cloud.mu.Lock()
		clear(w.cloud.ahead)
		w.cloud.mu.Unlock()
		for range 8 { // in the end all is told
			c.Advance(settle)
			found, err := replicas[0].Tasks(t.Context(), ids)
			if err != nil {
				r.Fatal(err)
			}
			w.holds(r, found, ids, final)
			for _, id := range ids {
				w.cloud.move(id, cloud.JobEnded)
			}
		}
		found, err := replicas[1].Tasks(t.Context(), ids)
		if err != nil {
			r.Fatal(err)
		}
		for _, task := range found {
			if task.State != runtime.Ended && task.State != runtime.Lost {
				r.Fatalf("never over: %+v", task)
			}
		}
	})
}

// holds looks whether what is told is so: what is over or unknown does not run, and what was over stays as it was.
func (w *world) holds(r *rapid.T, found []runtime.Task, ids []string, final map[string]runtime.State) {
	states := map[string]runtime.State{}
	for _, task := range found {
		states[task.ID] = task.State
	}
	for _, id := range ids {
		state := states[id]
		if was, is := final[id]; is && state != was {
			r.Fatalf("%s was %s, and is %q", id, was, state)
		}
		if state == runtime.Starting || state == runtime.Running {
			continue
		}
		if state != "" {
			final[id] = state
		}
		if w.cloud.lives(id) {
			r.Fatalf("%s is told to be %q, and its job lives", id, state)
		}
	}
}

func (b *batches) lives(token string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.jobs, func(j *made) bool { return j.Token == token && j.State != cloud.JobEnded })
}

func (b *batches) move(token string, state cloud.JobState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if j.Token != token || j.State == cloud.JobEnded {
			continue
		}
		if j.State = state; state == cloud.JobEnded {
			code := 0
			j.End, j.Code, j.Ended = cloud.JobExited, &code, b.clock.Now()
		} else {
			j.Started, j.Output = b.clock.Now(), "log/"+j.ID
		}
	}
}

func (b *batches) onlyOne(r *rapid.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	jobs := map[string]int{}
	for _, j := range b.jobs {
		if jobs[j.Token]++; jobs[j.Token] > 1 {
			r.Fatal(fmt.Sprintf("two jobs of %s", j.Token))
		}
	}
}
