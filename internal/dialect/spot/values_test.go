package spot

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTimesAreWrittenInUTCWithMilliseconds(t *testing.T) {
	east := time.Date(2024, 5, 1, 12, 0, 0, 1_999_999, time.FixedZone("east", 2*3600))
	for want, at := range map[string]time.Time{`"2024-05-01T10:00:00.001Z"`: east, "null": {}} {
		if got, err := json.Marshal(Time(at)); err != nil || string(got) != want {
			t.Errorf("got %s, want %s (%v)", got, want, err)
		}
	}
}

func TestDatesAreReadInEverySpellingThatClientsUse(t *testing.T) {
	noon := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2024-05-01":                noon.Truncate(24 * time.Hour),
		"2024-05-01T12:00:00Z":      noon,
		"2024-05-01T12:00:00.000Z":  noon,
		"2024-05-01T14:00:00+02:00": noon,
		"2024-05-01T14:00:00+0200":  noon,
		"2024-05-01T12:00:00":       noon,
		"2024-05-01 12:00:00":       noon,
		"1714564800":                noon,
		"1714564800000":             noon,
		"0":                         time.Unix(0, 0),
	} {
		if got, wrong := Date("fromDate", text); wrong != nil || !got.Equal(want) {
			t.Errorf("%q is read as %v, want %v (%v)", text, got, want, wrong)
		}
	}
	for _, text := range []string{"", "yesterday", "2024-13-01", "-5", "99999999999999999", "05/01/2024"} {
		if _, wrong := Date("fromDate", text); wrong == nil || wrong.Field != "fromDate" {
			t.Errorf("%q is taken for a date", text)
		}
	}
}

func TestSpansMustBeTheRightWayRoundAndHaveBegun(t *testing.T) {
	now := time.Date(2024, 5, 10, 0, 0, 0, 0, time.UTC)
	if from, to, err := Span("2024-05-01", "2024-06-01", now); err != nil || to.Sub(from) != 31*24*time.Hour {
		t.Errorf("a span that ends in the future is fine: %v", err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"upside down":   {"2024-05-02", "2024-05-01", "lies after"},
		"in the future": {"2024-05-11", "2024-05-12", "future"},
		"no begin":      {"", "2024-05-12", "fromDate"},
		"no end":        {"2024-05-01", "", "toDate"},
	} {
		if _, _, err := Span(c.from, c.to, now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDateNeverReadsBeyondItsRange(f *testing.F) {
	for _, seed := range []string{"2024-05-01", "1714564800000", "999999999999999", "2024-05-01T12:00:00Z", "0x10"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, wrong := Date("fromDate", text)
		if wrong == nil && (at.Year() < -1 || at.Year() > 40_000) {
			t.Errorf("%q is read as %v", text, at)
		}
	})
}
