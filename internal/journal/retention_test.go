package journal

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func TestAMarketStaysAsLongAsTheNewestDecisionThatWasMadeOnIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		const keep = 30 * 24 * time.Hour
		db := at.Open(t)
		j, clock := journalOn(db)
		decide := func(id, market string) {
			t.Helper()
			_, err := keepDecision(t.Context(), j, db, Decision{ID: id, Account: "act-1", Group: "sig-1", Inputs: json.RawMessage("{}"), Plan: json.RawMessage("{}")}, json.RawMessage(market))
			must(t, err)
		}
		prune := func() {
			t.Helper()
			for _, rule := range j.Retention(keep, keep, keep) {
				_, err := db.Prune(t.Context(), rule, clock.Now(), 1000)
				must(t, err)
			}
		}
		left := func() int {
			t.Helper()
			n, err := snapshots.Count(t.Context(), db, store.Installation(), store.Query{})
			must(t, err)
			return n
		}
		decide("dec-1", `"once"`)
		decide("dec-2", `"again"`)
		clock.Advance(20 * 24 * time.Hour)
		decide("dec-3", `"again"`)
		clock.Advance(15 * 24 * time.Hour) // the first two are 35 days old, the third 15
		prune()
		check(t, "markets", left(), 1)
		_, market, err := j.Decision(t.Context(), "act-1", "sig-1", "dec-3")
		must(t, err)
		check(t, "market", string(market), `"again"`)
		clock.Advance(20 * 24 * time.Hour)
		prune()
		check(t, "markets at the end", left(), 0)
	})
}

func TestNothingIsForgottenThatIsKeptForEver(t *testing.T) {
	j, _ := newJournal(t)
	for _, rule := range j.Retention(-1, -1, -1) {
		if rule.Keep > 0 {
			t.Errorf("%+v", rule)
		}
	}
}

func TestAuditEntriesGoInWallTime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j, clock := journalOn(at.Open(t))
		for range 3 {
			must(t, j.Record(t.Context(), nil, op.AuditEntry{Organisation: "org-1", Outcome: "done"}))
		}
		_, err := j.Seal(t.Context())
		must(t, err)
		clock.Advance(1000 * 24 * time.Hour) // the engine's time, which audit entries do not live in
		for _, step := range []struct {
			keep time.Duration
			left int
		}{{time.Hour, 3}, {time.Nanosecond, 1}} {
			for _, rule := range j.Retention(-1, step.keep, -1) {
				_, err := j.db.Prune(t.Context(), rule, clock.Now(), 1000)
				must(t, err)
			}
			entries, err := j.AuditEntries(t.Context(), "org-1", AuditQuery{})
			must(t, err)
			check(t, "entries that are left", len(entries), step.left)
		}
	})
}
