package clock

import (
	"sync"
	"time"
)

// slew is how much faster or slower than real time a Steady clock runs while it catches up: an hour is made good in ten [ours].
const slew = 10 // percent

// Steady follows another clock without its jumps. It goes forward by the time that really passes, as the machine's monotonic counter has it, and makes up for
// a difference by running at most 10 % faster or slower. So it never goes back, and when the wall is set an hour ahead, no waiting time ends an hour early.
// A time that a counter does not see (a machine that sleeps) is made up for in the same way. Safe for concurrent use.
type Steady struct {
	source Clock
	rate   float64
	passed func() time.Duration // real time since the clock was made

	mu   sync.Mutex
	last time.Duration // passed when it was last read
	now  time.Time
}

// NewSteady follows source, which runs rate times as fast as the wall. It begins at source's time, or at notBefore when that is later: the time that an earlier
// process had reached.
func NewSteady(source Clock, rate float64, notBefore time.Time) *Steady {
	began := time.Now()
	return newSteady(source, rate, notBefore, func() time.Duration { return time.Since(began) })
}

func newSteady(source Clock, rate float64, notBefore time.Time, passed func() time.Duration) *Steady {
	s := &Steady{source: source, rate: rate, passed: passed, now: source.Now(), last: passed()}
	if notBefore.After(s.now) {
		s.now = notBefore.UTC()
	}
	return s
}

// Now never returns an earlier time than before.
func (s *Steady) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := s.passed()
	step := time.Duration(float64(passed-s.last) * s.rate)
	if step <= 0 {
		return s.now
	}
	s.last = passed
	most := step * slew / 100
	now := s.now.Add(step)
	s.now = now.Add(min(most, max(-most, s.source.Now().Sub(now))))
	return s.now
}

// After waits by the counter, as the source does.
func (s *Steady) After(d time.Duration) <-chan time.Time { return s.source.After(d) }

var _ Clock = (*Steady)(nil)
