package workflow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A queue gives what a list would that is searched from one end to the other.
func TestAQueueGivesWhatHasWaitedLongestWhereThereIsRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, epoch := newQueue(), time.Unix(0, 0)
		var list []waiting
		full := map[string]bool{}
		hasRoom := func(w *waiting) bool { return !full[w.lane] }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				key := fmt.Sprint(rapid.IntRange(0, 20).Draw(t, "key"))
				w := waiting{key: key, lane: "lane " + key[:1], since: epoch.Add(time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "since")))}
				q.add(w.key, w.lane, w.since)
				n := slices.IndexFunc(list, func(o waiting) bool { return o.key == key })
				if n < 0 {
					list = append(list, w)
				} else if w.since.Before(list[n].since) {
					list[n].since = w.since
				}
			},
			"fill": func(t *rapid.T) {
				lane := "lane " + fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "lane"))
				full[lane] = !full[lane]
			},
			"take": func(t *rapid.T) {
				w, found := q.next(hasRoom)
				open := slices.DeleteFunc(slices.Clone(list), func(w waiting) bool { return full[w.lane] })
				if len(open) == 0 {
					if found {
						t.Fatalf("took %s out of nothing", w.key)
					}
					return
				}
				longest := slices.MinFunc(open, func(a, b waiting) int { return a.since.Compare(b.since) })
				if !found {
					t.Fatalf("took nothing; %+v waits", longest)
				}
				n := slices.IndexFunc(list, func(o waiting) bool { return o.key == w.key && o.lane == w.lane })
				if n < 0 || full[w.lane] || !list[n].since.Equal(longest.since) {
					t.Fatalf("took %+v; %+v has waited longest", w, longest)
				}
				list = slices.Delete(list, n, n+1)
			},
			"": func(t *rapid.T) {
				for n := range 21 {
					key := fmt.Sprint(n)
					if waits := slices.ContainsFunc(list, func(w waiting) bool { return w.key == key }); q.has(key) != waits {
						t.Fatalf("%s waits: %v", key, waits)
					}
				}
			},
		})
	})
}

func TestAQueueForgetsNothingForOneKeyTooMany(t *testing.T) {
	q := newQueue()
	for n := range longestQueue + 1 {
		q.add(fmt.Sprint(n), "", time.Unix(int64(n), 0))
	}
	if q.has(fmt.Sprint(longestQueue)) || !q.has("0") {
		t.Error("the queue grows beyond its bound, or forgot an older key")
	}
	if w, found := q.next(func(*waiting) bool { return true }); !found || w.key != "0" {
		t.Errorf("took %+v", w)
	}
}
