package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func (j *Journal) raise(t testing.TB, account, resource string, kind AlertKind, message string) {
	t.Helper()
	must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return j.Alert(ctx, tx, account, resource, kind, message)
	}))
}

func (j *Journal) calm(t testing.TB, account, resource string, kind AlertKind) {
	t.Helper()
	must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return j.Calm(ctx, tx, account, resource, kind) }))
}

func (j *Journal) open(t testing.TB, account string) string {
	t.Helper()
	list, err := j.Alerts(t.Context(), account)
	must(t, err)
	text := ""
	for _, a := range list {
		text += fmt.Sprintf("%s/%s/%s: %s; ", a.Account, a.Resource, a.Kind, a.Message)
	}
	return text
}

func TestAnAlertIsOpenFromItsFirstRaiseUntilItsCalm(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j, now := journalOn(at.Open(t))
		j.calm(t, "act-1", "sig-1", AlertHold) // nothing yet: no harm
		j.raise(t, "act-1", "sig-1", AlertHold, "half is gone")
		now.Advance(time.Minute)
		j.raise(t, "act-1", "sig-1", AlertHold, "all is gone")
		j.raise(t, "act-2", "sig-9", AlertBreaker, "too many")
		j.raise(t, "", "", AlertSealerLag, "late")
		check(t, "of one account", j.open(t, "act-1"), "act-1/sig-1/hold: all is gone; ")
		check(t, "of all", strings.Count(j.open(t, ""), ";"), 3)
		list, err := j.Alerts(t.Context(), "act-1")
		must(t, err)
		check(t, "opened", list[0].Opened, noon)
		j.calm(t, "act-1", "sig-1", AlertHold)
		check(t, "after its end", j.open(t, "act-1"), "")
	})
}

func TestEveryOpeningOfAnAlertIsKeptInItsHistory(t *testing.T) {
	j, now := newJournal(t)
	for n := range 3 {
		j.raise(t, "act-1", "sig-1", AlertCannotLaunch, fmt.Sprint("no pool ", n))
		now.Advance(time.Minute)
		j.calm(t, "act-1", "sig-1", AlertCannotLaunch)
		now.Advance(time.Minute)
	}
	j.raise(t, "act-1", "sig-1", AlertCannotLaunch, "no pool 3")
	history, _, err := j.AlertHistory(t.Context(), "act-1", AlertQuery{})
	must(t, err)
	text := ""
	for _, a := range history {
		text += fmt.Sprintf("%s %s %v; ", a.Message, a.Opened.Sub(noon), a.Closed.IsZero())
	}
	check(t, "newest first", text, "no pool 3 6m0s true; no pool 2 4m0s false; no pool 1 2m0s false; no pool 0 0s false; ")
	open, _, err := j.AlertHistory(t.Context(), "act-1", AlertQuery{Open: true})
	must(t, err)
	check(t, "only open ones", len(open), 1)
	other, _, err := j.AlertHistory(t.Context(), "act-2", AlertQuery{})
	must(t, err)
	check(t, "of another account", len(other), 0)
	forgotten := 0
	must(t, j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		forgotten, err = j.ForgetAlerts(ctx, tx, noon.Add(4*time.Minute), 100)
		return err
	}))
	check(t, "forgotten", forgotten, 2)
}

func TestOpeningAndEndAreEventsAndLogLinesButRepeatsAreNot(t *testing.T) {
	var out bytes.Buffer
	j := New(Config{DB: storetest.Open(t, store.Config{Memory: true}), Clock: clock.NewManual(noon), Log: slog.New(slog.NewJSONHandler(&out, nil))})
	for range 3 {
		j.raise(t, "act-1", "sig-1", AlertHold, "half is gone")
	}
	j.raise(t, "act-1", "sig-1", AlertHold, "all is gone")
	j.calm(t, "act-1", "sig-1", AlertHold)
	j.calm(t, "act-1", "sig-1", AlertHold)
	emitted, err := j.Events(t.Context(), "act-1", "sig-1", time.Time{}, time.Time{})
	must(t, err)
	check(t, "events", len(emitted), 2)
	states := ""
	for _, e := range emitted {
		var data struct{ Kind, State string }
		must(t, json.Unmarshal(e.Data, &data))
		kind, is := IsAlertEvent(e.Type)
		states += fmt.Sprint(e.Type, " ", kind, " ", is, " ", data.Kind, " ", data.State, "; ")
	}
	check(t, "states", states, "alert.hold hold true hold open; alert.hold hold true hold closed; ")
	check(t, "log", strings.Count(out.String(), `"level":"WARN","msg":"alert open"`)+10*strings.Count(out.String(), `"msg":"alert closed"`), 11)
	check(t, "lines in all", strings.Count(out.String(), "\n"), 2)
}

func TestAnAlertThatIsRolledBackIsNeverToldOf(t *testing.T) {
	var out bytes.Buffer
	j := New(Config{DB: storetest.Open(t, store.Config{Memory: true}), Clock: clock.NewManual(noon), Log: slog.New(slog.NewJSONHandler(&out, nil))})
	undone := errors.New("undone")
	err := j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		must(t, j.Alert(ctx, tx, "act-1", "sig-1", AlertHold, "half is gone"))
		return undone
	})
	check(t, "error", errors.Is(err, undone), true)
	check(t, "open and logged", j.open(t, "")+out.String(), "")
}

func TestReplicasThatRaiseOneAlertTogetherOpenItOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j, _ := journalOn(at.Open(t))
		var together sync.WaitGroup
		for n := range 8 {
			together.Go(func() { j.raise(t, "act-1", "sig-1", AlertHold, fmt.Sprint("seen by ", n)) })
		}
		together.Wait()
		emitted, err := j.Events(t.Context(), "act-1", "sig-1", time.Time{}, time.Time{})
		must(t, err)
		check(t, "openings", len(emitted), 1)
		check(t, "open", strings.Count(j.open(t, ""), ";"), 1)
	})
}

func TestEveryKindHasItsMeaningAndAdvice(t *testing.T) {
	seen := map[AlertKind]bool{}
	for _, k := range AlertKinds() {
		if seen[k.Kind] || k.Meaning == "" || k.Advice == "" {
			t.Errorf("%s: twice, or without words", k.Kind)
		}
		seen[k.Kind] = true
	}
	check(t, "kinds", len(seen), 14)
}

func TestTheSealersLagIsThatOfTheOldestUnsealedRecord(t *testing.T) {
	j, _ := newJournal(t)
	lag := func() time.Duration {
		d, err := j.SealerLag(t.Context())
		must(t, err)
		return d
	}
	check(t, "nothing waits", lag(), 0)
	j.log(t, "act-1", "sig-1", Line{Message: "one"})
	if first := lag(); first <= 0 || lag() <= first {
		t.Error("what waits does not age")
	}
	_, err := j.Seal(t.Context())
	must(t, err)
	check(t, "sealed", lag(), 0)
	check(t, "the age that an id tells", recordAge(fmt.Sprintf("%x", noon.UnixNano())+"0123456789ab", noon.Add(time.Minute)), time.Minute)
	check(t, "the age that an audit entry's shorter id tells", recordAge(fmt.Sprintf("%x", noon.UnixNano())+"01234567", noon.Add(time.Minute)), time.Minute)
	check(t, "of another id", recordAge("whatever-it-is-called", noon), 0)
}

func TestTheAccountsWithNewEventsAreFoundPageByPage(t *testing.T) {
	j, _ := newJournal(t)
	j.emit(t, "act-1", "sig-1", Event{Type: "one"}, Event{Type: "two"})
	j.emit(t, "act-2", "sig-2", Event{Type: "three"})
	_, err := j.Seal(t.Context())
	must(t, err)
	j.emit(t, "act-3", "sig-3", Event{Type: "unsealed"})
	last, err := j.LastEvent(t.Context(), j.db)
	must(t, err)
	check(t, "last", last, 3)
	first, reached, err := j.AccountsWithEvents(t.Context(), 0, 2)
	must(t, err)
	check(t, "first page", fmt.Sprint(first, reached), "map[act-1:true] 2")
	rest, reached, err := j.AccountsWithEvents(t.Context(), reached, 2)
	must(t, err)
	check(t, "second page", fmt.Sprint(rest, reached), "map[act-2:true] 3")
}
