package store

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWeeksAreMadeAheadOfTheirTimeAndGoWhenTheirLastMomentIsPast(t *testing.T) {
	monday := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(r *rapid.T) {
		var have []time.Time
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(-60, 60), 0, 30, rapid.ID[int]).Draw(r, "have") {
			have = append(have, monday.Add(time.Duration(n)*week))
		}
		now := monday.Add(time.Duration(rapid.Int64Range(int64(-50*week), int64(50*week)).Draw(r, "now")))
		keep := time.Duration(rapid.Int64Range(-1, int64(60*week)).Draw(r, "keep"))
		wanted, over := turnOver(have, now, keep)
		whole := slices.Concat(have, wanted)
		for n := range whole {
			if from := whole[n]; from.Weekday() != time.Monday || !from.Equal(from.Truncate(24*time.Hour)) || slices.ContainsFunc(whole[n+1:], from.Equal) {
				r.Fatalf("%s is no week's begin, or there twice", from)
			}
		}
		at := now.Add(time.Duration(rapid.Int64Range(0, int64(weeksAhead*week)).Draw(r, "ahead")))
		if !slices.ContainsFunc(whole, func(from time.Time) bool { return !at.Before(from) && at.Before(from.Add(week)) }) {
			r.Fatalf("at %s a row of %s has no partition", now, at)
		}
		for _, from := range have {
			last := from.Add(week - time.Nanosecond)
			if past := keep > 0 && last.Before(now.Add(-keep)); past != slices.ContainsFunc(over, from.Equal) {
				r.Fatalf("at %s, rows kept %s, the week of %s: over %v", now, keep, from, !past)
			}
		}
		if again, _ := turnOver(whole, now, keep); len(again) != 0 {
			r.Fatalf("what was just made is wanted again: %v", again)
		}
		for _, from := range over {
			if slices.ContainsFunc(wanted, from.Equal) {
				r.Fatalf("%s is made and dropped at once", from)
			}
		}
	})
}

func TestNoWeekIsMadeThatADateCannotName(t *testing.T) {
	for _, now := range []time.Time{time.Date(-300, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(12_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if wanted, _ := turnOver(nil, now, 0); len(wanted) != 0 {
			t.Errorf("at %s: %v", now, wanted)
		}
	}
}
