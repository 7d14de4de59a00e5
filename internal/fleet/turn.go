package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// Times after which a group takes another turn by itself.
const (
	stillComing  = 15 * time.Second // something is on its way, and nobody has said that it changed
	stillHeld    = 30 * time.Second // too much is missing, or a newer copy of this database is at work
	stillUnclear = 2 * time.Second  // an absence is to be looked into again
	stillDenied  = time.Minute      // the cloud does not let us in, or not do what we asked for
)

// rounds bounds how often one turn plans again after refusals before it lets other groups have the worker.
const rounds = 8

// turn is one group's turn of the loop, held by at most one replica. It settles what a crash left open, takes in what the cloud says, plans, writes
// the plan's actions down, and carries them out; after a refusal it plans again at once, because the market has changed.
func (f *Fleet) turn(ctx context.Context, lease workflow.Turn) (time.Time, error) {
	doc, err := groups.Get(ctx, f.DB, store.Installation(), lease.Key)
	if fault.Is(err, fault.NotFound) || err == nil && doc.State == deleted {
		return time.Time{}, f.forget(ctx, lease)
	}
	if err != nil {
		return time.Time{}, err
	}
	intent, err := f.intent(doc)
	if err != nil {
		return time.Time{}, fmt.Errorf("group %s does not compile: %w", doc.ID, err)
	}
	provider, err := f.provider(ctx, doc.Account)
	if err != nil {
		return time.Time{}, err
	}
	f.ear.FirstPrices(ctx, place{Account: doc.Account, Region: intent.Region}, intent.Product, provider)
	t := &turn{f: f, lease: lease, doc: doc, intent: intent, provider: provider}
	next, err := t.run(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if t.buried {
		return next, nil
	}
	if t.denied != nil {
		return next, t.tellDenied(ctx)
	}
	if err := t.alarm(ctx); err != nil {
		return time.Time{}, err
	}
	if again := f.Clock.Now().Add(strangersEvery); f.hasStrangers(doc.ID) && (next.IsZero() || next.After(again)) {
		next = again
	}
	return next, nil
}

// run is the turn itself.
func (t *turn) run(ctx context.Context) (time.Time, error) {
	f := t.f
	// What a restored database has written down may long be done, or undone: it repeats nothing until a person has accepted it.
	if restored, err := t.isRestored(ctx); restored || err != nil {
		return f.Clock.Now().Add(stillHeld), err
	}
	// Order matters: a successor settles its predecessor's actions before it looks, and looks before it plans.
	if err := t.unlessDenied(t.settleAll(ctx, true)); err != nil {
		return time.Time{}, err
	}
	if err := t.observe(ctx); err != nil {
		return f.Clock.Now().Add(stillDenied), t.unlessDenied(err)
	}
	if t.doc.State == held && !t.onlyObserve {
		if kept, err := t.letGo(ctx); kept || err != nil {
			return t.doc.Value.HeldUntil, err
		}
	}
	for round := range rounds {
		acted, err := t.decide(ctx)
		if err != nil {
			return f.Clock.Now().Add(stillDenied), t.unlessDenied(err)
		}
		if t.onlyObserve {
			return f.Clock.Now().Add(stillHeld), nil
		}
		if !acted {
			break
		}
		if err := t.unlessDenied(t.settleAll(ctx, false)); err != nil {
			return time.Time{}, err
		}
		if t.hopeless {
			return f.Clock.Now().Add(call.HopelessWait), nil
		}
		if !t.refused {
			break
		}
		t.refused = round == rounds-1 // then others have the worker, and it goes on soon
	}
	return t.again(ctx)
}

// unlessDenied is err, except that a turn goes on without what the cloud denies it: that stays pending, and must not keep the rest from being done.
func (t *turn) unlessDenied(err error) error {
	if denied := call.Denied(err); denied != nil {
		t.denied = denied
		return nil
	}
	return err
}

// turn is the state of one turn.
type turn struct {
	f            *Fleet
	lease        workflow.Turn
	doc          store.Doc[record]
	intent       Intent
	installation identity.Installation
	provider     cloud.Provider
	rows         []store.Doc[Instance]     // living instances, if isRead
	isRead       bool                      // … and as this turn has written them since
	written      []store.Doc[Instance]     // in the transaction in progress
	open         []store.Doc[action]       // pending actions, if isListed
	isListed     bool                      // … and nothing was written since
	vcpus        map[string]int            // by type, as the market of the newest plan has it
	full         map[string]market.Cooling // subnets without addresses
	market       plan.Market               // that the newest plan was made on
	leaving      func(id string) bool      // who was on the way out before it
	short        int                       // units that it could not buy
	trips        []breaker.Trip            // budgets that did not suffice for it
	next         time.Time                 // when the plan changes by time alone
	refused      bool                      // a launch was refused in this round
	hopeless     bool                      // the cloud finds our launches faulty
	denied       *cloud.Refusal            // what the cloud would not let us do, the newest of it
	buried       bool                      // nothing is left of a deleted group
	onlyObserve  bool                      // this database is not the newest: touch nothing
	restored     time.Time                 // when the backup was taken that this database came from, while nobody has accepted it
	standing     standing                  // of the group's place
	seen         map[string]cloud.Instance // what the cloud showed in this turn …
	unasked      map[string]bool           // … which was not asked for these …
	thorough     bool                      // … and is to be
	seenAt       time.Time                 // when it was asked
	held         bool                      // too much has vanished at once: touch nothing until it is explained
}

// write runs one transaction of the turn, after checking that the lease is still ours.
func (t *turn) write(ctx context.Context, work func(ctx context.Context, tx *store.Tx) error) error {
	t.isListed = false
	err := t.f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		t.written = nil
		if err := t.lease.Guard(ctx, tx); err != nil {
			return err
		}
		return work(ctx, tx)
	})
	if err == nil && t.isRead {
		t.rows = merged(t.rows, t.written)
	}
	return err
}

// save writes an instance in tx, as a new row if it has no version yet.
func (t *turn) save(ctx context.Context, tx *store.Tx, d store.Doc[Instance]) (store.Doc[Instance], error) {
	var err error
	if d.Version == 0 {
		d, err = members.Insert(ctx, tx.Later(), d)
	} else {
		d, err = saveMember(ctx, tx, d)
	}
	t.written = append(t.written, d)
	return d, err
}

// living lists the group's living instances, as they were when this turn first asked, with what it has written since: what others write brings another turn.
func (t *turn) living(ctx context.Context) (rows []store.Doc[Instance], err error) {
	if !t.isRead {
		t.rows, err = t.f.living(ctx, t.f.DB, t.doc.ID)
		t.isRead = err == nil
	}
	return t.rows, err
}

// pending lists the group's actions that have not settled.
func (t *turn) pending(ctx context.Context) (open []store.Doc[action], err error) {
	if !t.isListed {
		t.open, err = t.f.openActions(ctx, t.f.DB, t.doc.ID)
		t.isListed = err == nil
	}
	return t.open, err
}

// decide plans and writes the plan down: the decision, its actions, and what changes in our own rows, in one transaction.
func (t *turn) decide(ctx context.Context) (acted bool, err error) {
	rows, err := t.living(ctx)
	if err != nil {
		return false, err
	}
	open, err := t.pending(ctx)
	if err != nil {
		return false, err
	}
	in, err := t.f.inputs(ctx, t.doc, t.intent, rows, open)
	if err != nil {
		return false, err
	}
	if t.held || t.onlyObserve {
		return false, nil
	}
	in.Observed.SeenAt = t.seenAt
	if in.Observed.Spent, err = t.f.isSpent(ctx, t.doc.ID, t.intent); err != nil {
		return false, err
	}
	decision, trips, err := t.f.weigh(ctx, t.doc, in)
	if err != nil {
		return false, err
	}
	t.next, t.short, t.trips = decision.Next, decision.Short, trips
	if len(decision.Actions) == 0 {
		return false, nil
	}
	// Nothing is done on the word of an earlier look, except in our books about what the cloud takes anyway.
	if len(t.unasked) > 0 && slices.ContainsFunc(decision.Actions, func(a plan.Action) bool { return a.Verb != plan.DrainVerb || a.Reason != plan.ReasonInterruption }) {
		t.thorough = true
		if err := t.observe(ctx); err != nil {
			return false, err
		}
		return t.decide(ctx)
	}
	t.vcpus, t.full, t.market, t.leaving = map[string]int{}, in.full, in.market, in.Observed.IsLeaving
	for _, p := range in.market.Pools {
		t.vcpus[p.Type] = p.VCPUs
	}
	packed, err := t.f.packed(ctx, in, decision, false)
	if err != nil {
		return false, err
	}
	overtaken := false
	err = t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		// Whoever changed or deleted the group meanwhile has woken the loop: the next turn plans for what the group is now.
		version, err := groups.Version(ctx, tx, store.Installation(), t.doc.ID)
		if overtaken = err == nil && version != t.doc.Version; overtaken || err != nil {
			return err
		}
		if err := t.f.Journal.Keep(ctx, tx, packed); err != nil {
			return err
		}
		return t.writeDown(ctx, tx, packed.ID, decision)
	})
	return err == nil && !overtaken, err
}

// again says when the group wants its next turn: soon while something is on its way, else when the plan changes by itself.
func (t *turn) again(ctx context.Context) (time.Time, error) {
	now := t.f.Clock.Now()
	rows, err := t.living(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if t.doc.State == deleting && len(rows) == 0 && t.denied == nil {
		t.buried = true
		return time.Time{}, t.bury(ctx)
	}
	next := t.next
	sooner := func(wait time.Duration) {
		if at := now.Add(wait); next.IsZero() || next.After(at) {
			next = at
		}
	}
	if t.denied != nil {
		sooner(stillDenied)
	}
	if t.refused {
		sooner(stillComing)
	}
	coming, s := map[string]uint64{}, t.f.sight(t.place())
	for _, r := range rows {
		switch i := r.Value; {
		case !i.MissingAt.IsZero() && t.held:
			sooner(stillHeld)
		case !i.MissingAt.IsZero():
			sooner(max(stillUnclear, t.disbelief()-now.Sub(i.MissingAt)))
		case i.Phase != plan.Draining && t.isMoving(i):
			sooner(stillComing)
			coming[r.ID] = 0
			if c, is := t.seen[r.ID]; is {
				coming[r.ID] = s.print(c)
			}
		}
	}
	t.f.await(t.place(), t.provider, t.doc.ID, coming)
	return next, nil
}

// bury ends a deleted group once nothing of it lives.
func (t *turn) bury(ctx context.Context) error {
	return t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		open, err := t.f.openActions(ctx, tx, t.doc.ID)
		if err != nil || len(open) > 0 {
			return err
		}
		doc, err := groups.Get(ctx, tx, store.Installation(), t.doc.ID)
		if err != nil {
			return err
		}
		doc.State = deleted
		if _, err := groups.Update(ctx, tx, doc); err != nil {
			return err
		}
		line := t.f.line(journal.Info, "Group %s is gone: its last instance has ended.", t.doc.ID)
		if err := t.f.Journal.Log(ctx, tx, doc.Account, doc.ID, line); err != nil {
			return err
		}
		if err := t.calmAll(ctx, tx); err != nil {
			return err
		}
		return t.f.Workflow.Forget(ctx, tx, loopName, t.doc.ID)
	})
}

// forget ends the turns of a group that is no more.
func (f *Fleet) forget(ctx context.Context, lease workflow.Turn) error {
	return f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := lease.Guard(ctx, tx); err != nil {
			return err
		}
		return f.Workflow.Forget(ctx, tx, loopName, lease.Key)
	})
}
