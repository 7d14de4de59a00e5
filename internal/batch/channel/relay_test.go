package channel_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// shared is a world of several hubs on one database, as replicas are.
func shared(t testing.TB, at storetest.Place, hubs int) *world {
	w := &world{t: t}
	for range hubs {
		w.join(at.Open(t))
	}
	return w
}

func (w *world) join(db *store.DB) {
	h := channel.New(channel.Config{Shared: db})
	w.t.Cleanup(h.Close)
	w.hubs = append(w.hubs, h)
}

// replicas runs a test on several hubs: on PostgreSQL each has connections of its own. SQLite has one writer, and so they share one database there.
func replicas(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		w, db := &world{t: t}, storetest.SQLite(t).Open(t)
		w.join(db)
		w.join(db)
		test(t, w)
	})
	t.Run("postgres", func(t *testing.T) { test(t, shared(t, storetest.Postgres(t), 2)) })
}

func TestAMessageReachesSubscribersOfOtherReplicas(t *testing.T) {
	replicas(t, func(t *testing.T, w *world) {
		at := w.begin(1)
		if other := w.begin(0); other != at {
			t.Errorf("with no message yet, replicas begin at %v and %v", at, other)
		}
		sent := w.publish(0, "a", "x")
		found, next := w.receive(1, at, "a", "b")
		w.same(found, `"x"`)
		if next != sent || found[0].Token != sent {
			t.Errorf("its token is %v, want %v", next, sent)
		}
		arrived := make(chan []channel.Message)
		go func() { arrived <- first(w.receive(1, next, "a", "b")) }()
		w.publish(0, "b", "y")
		w.same(<-arrived, `"y"`)
	})
}

func TestASubscriberMayMoveBetweenReplicas(t *testing.T) {
	replicas(t, func(t *testing.T, w *world) {
		at, want := w.begin(0), []string(nil)
		for n := range 60 {
			w.publish(n%2, "a", n)
			want = append(want, fmt.Sprint(n))
		}
		var got []string
		for n := 1; len(got) < len(want); n++ {
			var found []channel.Message
			found, at = w.receive(n%2, at, "a")
			got = append(got, payloads(found)...)
			if n < 30 {
				w.publish(n%2, "a", 59+n)
				want = append(want, fmt.Sprint(59+n))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestReplicasHaveOneOrder(t *testing.T) {
	replicas(t, func(_ *testing.T, w *world) { w.race(5, 15) })
}

func TestAReplicaThatStartsKnowsTheHistory(t *testing.T) {
	at := storetest.SQLite(t)
	db := at.Open(t)
	w := &world{t: t}
	w.join(db)
	begin := w.begin(0)
	for n := range 250 {
		w.publish(0, "a", n)
		w.publish(0, "b", n)
	}
	w.join(db)
	found, _ := w.receive(1, begin, "a")
	if len(found) != channel.History || string(found[0].Payload) != "150" {
		t.Errorf("%d messages: %v", len(found), payloads(found))
	}
	if _, _, err := w.hubs[1].Receive(shortly(t), "act-00000002", []string{"a"}, begin); err != context.DeadlineExceeded {
		t.Errorf("another account's channel of that name: %v", err)
	}
}

// shortly is a wait that would find what there is.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestWithoutItsDatabaseAReplicaRefuses(t *testing.T) {
	db, err := store.Open(t.Context(), store.Config{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	h := channel.New(channel.Config{Shared: db})
	defer h.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Publish(t.Context(), account, channel.Message{Channel: "a", Payload: text(1)}); err == nil {
		t.Error("a message that is nowhere is said to be sent")
	}
	if _, _, err := h.Receive(t.Context(), account, []string{"a"}, 0); err == nil || fault.Is(err, fault.Invalid) {
		t.Errorf("a subscriber begins: %v", err)
	}
}

func TestOldMessagesAreForgottenAndTheOrderGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		w := &world{t: t}
		w.join(db)
		for n := range 20 {
			w.publish(0, "a", n)
		}
		rules := channel.Retention()
		for _, rule := range rules {
			rule.Keep = time.Nanosecond
			if _, err := db.Prune(t.Context(), rule, time.Now(), 1000); err != nil {
				t.Fatal(err)
			}
		}
		w.join(db)
		begin := w.begin(1)
		if sent := w.publish(0, "a", "next"); sent <= begin {
			t.Errorf("the token %v is not behind %v", sent, begin)
		}
		w.same(first(w.receive(1, begin, "a")), `"next"`)
	})
}

// The time from a call of Publish at one hub to the return of Receive at another.
func BenchmarkPublishToReceive(b *testing.B) {
	measure := func(b *testing.B, w *world) {
		from, to := w.hubs[0], w.hubs[len(w.hubs)-1]
		at := w.begin(len(w.hubs) - 1)
		var took []time.Duration
		for b.Loop() {
			var began time.Time
			var published sync.WaitGroup
			published.Go(func() {
				began = time.Now()
				if _, err := from.Publish(context.Background(), account, channel.Message{Channel: "a", Payload: text(1)}); err != nil && !fault.Is(err, fault.Limit) {
					b.Error(err)
				}
			})
			_, next, err := to.Receive(context.Background(), account, []string{"a"}, at)
			published.Wait()
			if err != nil {
				b.Fatal(err)
			}
			at, took = next, append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
	}
	b.Run("memory", func(b *testing.B) { measure(b, alone(b)) })
	b.Run("postgres, same replica", func(b *testing.B) { measure(b, shared(b, storetest.Postgres(b), 1)) })
	b.Run("postgres, another replica", func(b *testing.B) { measure(b, shared(b, storetest.Postgres(b), 2)) })
}

func BenchmarkPublishFromMany(b *testing.B) {
	measure := func(b *testing.B, w *world) {
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				_, err := w.hubs[0].Publish(context.Background(), fmt.Sprint("act-", n), channel.Message{Channel: "a", Payload: text(1)})
				if err != nil && !fault.Is(err, fault.Limit) {
					b.Error(err)
				}
			}
		})
	}
	b.Run("memory", func(b *testing.B) { measure(b, alone(b)) })
	b.Run("postgres", func(b *testing.B) { measure(b, shared(b, storetest.Postgres(b), 1)) })
}
