// Package channel carries messages between jobs and whoever watches them: publish, subscribe, and the last hundred messages of each channel.
//
// It owns channels, their order, their limits, and the keys by which jobs reach them. It must not know what a message says, what a job is, nor any wire format. Start
// reading at Hub; topic.go is what is kept in memory, relay.go what several replicas share.
package channel

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// Token is a place in the order of all messages, and about the time of it: units of 100 ns since 1970. 0 stands for "from now on".
type Token int64

const (
	step      Token = 10                     // a token counts microseconds, which is as exactly as the database keeps time
	beginning Token = 10_000_000_000_000_000 // before all that replicas ever share, and of 17 digits as all tokens are
)

func tokenOf(at time.Time) Token { return Token(at.UnixMicro()) * step }

// Now is the token of this moment. No message need have a later one only because it comes later: see Hub.Receive for a token to go on from.
func Now() Token { return tokenOf(time.Now()) }

func (t Token) String() string { return fmt.Sprintf("%017d", int64(t)) }

// Message is one published value.
type Message struct {
	Channel   string
	Token     Token           // given by Publish
	Payload   json.RawMessage // compact
	Meta      json.RawMessage // what the publisher says about it; nil = nothing
	Publisher string          // what the publisher calls itself
	Number    int             // by the publisher's own count
}

func (m *Message) size() int {
	return len(m.Channel) + len(m.Payload) + len(m.Meta) + len(m.Publisher) + overhead
}

// The limits of one account. What is beyond is refused, or the oldest is forgotten, so that no job can take from other accounts what is theirs.
const (
	History      = 100               // messages of a channel that are kept
	LongestWait  = 280 * time.Second // of Receive
	MostChannels = 100               // that one Receive asks for
	largest      = 32 << 10          // bytes of a payload, and of what is said about it
	longestName  = 92                // letters of a channel's or a publisher's name
	perSecond    = 500               // messages of up to pieceSize bytes; larger ones count as several …
	pieceSize    = 4 << 10           // … one for each piece begun
	burst        = 2 * perSecond     // that may come at once
	mostTopics   = 2000              // channels that are remembered
	mostReaders  = 1000              // that wait at the same time
	mostBytes    = 32 << 20          // of all messages that are remembered
	idleFor      = 10 * time.Minute  // after which a channel is forgotten
	allBytes     = 256 << 20         // of all accounts' messages
	overhead     = 128               // bytes that a message takes beside its text
	keepShared   = 5 * time.Minute   // how long replicas find each other's messages in the database
	lookEvery    = time.Second / 10  // how often a replica looks for others' messages while somebody waits for them
	staleAfter   = keepShared / 10   // without a look for so long, what is in memory is read anew
	flushWithin  = 10 * time.Second  // how long writing to the database may take
	page         = 500               // messages that are read or written at once
	sweepEvery   = idleFor / 10      // between two looks for what is idle
)

// Config is what a Hub needs.
type Config struct {
	// Shared is the database through which replicas exchange messages; nil = this process is the only one, and messages live in memory alone.
	Shared *store.DB
	Log    *slog.Logger
}

// Hub carries messages. Safe for concurrent use.
type Hub struct {
	log   *slog.Logger
	relay *relay // nil = messages live in memory alone

	mu      sync.Mutex
	last    Token // of the newest message, or handed out to go on from
	shares  map[string]*share
	bytes   int
	waiting int
	swept   time.Time
	ended   chan struct{}
	closed  bool
}

// New makes a hub. Nothing runs until somebody waits.
func New(c Config) *Hub {
	h := &Hub{log: c.Log, shares: map[string]*share{}, ended: make(chan struct{}), swept: time.Now()}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if c.Shared != nil {
		h.relay = newRelay(h, c.Shared)
	} else {
		h.next()
	}
	return h
}

// Retention is how long messages are kept in the database.
func Retention() []store.Rule {
	return []store.Rule{{Table: messages.Table, Log: true, Wall: true, Keep: keepShared}}
}

// Close ends every wait with what there is, nothing, so that a server can stop. Later ones don't wait.
func (h *Hub) Close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.ended)
	}
	h.mu.Unlock()
	if h.relay != nil {
		h.relay.watchers.Wait()
	}
}

// Publish gives a message to whoever waits for its channel, and keeps it for those who come back. fault.Invalid when its payload is no JSON or a name is wrong,
// fault.Limit about the noun "message" when it is too large, and about "rate" when the account sends too much.
func (h *Hub) Publish(ctx context.Context, account string, m Message) (Token, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	if err := h.admit(account, &m); err != nil {
		return 0, err
	}
	if h.relay != nil {
		return h.relay.publish(ctx, account, m)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	m.Token = h.next()
	h.deliver(account, m)
	return m.Token, nil
}

// check holds a message to the limits, and makes its texts compact.
func (m *Message) check() error {
	if err := checkName(m.Channel); err != nil {
		return err
	}
	if utf8.RuneCountInString(m.Publisher) > longestName || !utf8.ValidString(m.Publisher) {
		return fault.Of(fault.Invalid, "publisher", "A publisher's name has at most %d letters.", longestName)
	}
	if len(m.Payload)+len(m.Meta) > largest {
		return fault.Of(fault.Limit, "message", "A message has at most %d bytes, with what is said about it; this one has %d.", largest, len(m.Payload)+len(m.Meta))
	}
	var fits bool
	if m.Payload, fits = compacted(m.Payload); !fits {
		return fault.Of(fault.Invalid, "message", "The message is not JSON.")
	}
	if len(m.Meta) > 0 {
		if m.Meta, fits = compacted(m.Meta); !fits {
			return fault.Of(fault.Invalid, "meta", "What is said about the message is not JSON.")
		}
	}
	return nil
}

func checkName(channel string) error {
	if n := utf8.RuneCountInString(channel); n == 0 || n > longestName || !utf8.ValidString(channel) || slices.ContainsFunc([]rune(channel), func(c rune) bool { return c < ' ' || c == ',' }) {
		return fault.Of(fault.Invalid, "channel", "A channel's name has 1 to %d letters, and no comma among them.", longestName)
	}
	return nil
}

// next is the token of a message of this moment.
func (h *Hub) next() Token {
	h.last = max(h.last+step, Now())
	return h.last
}

// Receive gives the messages of some channels behind a token, oldest first, and the token to go on from. When there are none it waits for the first, and gives none after
// LongestWait or once the hub is closed. For the token 0 it answers at once, with the one to begin at: everything that is published from then on lies behind it.
func (h *Hub) Receive(ctx context.Context, account string, channels []string, after Token) ([]Message, Token, error) {
	if len(channels) == 0 || len(channels) > MostChannels {
		return nil, 0, fault.Of(fault.Invalid, "channel", "Name 1 to %d channels, not %d.", MostChannels, len(channels))
	}
	for _, name := range channels {
		if err := checkName(name); err != nil {
			return nil, 0, err
		}
	}
	if after <= 0 {
		begin, err := h.mark(ctx)
		return nil, begin, err
	}
	r, err := h.attach(account, channels)
	if err != nil {
		return nil, 0, err
	}
	defer h.detach(r)
	if h.relay != nil {
		if err := h.relay.look(ctx); err != nil {
			return nil, 0, err
		}
	}
	return h.await(ctx, r, after)
}

// mark is a token that everything lies behind that is published from now on.
func (h *Hub) mark(ctx context.Context) (Token, error) {
	if h.relay != nil {
		if err := h.relay.look(ctx); err != nil {
			return 0, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.relay == nil { // with others, the order is the database's, and nobody here may run ahead of it
		h.next()
	}
	return h.last, nil
}

func (h *Hub) await(ctx context.Context, r *reader, after Token) ([]Message, Token, error) {
	patience := time.NewTimer(LongestWait)
	defer patience.Stop()
	for {
		var found []Message
		if found, after = h.collect(r, after); len(found) > 0 {
			return found, after, nil
		}
		select {
		case <-r.wake:
		case <-patience.C:
			return nil, after, nil
		case <-h.ended:
			return nil, after, nil
		case <-ctx.Done():
			return nil, after, ctx.Err()
		}
	}
}

// collect finds what a reader has not had, as much as one answer holds, and the token to go on from.
func (h *Hub) collect(r *reader, after Token) (found []Message, next Token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// Nobody can have seen what is yet to come: such a token is made up, or from before the clock was set back.
	after = min(after, h.last)
	for _, t := range r.topics {
		for n := len(t.messages); n > 0 && t.messages[n-1].Token > after; n-- {
			found = append(found, t.messages[n-1])
		}
	}
	if len(found) == 0 {
		return nil, after
	}
	slices.SortFunc(found, func(a, b Message) int { return cmp.Compare(a.Token, b.Token) })
	found = found[:min(len(found), History)]
	return found, found[len(found)-1].Token
}
