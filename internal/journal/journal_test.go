package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newJournal(t testing.TB) (*Journal, *clock.Manual) {
	t.Helper()
	return journalOn(storetest.Open(t, store.Config{Memory: true}))
}

func journalOn(db *store.DB) (*Journal, *clock.Manual) {
	manual := clock.NewManual(noon)
	return New(Config{DB: db, Clock: manual}), manual
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (j *Journal) log(t testing.TB, account, resource string, written ...Line) {
	t.Helper()
	must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return j.Log(ctx, tx, account, resource, written...) }))
}

func (j *Journal) emit(t testing.TB, account, resource string, emitted ...Event) {
	t.Helper()
	must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return j.Emit(ctx, tx, account, resource, emitted...) }))
}

func messages(read []Line) string {
	text := ""
	for _, l := range read {
		text += l.Message + " "
	}
	return text
}

func TestLinesAreReadNewestFirstAndFiltered(t *testing.T) {
	j, now := newJournal(t)
	j.log(t, "act-1", "sig-1", Line{Message: "one"}, Line{Severity: Warn, Message: "two"})
	now.Advance(time.Minute)
	j.log(t, "act-1", "sig-1", Line{Severity: Error, Message: "three"}, Line{At: noon.Add(-time.Hour), Severity: Debug, Message: "before"})
	j.log(t, "act-1", "sig-2", Line{Message: "other group"})
	j.log(t, "act-2", "sig-1", Line{Message: "other account"})
	for _, c := range []struct {
		name  string
		query LineQuery
		want  string
	}{
		{"all", LineQuery{}, "three two one before "},
		{"limited", LineQuery{Limit: 2}, "three two "},
		{"by severity", LineQuery{Severities: []Severity{Warn, Error}}, "three two "},
		{"from, included", LineQuery{From: noon}, "three two one "},
		{"to, excluded", LineQuery{To: noon}, "before "},
	} {
		read, err := j.Lines(t.Context(), "act-1", "sig-1", c.query)
		must(t, err)
		check(t, c.name, messages(read), c.want)
	}
	read, err := j.Lines(t.Context(), "act-1", "sig-1", LineQuery{})
	must(t, err)
	check(t, "a whole line", read[0], Line{At: noon.Add(time.Minute), Severity: Error, Message: "three"})
	check(t, "severity by default", read[2].Severity, Info)
}

func TestWhatIsRolledBackNeverHappened(t *testing.T) {
	j, _ := newJournal(t)
	undone := errors.New("undone")
	err := j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		must(t, j.Log(ctx, tx, "act-1", "sig-1", Line{Message: "one"}))
		must(t, j.Emit(ctx, tx, "act-1", "sig-1", Event{Type: "launched"}))
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	lines, err := j.Lines(t.Context(), "act-1", "sig-1", LineQuery{})
	must(t, err)
	events, err := j.Events(t.Context(), "act-1", "sig-1", time.Time{}, time.Time{})
	must(t, err)
	sealed, err := j.Seal(t.Context())
	must(t, err)
	check(t, "lines, events, sealed", fmt.Sprint(len(lines), len(events), sealed), "0 0 0")
}

func TestEventsAreReadOldestFirstWithTheirData(t *testing.T) {
	j, now := newJournal(t)
	j.emit(t, "act-1", "sig-1", Event{Type: "launched", Data: json.RawMessage(`{"instance":"i-1","note":"a<b"}`)})
	now.Advance(time.Minute)
	j.emit(t, "act-1", "sig-1", Event{Type: "terminated"})
	read, err := j.Events(t.Context(), "act-1", "sig-1", noon, noon.Add(time.Hour))
	must(t, err)
	check(t, "events", len(read), 2)
	check(t, "first", fmt.Sprint(read[0].Type, read[0].At.Equal(noon), string(read[0].Data)), `launchedtrue{"instance":"i-1","note":"a<b"}`)
	check(t, "data of an event without any", len(read[1].Data), 0)
	early, err := j.Events(t.Context(), "act-1", "sig-1", noon, noon.Add(time.Minute))
	must(t, err)
	check(t, "events before the end", len(early), 1)
}

func TestDataThatIsNoJSONIsRefusedAndWritesNothing(t *testing.T) {
	j, _ := newJournal(t)
	err := j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return j.Emit(ctx, tx, "act-1", "sig-1", Event{Type: "fine"}, Event{Type: "broken", Data: json.RawMessage(`{`)})
	})
	if err == nil {
		t.Error("broken data was taken")
	}
}

func TestFollowersSeeEverySealedRecordOnceWithoutGaps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) { followersSeeEverySealedRecordOnce(t, at.Open(t)) })
}

func followersSeeEverySealedRecordOnce(t *testing.T, db *store.DB) {
	j, _ := journalOn(db)
	const writers, each = 8, 60
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := range each {
				err := j.db.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
					return j.Emit(ctx, tx, "act-1", "sig-1", Event{Type: fmt.Sprintf("%d/%d", w, n)})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()

	seen, last, total := map[string]int{}, int64(0), 0
	for done := false; !done; {
		select {
		case <-written:
			done = true // one more round finds the rest
		default:
		}
		sealed, err := j.Seal(t.Context())
		must(t, err)
		total += sealed
		for {
			page, err := j.FollowEvents(t.Context(), "act-1", "sig-1", last, 50)
			must(t, err)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				check(t, "next place", e.Seq, last+1)
				last = e.Seq
				seen[e.Value.Type]++
			}
		}
	}
	check(t, "sealed", total, writers*each)
	check(t, "seen", len(seen), writers*each)
}

func TestUnsealedRecordsAreReadButNotFollowed(t *testing.T) {
	j, _ := newJournal(t)
	j.log(t, "act-1", "sig-1", Line{Message: "one"})
	page, err := j.FollowLines(t.Context(), "act-1", "", 0, 10)
	must(t, err)
	check(t, "followed before sealing", len(page), 0)
	_, err = j.Seal(t.Context())
	must(t, err)
	page, err = j.FollowLines(t.Context(), "act-1", "", 0, 10)
	must(t, err)
	check(t, "followed", fmt.Sprint(page), fmt.Sprint([]Sealed[Line]{{Seq: 1, Resource: "sig-1", Value: Line{At: noon, Severity: Info, Message: "one"}}}))
	foreign, err := j.FollowLines(t.Context(), "act-2", "", 0, 10)
	must(t, err)
	check(t, "followed by another account", len(foreign), 0)
}

func TestOneSealingTakesAWholeBurst(t *testing.T) {
	j, _ := newJournal(t)
	burst := make([]Line, 2*batch+1)
	for n := range burst {
		burst[n].Message = fmt.Sprint(n)
	}
	j.log(t, "act-1", "sig-1", burst...)
	j.emit(t, "act-1", "sig-1", Event{Type: "launched"})
	sealed, err := j.Seal(t.Context())
	must(t, err)
	check(t, "sealed", sealed, len(burst)+1)
	again, err := j.Seal(t.Context())
	must(t, err)
	check(t, "sealed again", again, 0)
	page, err := j.FollowLines(t.Context(), "act-1", "sig-1", int64(len(burst)-1), 10)
	must(t, err)
	check(t, "the last line", page[0].Value.Message, fmt.Sprint(len(burst)-1))
}

func BenchmarkSealingTenThousandLines(b *testing.B) {
	j, _ := newJournal(b)
	burst := make([]Line, 10_000)
	for n := range burst {
		burst[n].Message = "Launched 1 instance in m5.large/us-east-1a/spot because the group was below its target."
	}
	for b.Loop() {
		b.StopTimer()
		j.log(b, "act-1", "sig-1", burst...)
		b.StartTimer()
		sealed, err := j.Seal(b.Context())
		must(b, err)
		check(b, "sealed", sealed, len(burst))
	}
	b.ReportMetric(float64(b.N*len(burst))/b.Elapsed().Seconds(), "records/s")
}
