package workflow

import (
	"context"
	"sync"
	"time"
)

// lanes keeps the keys of one loop that depend on the same thing, a cloud's region perhaps, from taking all of its workers when that thing hangs.
type lanes struct {
	of   func(ctx context.Context, key string) string // nil = one wide road
	most int

	mu    sync.Mutex
	known map[string]string // key → lane
	busy  map[string]int    // turns in progress by lane
}

func newLanes(l Loop) *lanes {
	return &lanes{of: l.Lane, most: max(l.PerLane, 1), known: map[string]string{}, busy: map[string]int{}}
}

// learn asks for the lane of a key, once.
func (l *lanes) learn(ctx context.Context, key string) {
	if l.isKnown(key) {
		return
	}
	lane := l.of(ctx, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[key] = lane
}

// isKnown reports whether the lane of a key need not be asked for.
func (l *lanes) isKnown(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.known[key]
	return known || l.of == nil
}

// enter takes a place in the lane of the key; false when it is full.
func (l *lanes) enter(key string) (leave func(), entered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := l.known[key]
	if lane == "" {
		return func() {}, true
	}
	if l.busy[lane] >= l.most {
		return nil, false
	}
	l.busy[lane]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.busy[lane]--; l.busy[lane] == 0 {
			delete(l.busy, lane)
		}
	}, true
}

func (l *lanes) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, key)
}

// far is how a scan looks beyond keys whose lanes are full: seldom, because it may read many rows to find one that can be worked on.
type far struct {
	next time.Time // wall time before which no scan looks far
}

// farShare is the part of the time that may be spent on looking far.
const farShare = 20

func (f *far) may(now time.Time) bool { return !now.Before(f.next) }

func (f *far) took(began, now time.Time) { f.next = now.Add(max(scanEvery, farShare*now.Sub(began))) }
