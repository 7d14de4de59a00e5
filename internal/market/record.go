package market

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/market/model"
	"github.com/neap-cloud/neap/internal/store"
)

// remembered is how far back an account's experience goes: after some half-lives a loss weighs nothing.
const remembered = 30 * 24 * time.Hour

// HeldEvery is how often an account's holdings are to be told.
const HeldEvery = model.HeldEvery

// rebuild is how long an account's view is used although pools grow older, and so safer, every second.
const rebuild = time.Minute

// observations: Parent is account and region, At is when it happened.
func observations() store.Collection[observation] {
	return store.Collection[observation]{Table: "pools", Noun: "pool observation"}
}

// Refused cools the refusal's scope for this account. Refusals that no waiting cures (BadRequest, Unknown) cool nothing.
func (m *Market) Refused(ctx context.Context, tx *store.Tx, account, region string, r *cloud.Refusal) error {
	o, ok := refusalOf(r)
	if !ok {
		return nil
	}
	return m.remember(ctx, tx, recordKey{account, region}, o)
}

// Wait is how long a refusal's scope would cool for this account if it came now, as far as this replica knows.
func (m *Market) Wait(account, region string, r *cloud.Refusal) time.Duration {
	now := m.clock.Now()
	o, _ := refusalOf(r)
	known := m.record(recordKey{account, region})
	known.mu.Lock()
	defer known.mu.Unlock()
	var c cooling
	if so := known.knows.cooling[scopeKey{o.Scope, o.Key}]; so != nil {
		c = *so
	}
	c.strike(o, now)
	return c.until.Sub(now)
}

// Lost records that a spot instance of the pool was interrupted, which raises its risk and cools it.
func (m *Market) Lost(ctx context.Context, tx *store.Tx, account string, in cloud.Market) error {
	return m.remember(ctx, tx, recordKey{account, in.Region}, lossOf(in))
}

// Signalled records a rebalance signal, which raises the pool's risk.
func (m *Market) Signalled(ctx context.Context, tx *store.Tx, account string, in cloud.Market) error {
	return m.remember(ctx, tx, recordKey{account, in.Region}, told(signalled, in))
}

// Held records where spot instances of the account run in a region: the longer nothing is lost there, the safer it is. To be told every HeldEvery.
func (m *Market) Held(ctx context.Context, tx *store.Tx, account, region string, in []cloud.Market) error {
	return m.remember(ctx, tx, recordKey{account, region}, told(holds, in...))
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

// record is an account's experience in a region, and how far it has been read.
type record struct {
	key recordKey

	mu     sync.Mutex
	readAt time.Time
	lastAt time.Time       // newest observation
	seen   map[string]bool // ids within the overlap of two looks
	knows  *Experience
	views  map[*shelf]*view
}

// view is a shelf as one account sees it.
type view struct {
	version int
	builtAt time.Time
	pools   []Pool
}

func newRecord(key recordKey) *record {
	return &record{key: key, seen: map[string]bool{}, knows: NewExperience(model.Usual()), views: map[*shelf]*view{}}
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

func (r *record) take(doc store.Doc[observation]) {
	r.knows.take(doc.Value, doc.At)
	if doc.At.After(r.lastAt) {
		r.lastAt = doc.At
	}
}

// overlay is the shelf with this account's experience. Without any, the shelf's own pools are returned.
func (r *record) overlay(ctx context.Context, m *Market, s *shelf, now time.Time) ([]Pool, []Cooling, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(ctx, m, now); err != nil {
		return nil, nil, err
	}
	if r.knows.isEmpty(now) {
		return s.pools, nil, nil
	}
	known := r.views[s]
	if known == nil || known.version != r.knows.version || now.Sub(known.builtAt) > rebuild {
		known = &view{version: r.knows.version, builtAt: now, pools: slices.Clone(s.pools)}
		r.knows.See(known.pools, now)
		r.drop(s)
		r.views[s] = known
	}
	return known.pools, r.knows.active(now), nil
}

// drop forgets views of older shelves of the same product.
func (r *record) drop(newer *shelf) {
	for s := range r.views {
		if len(s.pools) == 0 || len(newer.pools) == 0 || s.pools[0].Market.Product == newer.pools[0].Market.Product {
			delete(r.views, s)
		}
	}
}
