package workflow

import (
	"context"
	"sync"
)

// lanes keeps the keys of one loop that depend on the same thing, a cloud's region perhaps, from taking all of its workers when that thing hangs.
type lanes struct {
	ask  func(ctx context.Context, key string) string // nil = one wide road
	most int

	mu    sync.Mutex
	known map[string]string // key → lane
	busy  map[string]int    // turns in progress by lane
}

func newLanes(l Loop) *lanes {
	return &lanes{ask: l.Lane, most: max(l.PerLane, 1), known: map[string]string{}, busy: map[string]int{}}
}

// learn asks for the lane of a key, once.
func (l *lanes) learn(ctx context.Context, key string) {
	if _, known := l.of(key); known {
		return
	}
	lane := l.ask(ctx, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[key] = lane
}

// of is the lane of a key, if it has been asked for.
func (l *lanes) of(key string) (lane string, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane, known = l.known[key]
	return lane, known || l.ask == nil
}

func (l *lanes) hasRoom(lane string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lane == "" || l.busy[lane] < l.most
}

// enter takes a place in a lane with room, until leave.
func (l *lanes) enter(lane string) (leave func()) {
	if lane == "" {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy[lane]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.busy[lane]--; l.busy[lane] == 0 {
			delete(l.busy, lane)
		}
	}
}

func (l *lanes) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, key)
}
