// Package clock is where the engine learns the time.
//
// It owns the three clocks: the wall, a faster one for simulated installations, and one that tests step by hand.
// It must not know who uses it. Start reading at Clock.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time and waits. Implementations are safe for concurrent use; times are UTC.
type Clock interface {
	Now() time.Time
	// After delivers one value once d of this clock's time has passed.
	After(d time.Duration) <-chan time.Time
}

// Wall is real time.
type Wall struct{}

func (Wall) Now() time.Time                         { return time.Now().UTC() }
func (Wall) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Scaled runs Rate times as fast as the wall, from Origin onwards. Keep Began and Origin across restarts, or its time jumps back.
type Scaled struct {
	Began  time.Time // wall time at which this clock showed Origin
	Origin time.Time
	Rate   float64 // > 0
}

func (s Scaled) Now() time.Time {
	return s.Origin.Add(time.Duration(float64(time.Since(s.Began)) * s.Rate)).UTC()
}

func (s Scaled) After(d time.Duration) <-chan time.Time {
	return time.After(time.Duration(float64(d) / s.Rate))
}

// Manual stands still until Advance moves it.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	waiting []wait
}

type wait struct {
	at time.Time
	ch chan time.Time
}

// NewManual starts a clock that shows now.
func NewManual(now time.Time) *Manual { return &Manual{now: now.UTC()} }

func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *Manual) After(d time.Duration) <-chan time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- m.now
		return ch
	}
	m.waiting = append(m.waiting, wait{at: m.now.Add(d), ch: ch})
	return ch
}

// Advance moves the clock and wakes everyone whose time has come.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	kept := m.waiting[:0]
	for _, w := range m.waiting {
		if w.at.After(m.now) {
			kept = append(kept, w)
			continue
		}
		w.ch <- m.now
	}
	m.waiting = kept
}

var (
	_ Clock = Wall{}
	_ Clock = Scaled{}
	_ Clock = (*Manual)(nil)
)
