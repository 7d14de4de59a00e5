package channel

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// block is what messages of any size are cut from: many of them then take no room in the test.
var block = json.RawMessage(strings.Repeat("1", 32<<10))

func put(t *testing.T, h *Hub, account, name string, size int) {
	t.Helper()
	payload := block[:size]
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deliver(account, Message{Channel: name, Token: h.next(), Payload: payload})
}

// adds up what a hub says of its memory, against what is there.
func sums(t *testing.T, h *Hub) (topics, bytes int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.shares {
		own := 0
		for _, topic := range s.topics {
			in := 0
			for _, m := range topic.messages {
				in += m.size()
			}
			if in != topic.bytes {
				t.Errorf("a channel counts %d bytes and has %d", topic.bytes, in)
			}
			own += in
		}
		if own != s.bytes || len(s.topics) != s.used.Len() {
			t.Errorf("an account counts %d bytes and has %d; %d channels and %d", s.bytes, own, s.used.Len(), len(s.topics))
		}
		topics, bytes = topics+len(s.topics), bytes+own
	}
	if bytes != h.bytes {
		t.Errorf("the hub counts %d bytes and has %d", h.bytes, bytes)
	}
	return topics, bytes
}

func TestMemoryIsBoundedPerAccountAndAltogether(t *testing.T) {
	h := New(Config{})
	defer h.Close()
	put(t, h, "quiet", "a", 1000)
	for n := range 3 * mostTopics {
		put(t, h, "runaway", fmt.Sprint("c", n), 30<<10)
	}
	if _, bytes := sums(t, h); bytes > mostBytes+2000 {
		t.Errorf("%d bytes of one account", bytes)
	}
	if n := len(h.shares["runaway"].topics); n > mostTopics {
		t.Errorf("%d channels of one account", n)
	}
	for n := range 20 {
		for m := range 2 * mostBytes / (30 << 10) {
			put(t, h, fmt.Sprint("account", n), fmt.Sprint("c", m), 30<<10)
		}
	}
	if _, bytes := sums(t, h); bytes > allBytes {
		t.Errorf("%d bytes altogether", bytes)
	}
	if h.shares["quiet"].bytes == 0 {
		t.Error("an account with one small message had to pay for the others")
	}
}

func TestIdleChannelsAreForgottenAndThoseWithSubscribersAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Config{})
		ctx, leave := context.WithCancel(t.Context())
		for n := range 50 {
			put(t, h, "a", fmt.Sprint("c", n), 10)
		}
		go func() { _, _, _ = h.Receive(ctx, "a", []string{"c7", "other"}, 2*Now()) }()
		synctest.Wait()
		waiting := runtime.NumGoroutine()
		time.Sleep(idleFor + sweepEvery)
		put(t, h, "b", "c", 10)
		if err := h.admit("b", &Message{}); err != nil {
			t.Fatal(err)
		}
		if topics, _ := sums(t, h); topics != 3 {
			t.Errorf("%d channels are left", topics)
		}
		leave()
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > waiting {
			t.Errorf("%d goroutines, %d while somebody waited", n, waiting)
		}
		time.Sleep(2 * idleFor)
		if err := h.admit("c", &Message{}); err != nil {
			t.Fatal(err)
		}
		if topics, bytes := sums(t, h); topics != 0 || bytes != 0 || len(h.shares) != 1 {
			t.Errorf("%d channels, %d bytes, %d accounts are left", topics, bytes, len(h.shares))
		}
	})
}

func TestChannelsWithSubscribersAreNotGivenUpForNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Config{})
		ctx, leave := context.WithCancel(t.Context())
		for n := range mostTopics / MostChannels {
			names := make([]string, MostChannels)
			for i := range names {
				names[i] = fmt.Sprint("c", n, "-", i)
			}
			go func() { _, _, _ = h.Receive(ctx, "a", names, Now()) }()
		}
		synctest.Wait()
		if _, _, err := h.Receive(ctx, "a", []string{"one more"}, Now()); err == nil {
			t.Error("one more channel has a subscriber")
		}
		if h.waiting != mostTopics/MostChannels || h.shares["a"].readers != h.waiting {
			t.Errorf("%d wait, of the account %d", h.waiting, h.shares["a"].readers)
		}
		put(t, h, "a", "one more", 10) // nowhere to keep it, and nobody waits for it
		leave()
		synctest.Wait()
		put(t, h, "a", "one more", 10)
		if h.known("a", "one more") == nil || h.waiting != 0 {
			t.Error("a new channel has no room though nobody waits any more")
		}
	})
}
