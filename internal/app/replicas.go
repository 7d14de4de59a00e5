package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	beatEvery   = 3 * time.Second  // wall time between two signs of life of a replica
	beatFresh   = 10 * time.Second // without one for so long, a replica no longer counts …
	beatForget  = time.Minute      // … and for so long, its row is removed
	beatTimeout = 3 * time.Second
	beatState   = "replica" // tells these rows from the other settings
)

// beat is one replica's sign of life: the row's version counts them.
type beat struct {
	Started time.Time `json:"started"`
}

var beats = store.Collection[beat]{Table: "settings", Noun: "replica"}

// replicas counts the processes that work on this database, for sharing the clouds' limits. Nobody's clock is compared with another's: a replica lives as long as
// this one sees its row change.
type replicas struct {
	db  *store.DB
	log *slog.Logger
	id  string

	mu   sync.Mutex
	seen map[string]sign
	last map[string]time.Time // when a replica was last seen to live, whether its row is still there or not
	born time.Time
	own  store.Doc[beat]

	stop  context.CancelFunc
	ended sync.WaitGroup
}

// sign is when a row was last seen to have changed, by the clock of this process.
type sign struct {
	version int64
	at      time.Time
}

// newReplicas counts this process under its machine's name. A row that is there already was left by a process of this machine that did not end well.
func newReplicas(db *store.DB, log *slog.Logger, machine string) *replicas {
	id := replicaOf(machine)
	return &replicas{
		db: db, log: log, id: id, seen: map[string]sign{}, last: map[string]time.Time{}, born: time.Now(),
		own: store.Doc[beat]{Meta: store.Meta{ID: id, State: beatState}, Value: beat{Started: time.Now().UTC()}},
	}
}

func replicaOf(machine string) string { return "replica:" + machine }

// alive reports whether a machine's replica was heard of within the last minute, or could have been: one that is started anew is not taken for dead.
func (r *replicas) alive(machine string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := replicaOf(machine)
	return id == r.id || time.Since(r.born) < beatForget || time.Since(r.last[id]) < beatForget
}

// count is how many replicas live, this one included. Before the first look it is one.
func (r *replicas) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 1
	for id, s := range r.seen {
		if id != r.id && time.Since(s.at) <= beatFresh {
			n++
		}
	}
	return n
}

// start gives signs of life until end.
func (r *replicas) start(ctx context.Context) {
	ctx, r.stop = context.WithCancel(ctx)
	r.round(ctx)
	r.ended.Go(func() {
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				r.round(ctx)
			}
		}
	})
}

// end lets the others have this one's share at once.
func (r *replicas) end() error {
	if r.stop == nil {
		return nil
	}
	r.stop()
	r.ended.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), beatTimeout)
	defer cancel()
	err := beats.Delete(ctx, r.db, store.Installation(), r.id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// round gives one sign of life and looks for those of others. While the store is away, the count stays as long as it is fresh.
func (r *replicas) round(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	err := r.renew(limited)
	if err == nil {
		err = r.look(limited)
	}
	if err != nil && ctx.Err() == nil {
		r.log.Warn("cannot count the replicas", "error", err)
	}
}

func (r *replicas) renew(ctx context.Context) (err error) {
	kept := r.own
	if kept.Version > 0 {
		kept, err = beats.Update(ctx, r.db, r.own)
	}
	if kept.Version == 0 || fault.Is(err, fault.NotFound) { // the first, or others took this replica for dead
		kept, err = beats.Insert(ctx, r.db, r.own)
	}
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.Exists) { // the answer to an update was lost, or an earlier process left it
		kept, err = beats.Get(ctx, r.db, store.Installation(), r.id)
	}
	if err == nil {
		r.own = kept
	}
	return err
}

func (r *replicas) look(ctx context.Context) error {
	rows, _, err := beats.List(ctx, r.db, store.Installation(), store.Query{States: []string{beatState}})
	if err != nil {
		return err
	}
	now := time.Now()
	var dead []string
	r.mu.Lock()
	there := map[string]bool{}
	for _, row := range rows {
		there[row.ID] = true
		if s, known := r.seen[row.ID]; !known || s.version != row.Version {
			r.seen[row.ID], r.last[row.ID] = sign{row.Version, now}, now
		} else if now.Sub(s.at) > beatForget {
			dead = append(dead, row.ID)
		}
	}
	for id := range r.seen {
		if !there[id] {
			delete(r.seen, id)
		}
	}
	r.mu.Unlock()
	for _, id := range dead {
		if err := beats.Delete(ctx, r.db, store.Installation(), id); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}
