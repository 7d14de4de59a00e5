package instance

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

func TestWatchTellsWhenATaskRunsAndWhenItHasEnded(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	one, other := w.Watch(ctx), w.Watch(ctx)
	w.start(spec("a", "acc-1"))
	next := func(from <-chan []string, state runtime.State) {
		t.Helper()
		told := false
		w.until(fmt.Sprintf("a watcher is told that it is %s", state), time.Hour, func() bool {
			select {
			case ids := <-from:
				told = told || slices.Contains(ids, "a") && w.task("a").State == state
			default:
			}
			return told
		})
	}
	next(one, runtime.Running)
	next(other, runtime.Running)
	if err := w.Stop(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	next(one, runtime.Ended)
	next(other, runtime.Ended)
	cancel()
	for range one {
	}
	for range other {
	}
}

func TestAWatcherIsToldOfEachChangeOnceAndOfNothingBefore(t *testing.T) {
	t.Parallel()
	w := begin(t, func(o *options) { o.idle = true })
	w.start(spec("old", "acc-1"))
	watcher := watch{r: w.Runtime, from: w.clock.Now(), seen: map[string]int64{}}
	watcher.look(t.Context())
	for _, c := range []struct {
		what string
		do   func()
		want []string
	}{
		{"nothing", func() {}, nil},
		{"a start", func() { w.start(spec("a", "acc-1")) }, []string{"a"}},
		{"nothing more", func() { w.clock.Advance(time.Second) }, nil},
		{"two stops", func() {
			for _, id := range []string{"a", "old"} {
				if err := w.Stop(t.Context(), id, 0); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"a", "old"}},
		{"a long time", func() { w.clock.Advance(time.Hour) }, nil},
		{"nothing at all", func() {}, nil},
	} {
		c.do()
		got := watcher.look(t.Context())
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("after %s it is told %v, want %v", c.what, got, c.want)
		}
	}
}

func BenchmarkARoundOverAThousandTasks(b *testing.B) {
	w, err := open(b.Context(), options{now: epoch, log: slog.New(slog.DiscardHandler), idle: true})
	if err != nil {
		b.Fatal(err)
	}
	defer w.stop()
	for n := range 1000 {
		if err := w.Start(b.Context(), spec(fmt.Sprintf("t-%d", n), "acc-1")); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := w.keep(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
