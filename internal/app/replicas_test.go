package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// crew are replicas on one database, with a clock of the test.
func crew(t *testing.T, db *store.DB, n int) (all []*replicas) {
	for range n {
		all = append(all, newReplicas(db, slog.New(slog.NewTextHandler(t.Output(), nil)), ident.UUID()))
	}
	return all
}

func counts(all []*replicas) (n []int) {
	for _, r := range all {
		n = append(n, r.count())
	}
	return n
}

func TestReplicasCountThoseThatShowSignsOfLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		all := crew(t, at.Open(t), 3)
		for range 2 {
			for _, r := range all {
				r.round(t.Context())
			}
		}
		for i, n := range counts(all) {
			if n != 3 {
				t.Errorf("replica %d counts %d of 3", i, n)
			}
		}
	})
}

func TestAReplicaThatLeavesIsCountedOutAtOnceAndOneThatDiesSoon(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		all := crew(t, db, 3)
		for _, r := range all {
			r.start(t.Context())
		}
		for _, r := range all {
			r.round(t.Context())
		}
		if err := all[0].end(); err != nil {
			t.Fatal(err)
		}
		all[1].stop() // killed: it says nothing any more, and its row stays
		all[1].ended.Wait()
		survivor := all[2]
		survivor.stop()
		survivor.ended.Wait()
		survivor.round(t.Context())
		if n := survivor.count(); n != 2 {
			t.Errorf("%d are counted right after one left and one died", n)
		}
		age := func(by time.Duration) {
			survivor.mu.Lock()
			defer survivor.mu.Unlock()
			for id, s := range survivor.seen {
				survivor.seen[id] = sign{s.version, s.at.Add(-by)}
			}
		}
		age(beatFresh + time.Second)
		survivor.round(t.Context())
		if n := survivor.count(); n != 1 {
			t.Errorf("%d are counted ten seconds after one died", n)
		}
		age(beatForget)
		survivor.round(t.Context())
		rows, _, err := beats.List(t.Context(), db, store.Installation(), store.Query{States: []string{beatState}})
		if err != nil || len(rows) != 1 {
			t.Errorf("%d rows are left a minute after one died, %v", len(rows), err)
		}
		if err := survivor.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestAReplicaTakenForDeadComesBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		all := crew(t, db, 2)
		all[0].round(t.Context())
		if err := beats.Delete(t.Context(), db, store.Installation(), all[0].id); err != nil {
			t.Fatal(err)
		}
		all[0].round(t.Context())
		all[1].round(t.Context())
		if n := all[1].count(); n != 2 {
			t.Errorf("%d are counted", n)
		}
	})
}
