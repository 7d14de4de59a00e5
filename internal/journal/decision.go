package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// Decision is one stored plan. Inputs and Market are what the planner was given; Plan is what it answered, byte for byte.
type Decision struct {
	ID      string // "dec-…", given by Pack when empty
	Account string
	Group   string
	At      time.Time // zero when writing = now
	Version string    // of the planner
	DryRun  bool
	Summary string
	Inputs  json.RawMessage // plan.Intent and plan.Observed and the planning time
	Market  string          // hash of the market snapshot, stored once by content
	Plan    json.RawMessage
}

// decided is a stored Decision.
type decided struct {
	Version string `json:"version"`
	DryRun  bool   `json:"dryRun,omitempty"`
	Summary string `json:"summary"`
	Market  string `json:"market"`
	Inputs  packed `json:"inputs"`
	Plan    packed `json:"plan"`
}

// snapshot is a stored market snapshot; its id is the hash of its content.
type snapshot struct {
	Content packed `json:"content"`
}

var (
	decisions = store.Collection[decided]{Table: "decisions", Noun: "decision"}
	snapshots = store.Collection[snapshot]{Table: "market_snapshots", Noun: "market snapshot"}
)

// PackedDecision is a decision as it is stored.
type PackedDecision struct {
	ID       string
	doc      store.Doc[decided]
	snapshot packed // nil = the market is there
}

// Pack makes a decision ready to be kept: the long part of it, which no transaction need wait for.
func (j *Journal) Pack(ctx context.Context, d Decision, market json.RawMessage) (p PackedDecision, err error) {
	if d.ID == "" {
		d.ID = "dec-" + ident.Hex(8)
	}
	hash := sha256.Sum256(market)
	v := decided{Version: d.Version, DryRun: d.DryRun, Summary: d.Summary, Market: hex.EncodeToString(hash[:])}
	if v.Inputs, err = j.packer.pack(d.Inputs); err != nil {
		return PackedDecision{}, err
	}
	if v.Plan, err = j.packer.pack(d.Plan); err != nil {
		return PackedDecision{}, err
	}
	p = PackedDecision{ID: d.ID, doc: store.Doc[decided]{Meta: store.Meta{ID: d.ID, Account: d.Account, Parent: d.Group, At: j.dated(d.At)}, Value: v}}
	// While it is in use a market is dated anew from time to time, so that it outlives the decisions made on it.
	fresh, err := snapshots.Count(ctx, j.db, store.Installation(), store.Query{IDs: []string{v.Market}, Since: j.clock.Now().Add(-snapshotGrace)})
	if err == nil && fresh == 0 {
		p.snapshot, err = j.packer.pack(market)
	}
	return p, err
}

// Keep stores a decision and, once per content, its market snapshot. With a *store.DB as its session it stands alone: it is kept in a dry run too, and must not
// be called inside a transaction.
func (j *Journal) Keep(ctx context.Context, s store.Session, p PackedDecision) error {
	if tx, is := s.(*store.Tx); is {
		return j.keep(ctx, tx, p)
	}
	own, cancel := context.WithTimeout(bare{ctx}, patience)
	defer cancel()
	return j.db.Tx(own, func(ctx context.Context, tx *store.Tx) error { return j.keep(ctx, tx, p) })
}

// keep leaves the market to whoever stored it first. It belongs to no account: only a decision that the caller may see leads to it.
func (j *Journal) keep(ctx context.Context, tx *store.Tx, p PackedDecision) error {
	if p.snapshot != nil {
		market := store.Doc[snapshot]{Meta: store.Meta{ID: p.doc.Value.Market, At: j.clock.Now()}, Value: snapshot{Content: p.snapshot}}
		if err := snapshots.Ensure(ctx, tx, market); err != nil {
			return err
		}
	}
	_, err := decisions.Insert(ctx, tx.Later(), p.doc)
	return err
}

// Decision reads one decision of a group, and the market it was made on.
func (j *Journal) Decision(ctx context.Context, account, group, id string) (Decision, json.RawMessage, error) {
	doc, err := decisions.Get(ctx, j.db, store.Account(account), id)
	if err == nil && doc.Parent != group {
		err = fault.Missing(decisions.Noun, id)
	}
	if err != nil {
		return Decision{}, nil, err
	}
	market, err := snapshots.Get(ctx, j.db, store.Installation(), doc.Value.Market)
	if err != nil {
		return Decision{}, nil, fault.Of(fault.Internal, "decision", "The market that decision %s was made on is gone.", id).With(err)
	}
	d, err := decisionOf(doc)
	if err != nil {
		return Decision{}, nil, err
	}
	content, err := market.Value.Content.unpack()
	return d, content, err
}

// Decisions are listed newest first, a page at a time.
func (j *Journal) Decisions(ctx context.Context, account, group string, limit int, after string) (list []Decision, next string, err error) {
	docs, next, err := decisions.List(ctx, j.db, store.Account(account), store.Query{Parent: group, Descending: true, Limit: limit, After: after})
	if err != nil {
		return nil, "", err
	}
	list = make([]Decision, len(docs))
	for i, doc := range docs {
		if list[i], err = decisionOf(doc); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

func decisionOf(doc store.Doc[decided]) (d Decision, err error) {
	v := doc.Value
	d = Decision{ID: doc.ID, Account: doc.Account, Group: doc.Parent, At: doc.At, Version: v.Version, DryRun: v.DryRun, Summary: v.Summary, Market: v.Market}
	if d.Inputs, err = v.Inputs.unpack(); err == nil {
		d.Plan, err = v.Plan.unpack()
	}
	if err != nil {
		return Decision{}, fault.Of(fault.Internal, "decision", "Decision %s is damaged and can't be read.", doc.ID).With(err)
	}
	return d, nil
}
