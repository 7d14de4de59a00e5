package suggest

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTheNearestWordIsSuggestedAndNothingFarFetched(t *testing.T) {
	known := []string{"listen", "log-format", "log-level", "rate"}
	for word, want := range map[string]string{"lisen": "listen", "log_level": "log-level", "rat": "rate", "zzzzzzzz": "", "listen": "listen"} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, not %q", word, got, want)
		}
	}
}

func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c]{0,6}`)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if distance(a, b) != distance(b, a) || (distance(a, b) == 0) != (a == b) || distance(a, c) > distance(a, b)+distance(b, c) {
			t.Fatalf("%q %q %q: %d %d %d", a, b, c, distance(a, b), distance(b, c), distance(a, c))
		}
	})
}
