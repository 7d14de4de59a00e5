package output_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// numbered are n lines behind number after.
func numbered(after int64, n int) []runtime.Line {
	lines := make([]runtime.Line, n)
	for i := range lines {
		number := after + int64(i) + 1
		lines[i] = runtime.Line{N: number, At: noon.Add(time.Duration(number) * time.Millisecond), Stream: "stdout", Text: fmt.Sprint("line ", number)}
	}
	return lines
}

func put(t testing.TB, b *output.Book, job string, attempt int, lines []runtime.Line) {
	t.Helper()
	err := b.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return b.Append(ctx, tx, "act-1", job, attempt, lines)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// pages reads everything in pages of limit lines.
func pages(t testing.TB, b *output.Book, job string, q output.Query) (all []output.Line) {
	t.Helper()
	for {
		lines, next, err := b.Read(t.Context(), "act-1", job, q)
		if err != nil {
			t.Fatal(err)
		}
		if q.Limit > 0 && len(lines) > q.Limit {
			t.Fatalf("a page of %d lines, %d were asked for", len(lines), q.Limit)
		}
		if all = append(all, lines...); next == "" {
			return all
		}
		q.After = next
	}
}

func numbers(lines []output.Line) (n []int64) {
	for _, l := range lines {
		n = append(n, int64(l.Attempt)*1_000_000+l.N)
	}
	return n
}

func TestLinesAreReadAsTheyWereWrittenInPagesOfAnySize(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		b := &output.Book{DB: at.Open(t)}
		lines := numbered(0, 2500) // several records at once, and then small ones
		lines[7].Text, lines[8].Stream, lines[9].Text = "tab\t, nul \x00, <b>, “ü”, "+strings.Repeat("x", 16<<10), "stderr", ""
		put(t, b, "job", 1, lines)
		for _, l := range numbered(2500, 40) {
			put(t, b, "job", 1, []runtime.Line{l})
		}
		put(t, b, "job", 2, numbered(0, 3))
		put(t, b, "other", 1, numbered(0, 3))
		lines = append(lines, numbered(2500, 40)...)
		for _, limit := range []int{0, 1000, 999, 33, 10_000} {
			got := pages(t, b, "job", output.Query{Limit: limit})
			if len(got) != 2543 {
				t.Fatalf("in pages of %d: %d lines", limit, len(got))
			}
			for i, l := range lines {
				if want := (output.Line{Attempt: 1, N: l.N, At: l.At, Stream: l.Stream, Text: l.Text}); got[i] != want {
					t.Fatalf("in pages of %d: line %d is %+v, want %+v", limit, i, got[i], want)
				}
			}
		}
		if got := pages(t, b, "job", output.Query{Attempt: 2, Limit: 2}); len(got) != 3 || got[0].Attempt != 2 {
			t.Errorf("of the second attempt: %+v", got)
		}
		if got, next, err := b.Read(t.Context(), "act-2", "job", output.Query{}); err != nil || len(got) != 0 || next != "" {
			t.Errorf("another account reads %d lines, %q, %v", len(got), next, err)
		}
		if n, err := b.Newest(t.Context(), b.DB, "act-1", "job", 1); err != nil || n != 2540 {
			t.Errorf("newest: %d, %v", n, err)
		}
		if n, err := b.Newest(t.Context(), b.DB, "act-1", "job", 3); err != nil || n != 0 {
			t.Errorf("newest of an attempt that wrote nothing: %d, %v", n, err)
		}
	})
}

func TestTheNewestLinesComeOldestFirstWithACursorToFollowFrom(t *testing.T) {
	b := &output.Book{DB: storetest.Memory(t)}
	put(t, b, "job", 1, numbered(0, 1500))
	put(t, b, "job", 2, numbered(0, 5))
	for _, c := range []struct {
		q           output.Query
		first, last int64
		n           int
	}{
		{output.Query{Newest: true, Limit: 3}, 2_000_003, 2_000_005, 3},
		{output.Query{Newest: true, Limit: 7}, 1_001_499, 2_000_005, 7},
		{output.Query{Newest: true, Attempt: 1, Limit: 1200}, 1_000_301, 1_001_500, 1200},
		{output.Query{Newest: true, Limit: 9000}, 1_000_001, 2_000_005, 1505},
	} {
		got, next, err := b.Read(t.Context(), "act-1", "job", c.q)
		all := numbers(got)
		if err != nil || len(all) != c.n || all[0] != c.first || all[c.n-1] != c.last || next == "" {
			t.Errorf("%+v: %d lines, %q, %v", c.q, len(all), next, err)
		}
		if rest := pages(t, b, "job", output.Query{After: next}); c.q.Attempt == 0 && len(rest) != 0 {
			t.Errorf("%+v: %d lines are behind the newest", c.q, len(rest))
		}
	}
}

func TestALargePageEndsEarly(t *testing.T) {
	b := &output.Book{DB: storetest.Memory(t)}
	lines := numbered(0, 600)
	for i := range lines {
		lines[i].Text = strings.Repeat("x", 16<<10)
	}
	put(t, b, "job", 1, lines)
	got, next, err := b.Read(t.Context(), "act-1", "job", output.Query{})
	if err != nil || len(got) < 200 || len(got) > 300 || next == "" {
		t.Fatalf("%d lines, %q, %v", len(got), next, err)
	}
	if all := pages(t, b, "job", output.Query{}); len(all) != 600 {
		t.Errorf("%d lines in all", len(all))
	}
	if got, _, err := b.Read(t.Context(), "act-1", "job", output.Query{Newest: true}); err != nil || len(got) > 300 || got[len(got)-1].N != 600 {
		t.Errorf("%d newest lines, %v", len(got), err)
	}
}

func TestAForeignCursorIsRefusedAndOneOfAForgottenRecordBeginsAnew(t *testing.T) {
	b := &output.Book{DB: storetest.Memory(t)}
	put(t, b, "job", 1, numbered(0, 10))
	for _, wrong := range []string{"x", "1", "1.2.3.4", "0.1", "1.-1", "1.99999999999999999999"} {
		if _, _, err := b.Read(t.Context(), "act-1", "job", output.Query{After: wrong}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", wrong, err)
		}
		if err := b.Follow(t.Context(), "act-1", "job", wrong, over, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("following %q: %v", wrong, err)
		}
	}
	if got, _, err := b.Read(t.Context(), "act-1", "job", output.Query{After: "1.777"}); err != nil || len(got) != 10 {
		t.Errorf("%d lines, %v", len(got), err)
	}
}

func TestOutputIsForgottenByAge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		b := &output.Book{DB: at.Open(t)}
		old, fresh := numbered(0, 300), numbered(300, 2)
		for i := range old {
			old[i].At = time.Now().Add(-60 * 24 * time.Hour)
			put(t, b, "job", 1, old[i:i+1])
		}
		for i := range fresh {
			fresh[i].At = time.Now()
		}
		put(t, b, "job", 1, fresh)
		for _, rule := range output.Retention(30 * 24 * time.Hour) {
			if _, err := b.DB.Prune(t.Context(), rule, time.Now(), 10_000); err != nil {
				t.Fatal(err)
			}
		}
		if got := numbers(pages(t, b, "job", output.Query{After: "1.7"})); !slices.Equal(got, []int64{1_000_301, 1_000_302}) {
			t.Errorf("left: %v", got)
		}
	})
}

func over(context.Context) (bool, error)  { return true, nil }
func never(context.Context) (bool, error) { return false, nil }

func TestWhatThisProcessWritesIsFollowedAtOnceAndWhatAnotherWritesByLooking(t *testing.T) {
	for _, c := range []struct {
		name string
		same bool
		took time.Duration
	}{{"this process", true, 0}, {"another replica", false, 300 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			db := storetest.Memory(t)
			reader := &output.Book{DB: db}
			writer := reader
			if !c.same {
				writer = &output.Book{DB: db}
			}
			put(t, writer, "job", 1, numbered(0, 5))
			seen, done := make(chan []output.Line), make(chan error, 1)
			ctx, stop := context.WithCancel(t.Context())
			go func() {
				done <- reader.Follow(ctx, "act-1", "job", "", never, func(lines []output.Line, _ string) error { seen <- lines; return nil })
			}()
			if first := <-seen; len(first) != 5 {
				t.Errorf("first: %d lines", len(first))
			}
			began := time.Now()
			put(t, writer, "job", 1, numbered(5, 1))
			if next := <-seen; len(next) != 1 || next[0].N != 6 {
				t.Errorf("then: %+v", next)
			}
			if took := time.Since(began); took > c.took+2*time.Second {
				t.Errorf("it took %s", took)
			}
			stop()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("ended by %v", err)
			}
		})
	}
}

func TestFollowingEndsWithTheJobAndMissesNothingOfItsEnd(t *testing.T) {
	b := &output.Book{DB: storetest.Memory(t), Poll: time.Hour} // so that only being woken helps
	put(t, b, "job", 1, numbered(0, 2000))
	var mu sync.Mutex
	ended, looked := false, make(chan struct{}, 10)
	isOver := func(context.Context) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		looked <- struct{}{}
		return ended, nil
	}
	var got []int64
	done := make(chan error, 1)
	go func() {
		done <- b.Follow(t.Context(), "act-1", "job", "", isOver, func(lines []output.Line, _ string) error { got = append(got, numbers(lines)...); return nil })
	}()
	<-looked // two pages, and then it waits
	<-looked
	mu.Lock()
	put(t, b, "job", 1, numbered(2000, 7))
	ended = true
	mu.Unlock()
	b.Wake("job")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(got) != 2007 || got[2006] != 1_002_007 || !slices.IsSorted(got) {
		t.Errorf("%d lines", len(got))
	}
	failed := errors.New("full")
	if err := b.Follow(t.Context(), "act-1", "job", "", over, func([]output.Line, string) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("the taker's error became %v", err)
	}
	if err := b.Follow(t.Context(), "act-1", "job", "", func(context.Context) (bool, error) { return false, failed }, nil); !errors.Is(err, failed) {
		t.Errorf("the job's error became %v", err)
	}
}

func TestAFollowerThatComesBackWithItsCursorGoesOnWhereItWas(t *testing.T) {
	b := &output.Book{DB: storetest.Memory(t)}
	put(t, b, "job", 1, numbered(0, 2600))
	put(t, b, "job", 2, numbered(0, 2600))
	stop := errors.New("stop")
	var got []int64
	cursor := ""
	for err := stop; errors.Is(err, stop); {
		err = b.Follow(t.Context(), "act-1", "job", cursor, over, func(lines []output.Line, next string) error {
			got, cursor = append(got, numbers(lines)...), next
			return stop
		})
		if err != nil && !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, numbers(pages(t, b, "job", output.Query{Limit: 10_000}))) {
		t.Errorf("%d lines", len(got))
	}
}

// A clock that is set back must not turn lines around.
func TestWhateverTheClockDoesLinesStayInOrder(t *testing.T) {
	b := &output.Book{DB: storetest.Memory(t)}
	job := 0
	rapid.Check(t, func(t *rapid.T) {
		job++
		id := fmt.Sprint("job-", job)
		var want []int64
		last := map[int]int64{}
		for range rapid.IntRange(1, 12).Draw(t, "writes") {
			attempt := rapid.IntRange(1, 3).Draw(t, "attempt")
			back := rapid.Int64Range(0, last[attempt]).Draw(t, "repeated from")
			lines := numbered(back, rapid.IntRange(0, 30).Draw(t, "lines"))
			shift := time.Duration(rapid.IntRange(-1000, 1000).Draw(t, "clock")) * time.Second
			for i := range lines {
				lines[i].At = lines[i].At.Add(shift)
				if lines[i].N > last[attempt] {
					want, last[attempt] = append(want, int64(attempt)*1_000_000+lines[i].N), lines[i].N
				}
			}
			if err := b.DB.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
				return b.Append(ctx, tx, "act-1", id, attempt, lines)
			}); err != nil {
				t.Fatal(err)
			}
		}
		var got []output.Line
		q := output.Query{Limit: rapid.IntRange(1, 50).Draw(t, "limit")}
		for {
			lines, next, err := b.Read(context.Background(), "act-1", id, q)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, lines...); next == "" {
				break
			}
			q.After = next
		}
		if !slices.Equal(numbers(got), want) {
			t.Fatalf("read %v, written %v", numbers(got), want)
		}
	})
}

func TestADozenWritersOfOneAttemptWriteEachLineOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				b := &output.Book{DB: db}
				for upTo := 0; upTo < 300; {
					upTo += 1 + rand.IntN(20)
					err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
						return b.Append(ctx, tx, "act-1", "job", 1, numbered(0, min(upTo, 300)))
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		got := pages(t, &output.Book{DB: db}, "job", output.Query{})
		for i, l := range got {
			if l.N != int64(i+1) || l.Dropped != 0 {
				t.Fatalf("line %d is %+v", i, l)
			}
		}
		if len(got) != 300 {
			t.Errorf("%d lines", len(got))
		}
	})
}
