package remote

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// watcher is somebody who is to be told.
type watcher struct {
	pending map[string]bool // guarded by Runtime.mu
	ready   chan struct{}   // holds a token when something is pending
}

// tell notes news for all who watch.
func (r *Runtime) tell(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.watchers {
		w.pending[id] = true
		select {
		case w.ready <- struct{}{}:
		default:
		}
	}
}

// wake ends the rest of those who poll: there is something to be looked at.
func (r *Runtime) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.begun)
	r.begun = make(chan struct{})
}

// Watch is runtime.Runtime's. It polls only while tasks live.
func (r *Runtime) Watch(ctx context.Context) <-chan []string {
	w := &watcher{pending: map[string]bool{}, ready: make(chan struct{}, 1)}
	r.mu.Lock()
	r.watchers[w] = true
	r.mu.Unlock()
	out := make(chan []string)
	var polls sync.WaitGroup
	polls.Go(func() { r.poll(ctx, &polls) })
	go func() {
		defer close(out)
		defer polls.Wait()
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.watchers, w)
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.ready:
			}
			r.mu.Lock()
			ids := slices.Sorted(maps.Keys(w.pending))
			w.pending = map[string]bool{}
			r.mu.Unlock()
			select {
			case <-ctx.Done():
				return
			case out <- ids:
			}
		}
	}()
	return out
}

// idle is how often the rows are read while no task lives: another replica may start some.
const idle = time.Minute

// poll looks at all that lives, again and again. It waits for no site: one that hangs is left out until its look is over.
func (r *Runtime) poll(ctx context.Context, polls *sync.WaitGroup) {
	for ctx.Err() == nil {
		r.mu.Lock()
		begun := r.begun
		r.mu.Unlock()
		pause := polled
		living, err := r.living(ctx)
		r.complain(ctx, site{}, err)
		if err == nil && len(living) == 0 {
			pause = idle
		} else {
			begun = nil // a second is soon enough
		}
		if err == nil {
			r.prune(living)
		}
		for at, docs := range bySite(living) {
			if leave, is := tryEnter(r, r.sites, at); is {
				polls.Go(func() {
					defer leave()
					r.complain(ctx, at, r.lookInside(ctx, at, docs, idsAtOnce))
				})
			}
		}
		select {
		case <-ctx.Done():
		case <-begun:
		case <-r.Clock.After(pause):
		}
	}
}

// complain tells the log what is wrong at a site, once until it is something else.
func (r *Runtime) complain(ctx context.Context, at site, err error) {
	if ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	r.mu.Lock()
	isNews := r.wrong[at] != text
	r.wrong[at] = text
	r.mu.Unlock()
	if isNews && err != nil {
		r.Log.WarnContext(ctx, "Tasks in AWS Batch can't be looked at; they go on, and are looked at again", "account", at.account, "region", at.region, "error", err)
	}
}
