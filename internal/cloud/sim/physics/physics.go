// Package physics is what happens by itself in the simulated cloud: which pools run dry, which instances are taken back, how prices move.
//
// It owns the model and its figures, which docs/sim.md states; everything in it is drawn from a seed and the time, and the same question has the same answer for
// ever. It must not know accounts, calls, databases or clocks: the simulated cloud adds those, and the laboratory does without. Start reading at Pool, FateOf and
// Tape.
package physics

import (
	"math"
	"time"
)

// Instant is a moment of the world in milliseconds since 1970, or a length of time in milliseconds.
type Instant int64

// Lengths of time, and Never, which lies beyond all moments.
const (
	Second = Instant(1000)
	Minute = 60 * Second
	Hour   = 60 * Minute
	Day    = 24 * Hour

	Never Instant = math.MaxInt64
)

// At is the instant of a time, cut to milliseconds.
func At(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Lasting is the length of a duration, cut to milliseconds.
func Lasting(d time.Duration) Instant { return Instant(d.Milliseconds()) }

// Time is the zero time for Never.
func (i Instant) Time() time.Time {
	if i == Never {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

// Span is a range of times, drawn from evenly.
type Span struct{ Min, Max time.Duration }

// Draw draws a length from the range.
func (s Span) Draw(d *Dice) Instant { return d.Between(Lasting(s.Min), Lasting(s.Max)) }
