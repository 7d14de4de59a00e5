package experiment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// Asked is an experiment as somebody asks for it.
type Asked struct {
	protocol.Draft
	AllOptedIn bool    // instead of Groups: all that are opted in and free
	Seed       *uint32 // nil = drawn
}

// Create fixes a protocol, and begins at the next full minute.
func (x *Experiments) Create(ctx context.Context, account, author string, asked Asked) (Experiment, error) {
	now := x.Clock.Now()
	draft := asked.Draft
	draft.From = now.Truncate(time.Minute).Add(time.Minute)
	draft.Seed = uint64(rand.Uint32())
	if asked.Seed != nil {
		draft.Seed = uint64(*asked.Seed)
	}
	var err error
	if draft.Groups, err = x.choose(ctx, account, asked.Groups, asked.AllOptedIn); err != nil {
		return Experiment{}, err
	}
	p, err := protocol.Make(draft)
	if err != nil {
		return Experiment{}, err
	}
	outlook, err := x.foresee(ctx, account, p)
	if err != nil {
		return Experiment{}, err
	}
	doc := store.Doc[record]{
		Meta:  store.Meta{ID: "exp-" + ident.Hex(4), Account: account, Name: p.Name, State: string(Draft), At: now},
		Value: record{Protocol: p, Hash: p.Hash(), Outlook: outlook, Author: author, Created: now},
	}
	err = x.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		namesakes, err := experiments.Count(ctx, tx, store.Account(account), store.Query{Name: p.Name})
		if err != nil {
			return err
		}
		if namesakes > 0 {
			return fault.Of(fault.Exists, "experiment", "There is an experiment %q already; its report keeps the name, so choose another.", p.Name)
		}
		if doc, err = experiments.Insert(ctx, tx, doc); err != nil {
			return err
		}
		op.CallOf(ctx).Object = doc.ID // for the audit entry of this very transaction
		for _, group := range p.Groups {
			if err := x.enrol(ctx, tx, doc, group); err != nil {
				return err
			}
			if err := x.log(ctx, tx, account, group, "%s put this group into experiment %s: from %s to %s its markets are weighed by Neap's model and by %s in turn, for %s each.",
				author, p.Name, stamp(p.From), stamp(p.Until()), p.Baseline, protocol.Span(p.Every)); err != nil {
				return err
			}
		}
		if err := x.Workflow.Watch(ctx, tx, loopName, doc.ID); err != nil {
			return err
		}
		return x.emit(ctx, tx, doc, "experimentCreated", happening{By: author})
	})
	if err != nil {
		return Experiment{}, err
	}
	return fromRecord(doc)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// Stop ends an experiment before its time. What was measured stays, and its report says that it was stopped.
func (x *Experiments) Stop(ctx context.Context, account, author, id string) (Experiment, error) {
	var doc store.Doc[record]
	err := x.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if doc, err = experiments.Get(ctx, tx, store.Account(account), id); err != nil {
			return err
		}
		if err := move(&doc, Stopped); err != nil {
			return err
		}
		doc.Value.Ended, doc.Value.Stopper = x.Clock.Now(), author
		if doc, err = experiments.Update(ctx, tx, doc); err != nil {
			return err
		}
		if err := x.release(ctx, tx, doc, fmt.Sprintf("%s stopped experiment %s.", author, doc.Name)); err != nil {
			return err
		}
		if err := x.Workflow.Raise(ctx, tx, loopName, id); err != nil {
			return err
		}
		return x.emit(ctx, tx, doc, "experimentStopped", happening{By: author})
	})
	if err != nil {
		return Experiment{}, err
	}
	return fromRecord(doc)
}

const (
	pastPairs    = 7               // of blocks, that are looked at of each group …
	pastPatience = 3 * time.Second // … or fewer, where reading them takes longer: somebody waits for the answer
)

// foresee tells what the protocol can be expected to show, from pairs of such blocks of its groups' past, the newest first.
func (x *Experiments) foresee(ctx context.Context, account string, p protocol.Protocol) (protocol.Outlook, error) {
	began := time.Now()
	created := map[string]time.Time{}
	for _, id := range p.Groups {
		group, err := x.Fleet.Get(ctx, account, id)
		if err != nil {
			return protocol.Outlook{}, err
		}
		created[id] = group.Created
	}
	var past []protocol.Pair
	for n := 1; n <= pastPairs; n++ {
		before := p.Schedule
		before.From, before.Pairs = p.From.Add(-time.Duration(2*n)*p.Every), 1
		for _, id := range p.Groups {
			if before.From.Before(created[id]) || time.Since(began) > pastPatience {
				continue
			}
			pairs, err := x.pairOfThePast(ctx, account, id, before)
			if err != nil {
				return protocol.Outlook{}, err
			}
			past = append(past, pairs...)
		}
	}
	return protocol.Foresee(p, past), nil
}

// pairOfThePast is one pair, or none if it would not count.
func (x *Experiments) pairOfThePast(ctx context.Context, account, group string, s protocol.Schedule) (pairs []protocol.Pair, err error) {
	found := map[protocol.Key]protocol.Block{}
	for n := range s.Blocks() {
		if found[protocol.Key{Group: group, Block: n}], err = x.measure(ctx, account, group, s, n); err != nil {
			return nil, err
		}
	}
	r := protocol.Analyse(protocol.Protocol{Groups: []string{group}, Schedule: s}, found)
	if r.Counted == 0 {
		return nil, nil
	}
	return r.Pairs, nil
}
