package market

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// remembered is how far back an account's experience goes: after some half-lives a loss weighs nothing.
const remembered = 30 * 24 * time.Hour

// rebuild is how long an account's view is used although risks fade a little every second.
const rebuild = 10 * time.Minute

// observation is something an account went through. Observations are only ever added, so that two replicas can't get in each other's way; what they mean is
// worked out when they are read.
type observation struct {
	Scope cloud.Scope       `json:"scope"`
	Key   string            `json:"key"`
	Kind  cloud.RefusalKind `json:"kind,omitempty"` // "" for a loss
	Why   string            `json:"why"`
}

// observations: Parent is account and region, At is when it happened.
func observations() store.Collection[observation] {
	return store.Collection[observation]{Table: "pools", Noun: "pool observation"}
}

// Refused cools the refusal's scope for this account. Refusals that no waiting cures (BadRequest, Unknown) cool nothing.
func (m *Market) Refused(ctx context.Context, tx *store.Tx, account, region string, r *cloud.Refusal) error {
	if r.Kind == cloud.BadRequest || r.Kind == cloud.Unknown {
		return nil
	}
	return m.remember(ctx, tx, recordKey{account, region}, observationOf(r))
}

// Wait is how long a refusal's scope would cool for this account if it came now, as far as this replica knows.
func (m *Market) Wait(account, region string, r *cloud.Refusal) time.Duration {
	now, o := m.clock.Now(), observationOf(r)
	known := m.record(recordKey{account, region})
	known.mu.Lock()
	defer known.mu.Unlock()
	var c cooling
	if so := known.cooling[scopeKey{o.Scope, o.Key}]; so != nil {
		c = *so
	}
	c.strike(o, now)
	return c.until.Sub(now)
}

// observationOf is what an account goes through with a refusal.
func observationOf(r *cloud.Refusal) observation {
	o := observation{Scope: r.Scope, Key: r.Key, Kind: r.Kind, Why: r.Code}
	if r.Message != "" {
		o.Why += ": " + r.Message
	}
	if o.Scope == "" {
		o.Scope = cloud.ScopeAccount // a refusal that names nothing speaks for everything
	}
	return o
}

// Lost records that a spot instance of the pool was interrupted, which raises its risk and cools it.
func (m *Market) Lost(ctx context.Context, tx *store.Tx, account string, in cloud.Market) error {
	return m.remember(ctx, tx, recordKey{account, in.Region}, observation{Scope: cloud.ScopePool, Key: in.PoolKey(), Why: "an instance of this pool was interrupted"})
}

func (m *Market) remember(ctx context.Context, tx *store.Tx, key recordKey, o observation) error {
	doc, err := observations().Insert(ctx, tx.Later(), store.Doc[observation]{
		Meta: store.Meta{ID: "obs-" + ident.Hex(8), Account: key.account, Parent: key.String(), At: m.clock.Now()}, Value: o,
	})
	tx.AfterCommit(func() { m.record(key).add(doc) })
	return err
}

type recordKey struct{ account, region string }

func (k recordKey) String() string { return k.account + "/" + k.region }

// record is an account's experience in a region.
type record struct {
	key recordKey

	mu      sync.Mutex
	readAt  time.Time
	lastAt  time.Time       // newest observation
	seen    map[string]bool // ids within the overlap of two looks
	cooling map[scopeKey]*cooling
	lost    map[string]*losses // by PoolKey
	version int
	views   map[*shelf]*view
}

// view is a shelf as one account sees it.
type view struct {
	version int
	builtAt time.Time
	pools   []Pool
}

func newRecord(key recordKey) *record {
	return &record{key: key, seen: map[string]bool{}, cooling: map[scopeKey]*cooling{}, lost: map[string]*losses{}, views: map[*shelf]*view{}}
}

// add takes in an observation of this replica, once.
func (r *record) add(doc store.Doc[observation]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.readAt.IsZero() && !r.seen[doc.ID] { // else everything will be read at the first look, or was
		r.seen[doc.ID] = true
		r.take(doc)
	}
}

// refresh takes in what was observed since the last look, by whatever replica. The lock is held.
func (r *record) refresh(ctx context.Context, m *Market, now time.Time) error {
	if !r.readAt.IsZero() && now.Sub(r.readAt) < reread && !now.Before(r.readAt) {
		return nil
	}
	since := now.Add(-remembered)
	if recent := r.lastAt.Add(-overlap); recent.After(since) {
		since = recent
	}
	docs, _, err := observations().List(ctx, m.db, store.Account(r.key.account), store.Query{Parent: r.key.String(), Since: since})
	if err != nil {
		return err
	}
	seen := make(map[string]bool, len(docs))
	for _, doc := range docs {
		if seen[doc.ID] = true; !r.seen[doc.ID] {
			r.take(doc)
		}
	}
	r.seen, r.readAt = seen, now
	return nil
}

// take draws the conclusions. When the whole of a pool is lost at once, only the first loss has any.
func (r *record) take(doc store.Doc[observation]) {
	o := doc.Value
	key := scopeKey{o.Scope, o.Key}
	if r.cooling[key] == nil {
		r.cooling[key] = &cooling{}
	}
	isNews := r.cooling[key].strike(o, doc.At)
	if o.Kind == "" {
		if r.lost[o.Key] == nil {
			r.lost[o.Key] = &losses{}
		}
		isNews = r.lost[o.Key].add(doc.At) || isNews
	}
	if doc.At.After(r.lastAt) {
		r.lastAt = doc.At
	}
	if isNews {
		r.version++
	}
}

// overlay is the shelf with this account's experience. Without any, the shelf's own pools are returned.
func (r *record) overlay(ctx context.Context, m *Market, s *shelf, now time.Time) ([]Pool, []Cooling, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(ctx, m, now); err != nil {
		return nil, nil, err
	}
	active := r.active(now)
	if len(active) == 0 && len(r.lost) == 0 {
		return s.pools, nil, nil
	}
	known := r.views[s]
	if known == nil || known.version != r.version || now.Sub(known.builtAt) > rebuild {
		known = &view{version: r.version, builtAt: now, pools: slices.Clone(s.pools)}
		for key, lost := range r.lost {
			if n, ok := find(known.pools, key); ok && known.pools[n].Market.Lifecycle == cloud.Spot {
				known.pools[n].Risk = lost.after(known.pools[n].Risk, now)
			}
		}
		for _, c := range active {
			c.apply(known.pools)
		}
		r.drop(s)
		r.views[s] = known
	}
	return known.pools, active, nil
}

// drop forgets views of older shelves of the same product.
func (r *record) drop(newer *shelf) {
	for s := range r.views {
		if len(s.pools) == 0 || len(newer.pools) == 0 || s.pools[0].Market.Product == newer.pools[0].Market.Product {
			delete(r.views, s)
		}
	}
}

// active are the scopes that cool now, in a fixed order.
func (r *record) active(now time.Time) []Cooling {
	var list []Cooling
	for key, c := range r.cooling {
		if c.until.After(now) {
			list = append(list, Cooling{Scope: key.scope, Key: key.key, Until: c.until, Why: c.why})
		}
	}
	slices.SortFunc(list, func(a, b Cooling) int {
		return strings.Compare(string(a.Scope)+"\x00"+a.Key, string(b.Scope)+"\x00"+b.Key)
	})
	return list
}
