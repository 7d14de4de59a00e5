package channel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/fault"
)

// world is a hub, or several that share a database, with one account.
type world struct {
	t    testing.TB
	hubs []*channel.Hub
}

const account = "act-00000001"

func alone(t testing.TB) *world {
	h := channel.New(channel.Config{})
	t.Cleanup(h.Close)
	return &world{t, []*channel.Hub{h}}
}

func text(value any) json.RawMessage {
	out, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return out
}

func (w *world) publish(at int, name string, value any) channel.Token {
	w.t.Helper()
	token, err := w.hubs[at].Publish(context.Background(), account, channel.Message{Channel: name, Payload: text(value)})
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) receive(at int, after channel.Token, names ...string) ([]channel.Message, channel.Token) {
	w.t.Helper()
	found, next, err := w.hubs[at].Receive(context.Background(), account, names, after)
	if err != nil {
		w.t.Fatal(err)
	}
	return found, next
}

// begin is where a subscriber of the hub begins.
func (w *world) begin(at int) channel.Token {
	w.t.Helper()
	found, next := w.receive(at, 0, "any")
	if len(found) != 0 || len(next.String()) != 17 {
		w.t.Fatalf("a subscriber begins with %v at %s", found, next)
	}
	return next
}

func payloads(found []channel.Message) (texts []string) {
	for _, m := range found {
		texts = append(texts, string(m.Payload))
	}
	return texts
}

func (w *world) same(got []channel.Message, want ...string) {
	w.t.Helper()
	if fmt.Sprint(payloads(got)) != fmt.Sprint(want) {
		w.t.Errorf("got %v, want %v", payloads(got), want)
	}
}

func TestASubscriberGetsWhatComesAfterItsToken(t *testing.T) {
	w := alone(t)
	w.publish(0, "a", "before")
	at := w.begin(0)
	first := w.publish(0, "a", map[string]any{"x": "ü/?"})
	second := w.publish(0, "b", 2)
	w.publish(0, "c", "of another channel")
	found, next := w.receive(0, at, "b", "a", "b")
	w.same(found, `{"x":"ü/?"}`, "2")
	if found[0].Token != first || next != second {
		t.Errorf("tokens are %v and %v, want %v and %v", found[0].Token, next, first, second)
	}
	third := w.publish(0, "a", 3)
	if found, next = w.receive(0, next, "a", "b"); next != third {
		t.Errorf("it goes on from %v, want %v", next, third)
	}
	w.same(found, "3")
}

func TestAWaitEndsWithTheFirstMessageOrInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alone(t)
		at := w.begin(0)
		go func() {
			time.Sleep(time.Minute)
			w.publish(0, "b", 1)
		}()
		began := time.Now()
		found, next := w.receive(0, at, "a", "b")
		w.same(found, "1")
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it came after %s", took)
		}
		began = time.Now()
		found, still := w.receive(0, next, "a", "b")
		w.same(found)
		if took := time.Since(began); took != channel.LongestWait || still != next {
			t.Errorf("an empty wait took %s and goes on from %v, want %v", took, still, next)
		}
	})
}

func TestAWaitEndsWhenTheHubIsClosedOrTheClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alone(t)
		at := w.begin(0)
		ctx, leave := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() {
			if _, _, err := w.hubs[0].Receive(ctx, account, []string{"a"}, at); err != context.Canceled {
				t.Errorf("a client that went away: %v", err)
			}
		})
		ended.Go(func() { w.same(first(w.receive(0, at, "a"))) })
		synctest.Wait()
		leave()
		w.hubs[0].Close()
		ended.Wait()
		w.same(first(w.receive(0, at, "a")))
	})
}

func first[A, B any](a A, _ B) A { return a }

func TestASlowReaderGetsTheLastHundred(t *testing.T) {
	w := alone(t)
	at := w.begin(0)
	for n := range 250 {
		w.publish(0, "a", n)
	}
	found, next := w.receive(0, at, "a")
	if len(found) != channel.History || string(found[0].Payload) != "150" || string(found[99].Payload) != "249" {
		t.Fatalf("%d messages: %v", len(found), payloads(found))
	}
	w.publish(0, "a", "next")
	w.same(first(w.receive(0, next, "a")), `"next"`)
}

func TestManyChannelsAreReadInOrderAndInParts(t *testing.T) {
	w := alone(t)
	at := w.begin(0)
	for n := range 250 {
		w.publish(0, fmt.Sprint("c", n%3), n)
	}
	want := 0
	for want < 250 {
		var found []channel.Message
		found, at = w.receive(0, at, "c0", "c1", "c2")
		if len(found) > channel.History {
			t.Fatalf("%d at once", len(found))
		}
		for _, m := range found {
			if string(m.Payload) != fmt.Sprint(want) {
				t.Fatalf("%s comes, want %d", m.Payload, want)
			}
			want++
		}
	}
}

func TestATokenFromTheFutureMeansFromNowOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alone(t)
		w.publish(0, "a", "before")
		var ended sync.WaitGroup
		ended.Go(func() { w.same(first(w.receive(0, 2*channel.Now(), "a")), `"now"`) })
		synctest.Wait()
		w.publish(0, "a", "now")
		ended.Wait()
	})
}

func TestWhatIsWrongOrTooMuchIsRefused(t *testing.T) {
	w := alone(t)
	long := strings.Repeat("ä", 93)
	for what, c := range map[string]struct {
		m    channel.Message
		kind fault.Kind
		noun string
	}{
		"no channel":        {channel.Message{Payload: text(1)}, fault.Invalid, "channel"},
		"a comma":           {channel.Message{Channel: "a,b", Payload: text(1)}, fault.Invalid, "channel"},
		"a long channel":    {channel.Message{Channel: long, Payload: text(1)}, fault.Invalid, "channel"},
		"a wrong channel":   {channel.Message{Channel: "\xff", Payload: text(1)}, fault.Invalid, "channel"},
		"a long publisher":  {channel.Message{Channel: "a", Publisher: long, Payload: text(1)}, fault.Invalid, "publisher"},
		"no payload":        {channel.Message{Channel: "a"}, fault.Invalid, "message"},
		"no JSON":           {channel.Message{Channel: "a", Payload: []byte(`{"a"`)}, fault.Invalid, "message"},
		"two values":        {channel.Message{Channel: "a", Payload: []byte(`1 2`)}, fault.Invalid, "message"},
		"no UTF-8":          {channel.Message{Channel: "a", Payload: []byte("\"\xff\"")}, fault.Invalid, "message"},
		"wrong meta":        {channel.Message{Channel: "a", Payload: text(1), Meta: []byte("x")}, fault.Invalid, "meta"},
		"a large message":   {channel.Message{Channel: "a", Payload: text(strings.Repeat("x", 32<<10))}, fault.Limit, "message"},
		"a message at most": {channel.Message{Channel: "a", Payload: text(strings.Repeat("x", 32<<10-2))}, "", ""},
	} {
		_, err := w.hubs[0].Publish(t.Context(), account, c.m)
		if c.kind == "" && err != nil || c.kind != "" && (!fault.Is(err, c.kind) || fault.As(err).Noun != c.noun) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, names := range [][]string{nil, {""}, {"a", "b,c"}, make([]string, 101)} {
		if _, _, err := w.hubs[0].Receive(t.Context(), account, names, 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d channels: %v", len(names), err)
		}
	}
}

func TestARunawayPublisherIsHeldBackAndOthersAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alone(t)
		count := func(m channel.Message) (sent int) {
			for {
				_, err := w.hubs[0].Publish(t.Context(), account, m)
				if fault.Is(err, fault.Limit) && fault.As(err).Noun == "rate" {
					return sent
				}
				if err != nil {
					t.Fatal(err)
				}
				sent++
			}
		}
		small := channel.Message{Channel: "a", Payload: text(1)}
		if got := count(small); got != 1000 {
			t.Errorf("%d messages at once", got)
		}
		if _, err := w.hubs[0].Publish(t.Context(), "act-00000002", small); err != nil {
			t.Errorf("another account: %v", err)
		}
		time.Sleep(time.Second)
		if got := count(small); got != 500 {
			t.Errorf("%d messages a second later", got)
		}
		time.Sleep(time.Hour)
		if got := count(channel.Message{Channel: "a", Payload: text(strings.Repeat("x", 30<<10))}); got != 125 {
			t.Errorf("%d large messages at once", got)
		}
	})
}

func TestSubscribersThatAreTooManyAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := alone(t)
		at := w.begin(0)
		ctx, leave := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		for range 1000 {
			ended.Go(func() { _, _, _ = w.hubs[0].Receive(ctx, account, []string{"a"}, at) })
		}
		synctest.Wait()
		if _, _, err := w.hubs[0].Receive(t.Context(), account, []string{"a"}, at); !fault.Is(err, fault.Limit) {
			t.Errorf("one more waits: %v", err)
		}
		leave()
		ended.Wait()
		w.publish(0, "a", 1)
		w.same(first(w.receive(0, at, "a")), "1")
	})
}

// Whatever is published and read in whatever order, each reader gets every message of its channels once, in order, as long as it keeps up.
func TestReadersThatKeepUpMissNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := channel.New(channel.Config{})
		defer h.Close()
		names := []string{"a", "b", "c"}
		type reader struct {
			names []string
			at    channel.Token
			owed  []string
		}
		var readers []*reader
		for n := range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch which := rapid.IntRange(0, 5).Draw(t, "step"); {
			case which == 0 || len(readers) == 0:
				_, at, err := h.Receive(context.Background(), account, names, 0)
				if err != nil {
					t.Fatal(err)
				}
				readers = append(readers, &reader{names: rapid.Permutation(names).Draw(t, "names")[:rapid.IntRange(1, 3).Draw(t, "count")], at: at})
			case which == 1:
				r := rapid.SampledFrom(readers).Draw(t, "reader")
				if len(r.owed) == 0 {
					continue
				}
				found, next, err := h.Receive(context.Background(), account, r.names, r.at)
				if err != nil || fmt.Sprint(payloads(found)) != fmt.Sprint(r.owed) {
					t.Fatalf("got %v, want %v, %v", payloads(found), r.owed, err)
				}
				r.at, r.owed = next, nil
			default:
				name := rapid.SampledFrom(names).Draw(t, "channel")
				token, err := h.Publish(context.Background(), account, channel.Message{Channel: name, Payload: text(n)})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range readers {
					for _, own := range r.names {
						if own == name {
							r.owed = append(r.owed, fmt.Sprint(n))
						}
					}
					if token <= r.at {
						t.Fatalf("the token %v is not behind %v", token, r.at)
					}
				}
			}
		}
	})
}

func TestManyAtOnceMissNothing(t *testing.T) {
	w := alone(t)
	w.race(1, 100)
}

// race has publishers and subscribers at every hub at once: each subscriber gets all messages once, in the same order.
func (w *world) race(publishers, each int) {
	w.t.Helper()
	var all sync.WaitGroup
	total := len(w.hubs) * publishers * each
	orders := make([][]string, 2*len(w.hubs))
	for n := range orders {
		at := w.begin(n % len(w.hubs))
		all.Go(func() {
			for len(orders[n]) < total {
				found, next, err := w.hubs[n%len(w.hubs)].Receive(context.Background(), account, []string{"a", "b"}, at)
				if err != nil {
					w.t.Error(err)
					return
				}
				orders[n], at = append(orders[n], payloads(found)...), next
			}
		})
	}
	for n := range len(w.hubs) * publishers {
		all.Go(func() {
			for i := range each {
				w.publish(n%len(w.hubs), []string{"a", "b"}[i%2], fmt.Sprint(n, ":", i))
			}
		})
	}
	all.Wait()
	for n, order := range orders {
		if len(order) != total || fmt.Sprint(order) != fmt.Sprint(orders[0]) {
			w.t.Errorf("reader %d got %d messages of %d, or in another order", n, len(order), total)
		}
	}
}
