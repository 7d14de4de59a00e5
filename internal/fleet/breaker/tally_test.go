package breaker

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestATallyCountsWhatItsWindowsHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tally, now := NewTally(), morning
		var done []deed
		for range rapid.IntRange(1, 60).Draw(t, "deeds") {
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			c := Churn{Launches: rapid.IntRange(0, 5).Draw(t, "launches"), Departures: rapid.IntRange(1, 3).Draw(t, "departures")}
			if again := rapid.IntRange(-1, len(done)-1).Draw(t, "again"); again >= 0 && done[again].at.Add(Minute).After(now) {
				done[again].Churn = c
				tally.Put(fmt.Sprint(again), done[again].group, now, c)
			} else {
				at := now.Add(-time.Duration(rapid.IntRange(0, 5).Draw(t, "late")) * time.Second)
				done = append(done, deed{group: fmt.Sprint("sig-", rapid.IntRange(0, 2).Draw(t, "group")), at: at, Churn: c})
				tally.Put(fmt.Sprint(len(done)-1), done[len(done)-1].group, at, c)
			}
			for _, span := range []time.Duration{Minute, Hour} {
				for _, group := range []string{"", "sig-0", "sig-1"} {
					used, opens := tally.All(now, span)
					if group != "" {
						used, opens = tally.Of(group, now, span)
					}
					want, first := counted(done, group, now, span)
					if used != want || !opens.Equal(first) {
						t.Fatalf("%s of %q: %+v until %s, not %+v until %s", span, group, used, opens, want, first)
					}
				}
			}
		}
	})
}

// counted adds up deeds the plain way.
func counted(done []deed, group string, now time.Time, span time.Duration) (used Churn, opens time.Time) {
	for _, d := range done {
		until := d.at.Add(span)
		if !until.After(now) || group != "" && d.group != group {
			continue
		}
		used.Add(d.Churn)
		if opens.IsZero() || until.Before(opens) {
			opens = until
		}
	}
	return used, opens
}
