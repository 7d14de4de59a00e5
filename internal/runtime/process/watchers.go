package process

import (
	"context"
	"sync"
)

// watchers hand out ids to everybody who wants to know. What somebody is too slow to take waits, each id once.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]bool
}

type watcher struct {
	pending []string
	has     map[string]bool
	wake    chan struct{}
}

func (w *watchers) add(ctx context.Context) <-chan []string {
	one := &watcher{has: map[string]bool{}, wake: make(chan struct{}, 1)}
	w.mu.Lock()
	if w.all == nil {
		w.all = map[*watcher]bool{}
	}
	w.all[one] = true
	w.mu.Unlock()
	out := make(chan []string)
	go func() {
		defer close(out)
		defer w.remove(one)
		for {
			select {
			case <-one.wake:
			case <-ctx.Done():
				return
			}
			select {
			case out <- w.take(one):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (w *watchers) remove(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, one)
}

func (w *watchers) take(one *watcher) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := one.pending
	one.pending, one.has = nil, map[string]bool{}
	return ids
}

func (w *watchers) tell(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.all {
		if one.has[id] {
			continue
		}
		one.has[id] = true
		one.pending = append(one.pending, id)
		select {
		case one.wake <- struct{}{}:
		default:
		}
	}
}
