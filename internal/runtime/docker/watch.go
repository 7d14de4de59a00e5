package docker

import (
	"context"
	"slices"
	"sync"
	"time"
)

// watches are those who want to hear of tasks.
type watches struct {
	mu  sync.Mutex
	all map[*watcher]struct{}
}

// watcher collects ids until they are taken.
type watcher struct {
	mu      sync.Mutex
	pending []string
	soon    chan struct{} // something that can wait is pending
	now     chan struct{} // something that can't is
}

// outputPause is how long news of output may be held back to be told together.
const outputPause = 200 * time.Millisecond

func newWatches() *watches { return &watches{all: map[*watcher]struct{}{}} }

// tell says that something has become of a task; now = it began or ended.
func (w *watches) tell(id string, now bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for each := range w.all {
		each.add(id, now)
	}
}

func (w *watcher) add(id string, now bool) {
	w.mu.Lock()
	if !slices.Contains(w.pending, id) {
		w.pending = append(w.pending, id)
	}
	w.mu.Unlock()
	signal := w.soon
	if now {
		signal = w.now
	}
	select {
	case signal <- struct{}{}:
	default: // it knows already
	}
}

func (w *watcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.pending
	w.pending = nil
	return taken
}

func (w *watches) watch(ctx context.Context) <-chan []string {
	told := make(chan []string)
	one := &watcher{soon: make(chan struct{}, 1), now: make(chan struct{}, 1)}
	w.mu.Lock()
	w.all[one] = struct{}{}
	w.mu.Unlock()
	go func() {
		defer close(told)
		defer w.forget(one)
		one.serve(ctx, told)
	}()
	return told
}

func (w *watches) forget(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, one)
}

func (w *watcher) serve(ctx context.Context, told chan<- []string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.now:
		case <-w.soon:
			select {
			case <-ctx.Done():
				return
			case <-w.now:
			case <-time.After(outputPause):
			}
		}
		if ids := w.take(); len(ids) > 0 {
			select {
			case <-ctx.Done():
				return
			case told <- ids:
			}
		}
	}
}
