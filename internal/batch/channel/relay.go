package channel

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// relay is how replicas hear of each other's messages: whoever publishes writes a row, and whoever has subscribers looks for new rows, all accounts' at once, a few times
// a second, and right after messages of its own. Each writer holds the table while it writes, so that tokens and places are in the order of commits: no message
// appears behind one that has been seen. Memory is what was read last; without subscribers nobody reads.
type relay struct {
	hub *Hub
	db  *store.DB

	reading     chan struct{} // held during a look
	begun, done atomic.Int64  // looks; done is the newest that succeeded
	place       int64         // of the newest message that was read; held with reading, as is looked
	looked      time.Time
	news        chan struct{} // messages of our own were written
	watching    bool          // held with the hub's lock
	watchers    sync.WaitGroup

	writing chan struct{} // held while letters are written
	mu      sync.Mutex
	letters []*letter // that wait to be written
}

// letter is a message on its way to the database.
type letter struct {
	account string
	message Message
	written chan struct{} // closed when token or err is known
	token   Token
	err     error
}

// kept is a message as the database has it. Its channel is the record's resource, behind the account.
type kept struct {
	Channel   string          `json:"channel"`
	Payload   json.RawMessage `json:"payload"`
	Meta      json.RawMessage `json:"meta,omitempty"`
	Publisher string          `json:"publisher,omitempty"`
	Number    int             `json:"number,omitempty"`
}

var messages = store.Log[kept]{Table: "job_messages"}

func newRelay(h *Hub, db *store.DB) *relay {
	return &relay{hub: h, db: db, reading: make(chan struct{}, 1), writing: make(chan struct{}, 1), news: make(chan struct{}, 1)}
}

// resource is a channel's name in a table of all accounts.
func resource(account, channel string) string { return account + "/" + channel }

func (t Token) time() time.Time { return time.UnixMicro(int64(t / step)) }

func messageOf(r store.Record[kept]) Message {
	v := r.Value
	return Message{Channel: v.Channel, Token: tokenOf(r.At), Payload: v.Payload, Meta: v.Meta, Publisher: v.Publisher, Number: v.Number}
}

// publish writes a message, together with those of others that wait. It is not given up when the client goes away: others may be in the same transaction.
func (r *relay) publish(_ context.Context, account string, m Message) (Token, error) {
	l := &letter{account: account, message: m, written: make(chan struct{})}
	r.mu.Lock()
	r.letters = append(r.letters, l)
	r.mu.Unlock()
	for {
		select {
		case <-l.written:
			return l.token, l.err
		case r.writing <- struct{}{}:
			r.flush()
			<-r.writing
		}
	}
}

// flush writes the letters that have waited for the longest time.
func (r *relay) flush() {
	r.mu.Lock()
	n := min(len(r.letters), page)
	some := slices.Clone(r.letters[:n])
	r.letters = slices.Delete(r.letters, 0, n)
	r.mu.Unlock()
	if n == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	err := r.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return r.write(ctx, tx, some) })
	for _, l := range some {
		l.err = err
		close(l.written)
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *relay) write(ctx context.Context, tx *store.Tx, some []*letter) error {
	if err := messages.Lock(ctx, tx); err != nil {
		return err
	}
	newest, err := r.newest(ctx, tx)
	if err != nil {
		return err
	}
	now, err := r.db.Now(ctx, tx) // the replicas' clocks may differ
	if err != nil {
		return err
	}
	token := max(tokenOf(now), tokenOf(newest.At)+step)
	records := make([]store.Record[kept], 0, len(some))
	for _, l := range some {
		m := l.message
		l.token = token
		records = append(records, store.Record[kept]{
			ID: ident.UUID(), Account: l.account, Resource: resource(l.account, m.Channel), At: token.time(),
			Value: kept{Channel: m.Channel, Payload: m.Payload, Meta: m.Meta, Publisher: m.Publisher, Number: m.Number},
		})
		token += step
	}
	if err := messages.Append(ctx, tx, records...); err != nil {
		return err
	}
	_, err = messages.Seal(ctx, tx, len(records))
	return err
}

// newest is the message with the latest place; zero when there has never been one.
func (r *relay) newest(ctx context.Context, s store.Session) (store.Record[kept], error) {
	found, err := messages.List(ctx, s, store.Installation(), store.LogQuery{Sealed: true, Descending: true, Limit: 1})
	if err != nil || len(found) == 0 {
		return store.Record[kept]{At: beginning.time()}, err
	}
	return found[0], nil
}

// look brings what is in memory up to date: with everything that was committed before the call, and the history of all channels that somebody waits at.
func (r *relay) look(ctx context.Context) error {
	wanted := r.begun.Load() + 1
	select {
	case r.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.reading }()
	if r.done.Load() >= wanted { // somebody else's look began after this call
		return nil
	}
	number := r.begun.Add(1)
	read := r.follow
	if r.looked.IsZero() || time.Since(r.looked) > staleAfter {
		read = r.restart
	}
	if err := read(ctx); err != nil {
		return err
	}
	r.looked = time.Now()
	if err := r.load(ctx); err != nil {
		return err
	}
	r.done.Store(number)
	return nil
}

// restart forgets what is in memory, and goes on from the newest message.
func (r *relay) restart(ctx context.Context) error {
	newest, err := r.newest(ctx, r.db)
	if err != nil {
		return err
	}
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.shares {
		for _, t := range s.topics {
			h.empty(t)
			t.loaded = false
		}
	}
	r.place, h.last = newest.Seq, tokenOf(newest.At)
	return nil
}

// follow reads what has come since the last look. Channels whose history is not in memory are left out: it is read as a whole when it is wanted.
func (r *relay) follow(ctx context.Context) error {
	for {
		found, err := messages.List(ctx, r.db, store.Installation(), store.LogQuery{Sealed: true, AfterSeq: r.place, Limit: page})
		if err != nil {
			return err
		}
		r.hub.mu.Lock()
		for _, record := range found {
			m := messageOf(record)
			if t := r.hub.known(record.Account, m.Channel); t != nil && t.loaded {
				r.hub.deliver(record.Account, m)
			}
			r.place, r.hub.last = record.Seq, m.Token
		}
		r.hub.mu.Unlock()
		if len(found) < page {
			return nil
		}
	}
}

// load reads the history of the channels that somebody waits at, and that have not been read yet. What comes while it is read comes again with the next look, and is
// known by its token.
func (r *relay) load(ctx context.Context) error {
	for _, t := range r.hub.unread() {
		found, err := messages.List(ctx, r.db, store.Account(t.account), store.LogQuery{Sealed: true, Resource: resource(t.account, t.name), Descending: true, Limit: History})
		if err != nil {
			return err
		}
		r.hub.mu.Lock()
		if r.hub.known(t.account, t.name) == t {
			t.loaded = true
			for _, record := range slices.Backward(found) {
				r.hub.deliver(t.account, messageOf(record))
			}
		}
		r.hub.mu.Unlock()
	}
	return nil
}

// known is a channel that is in memory, nil when it is not.
func (h *Hub) known(account, name string) *topic {
	if s := h.shares[account]; s != nil {
		return s.topics[name]
	}
	return nil
}

// unread are the channels that somebody waits at before their history is in memory.
func (h *Hub) unread() (found []*topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.shares {
		if s.readers == 0 {
			continue
		}
		for e := s.used.Front(); e != nil; e = e.Next() {
			if t, _ := e.Value.(*topic); !t.loaded && len(t.readers) > 0 {
				found = append(found, t)
			}
		}
	}
	return found
}

// watch looks for messages for as long as somebody waits for any. It is called with the hub's lock.
func (r *relay) watch() {
	if r.watching || r.hub.closed {
		return
	}
	r.watching = true
	r.watchers.Go(func() {
		again := time.NewTicker(lookEvery)
		defer again.Stop()
		failed := false
		for r.wanted() {
			ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
			err := r.look(ctx)
			cancel()
			if err != nil && !failed {
				r.hub.log.Warn("messages of jobs cannot be read; subscribers wait until they can", "error", err)
			}
			failed = err != nil
			select {
			case <-again.C:
			case <-r.news:
			case <-r.hub.ended:
			}
		}
	})
}

// wanted reports whether to go on looking.
func (r *relay) wanted() bool {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	r.watching = r.hub.waiting > 0 && !r.hub.closed
	return r.watching
}
