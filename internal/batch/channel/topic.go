package channel

import (
	"bytes"
	"container/list"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/fault"
)

// share is what one account has of the memory.
type share struct {
	topics  map[string]*topic
	used    *list.List // of *topic, the one that was used last in front
	bytes   int
	readers int
	allowed float64 // messages that may come at once, as of counted
	counted time.Time
}

// topic is one channel of one account.
type topic struct {
	account, name string
	messages      []Message // in the order of their tokens
	bytes         int
	readers       map[*reader]struct{}
	used          time.Time
	place         *list.Element
	loaded        bool // what the database has of it is here; without a relay it means nothing
}

// reader is one call that waits.
type reader struct {
	share  *share
	topics []*topic
	wake   chan struct{}
}

// compacted is a JSON value without blanks; fits is false when it is none.
func compacted(text []byte) (value json.RawMessage, fits bool) {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil || !utf8.Valid(text) {
		return nil, false
	}
	return out.Bytes(), true
}

// of is an account's share.
func (h *Hub) of(account string) *share {
	s := h.shares[account]
	if s == nil {
		s = &share{topics: map[string]*topic{}, used: list.New(), allowed: burst, counted: time.Now()}
		h.shares[account] = s
	}
	return s
}

// admit counts a message against the account's rate.
func (h *Hub) admit(account string, m *Message) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweep()
	s, now := h.of(account), time.Now()
	s.allowed = min(burst, s.allowed+max(0, now.Sub(s.counted).Seconds())*perSecond)
	s.counted = now
	weight := float64(1 + len(m.Payload)/pieceSize)
	if s.allowed < weight {
		return fault.Of(fault.Limit, "rate", "Too many messages: an account may publish %d a second; try again in a moment.", perSecond)
	}
	s.allowed -= weight
	return nil
}

// topic finds a channel or begins one, and notes that it is used. It is nil when the account has all that it may have, and somebody waits at each.
func (h *Hub) topic(account, name string) *topic {
	s := h.of(account)
	t := s.topics[name]
	if t == nil {
		if len(s.topics) >= mostTopics && !h.dropIdlest(s) {
			return nil
		}
		t = &topic{account: account, name: name, readers: map[*reader]struct{}{}}
		t.place = s.used.PushFront(t)
		s.topics[name] = t
	}
	h.use(s, t)
	return t
}

func (h *Hub) use(s *share, t *topic) {
	t.used = time.Now()
	s.used.MoveToFront(t.place)
}

// attach makes a reader of channels. Whoever attaches, detaches.
func (h *Hub) attach(account string, channels []string) (*reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweep()
	s := h.of(account)
	if s.readers >= mostReaders {
		return nil, fault.Of(fault.Limit, "subscribers", "%d subscribers wait in this account already; end some of them.", s.readers)
	}
	r := &reader{share: s, wake: make(chan struct{}, 1)}
	s.readers++
	h.waiting++
	for _, name := range channels {
		t := h.topic(account, name)
		if t == nil {
			h.release(r)
			return nil, fault.Of(fault.Limit, "subscribers", "Subscribers wait at %d channels of this account already; end some of them.", mostTopics)
		}
		if _, twice := t.readers[r]; !twice {
			t.readers[r] = struct{}{}
			r.topics = append(r.topics, t)
		}
	}
	if h.relay != nil {
		h.relay.watch()
	}
	return r, nil
}

func (h *Hub) detach(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.release(r)
}

func (h *Hub) release(r *reader) {
	for _, t := range r.topics {
		delete(t.readers, r)
		h.use(r.share, t)
	}
	r.share.readers--
	h.waiting--
}

// deliver keeps a message and wakes its readers. Messages of a channel come in the order of their tokens.
func (h *Hub) deliver(account string, m Message) {
	t := h.topic(account, m.Channel)
	if t == nil {
		return // the account's readers wait elsewhere, at as many channels as it may have
	}
	h.keep(t, m)
	for r := range t.readers {
		select {
		case r.wake <- struct{}{}:
		default: // it has been woken already
		}
	}
}

// keep adds a message to a channel's history, and forgets what is then too much.
func (h *Hub) keep(t *topic, m Message) {
	if n := len(t.messages); n > 0 && t.messages[n-1].Token >= m.Token {
		return // known already
	}
	if len(t.messages) >= History {
		h.count(t, -t.messages[0].size())
		t.messages = slices.Delete(t.messages, 0, 1+len(t.messages)-History)
	}
	t.messages = append(t.messages, m)
	h.count(t, m.size())
	s := h.shares[t.account]
	for s.bytes > mostBytes && h.dropOldest(s, t) {
	}
	for h.bytes > allBytes && h.dropOldest(h.largest(), t) {
	}
}

func (h *Hub) count(t *topic, bytes int) {
	t.bytes += bytes
	h.shares[t.account].bytes += bytes
	h.bytes += bytes
}

// empty forgets a channel's messages.
func (h *Hub) empty(t *topic) {
	h.count(t, -t.bytes)
	t.messages = nil
}

// dropOldest forgets the history of the channel that has not been used for the longest time, and has any; spared keeps its own.
func (h *Hub) dropOldest(s *share, spared *topic) bool {
	for e := s.used.Back(); e != nil; e = e.Prev() {
		if t, _ := e.Value.(*topic); t != spared && t.bytes > 0 {
			h.empty(t)
			return true
		}
	}
	return false
}

// largest is the account whose messages take the most room.
func (h *Hub) largest() (most *share) {
	for _, s := range h.shares {
		if most == nil || s.bytes > most.bytes {
			most = s
		}
	}
	return most
}

// dropIdlest forgets the channel that nobody waits at and that has not been used for the longest time.
func (h *Hub) dropIdlest(s *share) bool {
	for e := s.used.Back(); e != nil; e = e.Prev() {
		if t, _ := e.Value.(*topic); len(t.readers) == 0 {
			h.drop(s, t)
			return true
		}
	}
	return false
}

func (h *Hub) drop(s *share, t *topic) {
	h.empty(t)
	s.used.Remove(t.place)
	delete(s.topics, t.name)
}

// sweep forgets, now and then, the channels that nobody has used for long, and the accounts that have none left.
func (h *Hub) sweep() {
	now := time.Now()
	if now.Sub(h.swept) < sweepEvery {
		return
	}
	h.swept = now
	for account, s := range h.shares {
		for e := s.used.Back(); e != nil; {
			t, _ := e.Value.(*topic)
			e = e.Prev()
			if len(t.readers) == 0 && now.Sub(t.used) >= idleFor {
				h.drop(s, t)
			}
		}
		if len(s.topics) == 0 && s.readers == 0 {
			delete(h.shares, account)
		}
	}
}
