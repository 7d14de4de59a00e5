package plan

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestAWindowIsReadAndWrittenTheSame(t *testing.T) {
	for _, text := range []string{"Mon:03:00-Wed:02:30", "Sat:22:00-Mon:01:15", "Sun:00:00-Sun:23:59"} {
		w, err := ParseWindow(text)
		if err != nil || w.String() != text {
			t.Errorf("%s became %s (%v)", text, w, err)
		}
	}
	if w, err := ParseWindow("mon:03:00-WED:02:30"); err != nil || w != (Window{180, 2*minutesPerDay + 150}) {
		t.Errorf("days in any case: %+v (%v)", w, err)
	}
}

func TestBadWindowsAreRefused(t *testing.T) {
	for _, text := range []string{"", "Mon:03:00", "Mon:3:00-Tue:04:00", "Mon:24:00-Tue:04:00", "Mon:03:60-Tue:04:00", "Foo:03:00-Tue:04:00", "Mon:03:00-Mon:03:00",
		"Mon:03:00-Tue:04:00-Wed:05:00", "Mon:+3:00-Tue:04:00", "Mon:03:00Tue:04:00"} {
		if w, err := ParseWindow(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q was read as %s (%v)", text, w, err)
		}
	}
}

func TestAWindowMayWrapTheEndOfTheWeek(t *testing.T) {
	w, err := ParseWindow("Sat:22:00-Mon:01:00")
	if err != nil {
		t.Fatal(err)
	}
	saturday := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for after, inside := range map[time.Duration]bool{21*time.Hour + 59*time.Minute: false, 22 * time.Hour: true, 40 * time.Hour: true, 48*time.Hour + 59*time.Minute: true, 49 * time.Hour: false} {
		if w.Contains(saturday.Add(after)) != inside {
			t.Errorf("%s in %s: %v", saturday.Add(after), w, !inside)
		}
	}
	if next := w.Next(saturday); !next.Equal(saturday.Add(22 * time.Hour)) {
		t.Errorf("next start after %s is %s", saturday, next)
	}
	if start := saturday.Add(22 * time.Hour); !w.Next(start).Equal(start.Add(7 * 24 * time.Hour)) {
		t.Errorf("a start is not its own next start: %s", w.Next(start))
	}
}

func TestAWindowsNextStartIsInsideAndItsPredecessorIsNot(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := Window{rapid.IntRange(0, minutesPerWeek-1).Draw(r, "from"), rapid.IntRange(0, minutesPerWeek-1).Draw(r, "to")}
		if w.From == w.To {
			return
		}
		at := noon.Add(time.Duration(rapid.Int64Range(0, int64(14*24*time.Hour)).Draw(r, "at")))
		next := w.Next(at)
		if !next.After(at) || !w.Contains(next) || w.Contains(next.Add(-time.Minute)) || next.Sub(at) > 7*24*time.Hour {
			r.Fatalf("next start of %s after %s is %s", w, at, next)
		}
	})
}
