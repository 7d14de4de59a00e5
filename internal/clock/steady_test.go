package clock

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine is a computer whose wall clock somebody sets, and whose counter nobody can.
type machine struct {
	wall   *Manual
	passed time.Duration
}

func (m *machine) run(d time.Duration) {
	m.passed += d
	m.wall.Advance(d)
}

func boot(notBefore time.Time) (*machine, *Steady) {
	m := &machine{wall: NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))}
	return m, newSteady(m.wall, 1, notBefore, func() time.Duration { return m.passed })
}

func TestASteadyClockShowsTheWallWhileNobodySetsIt(t *testing.T) {
	m, s := boot(time.Time{})
	for range 100 {
		m.run(7 * time.Second)
		if got := s.Now(); !got.Equal(m.wall.Now()) {
			t.Fatalf("shows %s at %s", got, m.wall.Now())
		}
	}
}

func TestAWallThatIsSetAnHourAheadEndsNoWaitEarly(t *testing.T) {
	m, s := boot(time.Time{})
	until := s.Now().Add(5 * time.Minute)
	m.wall.Advance(time.Hour)
	for range 10 {
		m.run(27 * time.Second) // 4 min 30 s in all
		s.Now()
	}
	if !s.Now().Before(until) {
		t.Error("five minutes are over after four and a half")
	}
	m.run(5 * time.Second)
	if s.Now().Before(until) {
		t.Error("five minutes take longer than they should")
	}
	m.run(11 * time.Hour)
	if got := s.Now(); !got.Equal(m.wall.Now()) {
		t.Errorf("after eleven hours it shows %s, the wall %s", got, m.wall.Now())
	}
}

func TestAWallThatIsSetAnHourBackTakesNoTimeBack(t *testing.T) {
	m, s := boot(time.Time{})
	before := s.Now()
	m.wall.Advance(-time.Hour)
	if s.Now().Before(before) {
		t.Fatal("went back")
	}
	m.run(10 * time.Minute)
	if went := s.Now().Sub(before); went != 9*time.Minute {
		t.Errorf("went %s in ten minutes", went)
	}
	m.run(11 * time.Hour)
	if got := s.Now(); !got.Equal(m.wall.Now()) {
		t.Errorf("after eleven hours it shows %s, the wall %s", got, m.wall.Now())
	}
}

func TestARestartDoesNotTakeTimeBack(t *testing.T) {
	reached := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	_, s := boot(reached)
	if got := s.Now(); !got.Equal(reached) {
		t.Errorf("began at %s although %s had been reached", got, reached)
	}
}

func TestASteadyClockNeverGoesBackAndNeverHurries(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m, s := boot(time.Time{})
		m.wall.Advance(0)
		last := s.Now()
		for range rapid.IntRange(1, 50).Draw(r, "steps") {
			m.wall.Advance(time.Duration(rapid.Int64Range(-int64(2*time.Hour), int64(2*time.Hour)).Draw(r, "set")) * time.Duration(rapid.IntRange(0, 1).Draw(r, "is set")))
			step := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(r, "passes"))
			m.run(step)
			now := s.Now()
			if went := now.Sub(last); went < step*9/10-1 || went > step*11/10+1 {
				r.Fatalf("%s passed, it went %s", step, went)
			}
			last = now
		}
	})
}

func TestASteadyClockMayBeReadByMany(t *testing.T) {
	s := NewSteady(Wall{}, 1, time.Time{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			last := s.Now()
			for range 1000 {
				now := s.Now()
				if now.Before(last) {
					t.Error("went back")
				}
				last = now
			}
		})
	}
	readers.Wait()
	if d := time.Since(s.Now()).Abs(); d > time.Second {
		t.Errorf("%s away from the wall", d)
	}
}
