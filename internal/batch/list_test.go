package batch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
)

func TestAListIsFilteredAndItsPagesAddUp(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 60 {
		s := asked("true")
		s.Class, s.Customer = fmt.Sprint("class-", i%3), fmt.Sprint("customer-", i%2)
		j := w.submit(s)
		if i%3 == 1 && i%2 == 0 {
			want = append([]string{j.ID}, want...)
		}
		w.Clock.Advance(time.Second)
	}
	q := batch.ListQuery{Class: "class-1", Customer: "customer-0"}
	whole, next, err := w.List(t.Context(), account, q)
	if err != nil || next != "" || len(whole) != len(want) {
		t.Fatalf("%d jobs, next %q, %v; want %d", len(whole), next, err, len(want))
	}
	var paged []string
	for q.Limit = 3; ; {
		some, next, err := w.List(t.Context(), account, q)
		if err != nil || len(some) > 3 {
			t.Fatalf("%d jobs, %v", len(some), err)
		}
		for _, j := range some {
			paged = append(paged, j.ID)
		}
		if q.After = next; next == "" {
			break
		}
	}
	if fmt.Sprint(paged) != fmt.Sprint(want) {
		t.Errorf("paged: %v, want %v", paged, want)
	}
	both := batch.ListQuery{From: dawn.Add(10 * time.Second), Until: dawn.Add(12 * time.Second)}
	if some, _, err := w.List(t.Context(), account, both); err != nil || len(some) != 3 {
		t.Errorf("%d jobs within three seconds, both ends included, %v", len(some), err)
	}
}

func TestAListFromAJobOnHasThatJob(t *testing.T) {
	w := newWorld(t)
	w.Clock.Advance(251_878_927 * time.Nanosecond)
	j := w.submit(asked("true"))
	if some, _, err := w.List(t.Context(), account, batch.ListQuery{From: j.SubmittedAt, Until: j.SubmittedAt}); err != nil || len(some) != 1 {
		t.Errorf("%d jobs were submitted at %s, %v", len(some), j.SubmittedAt, err)
	}
}
