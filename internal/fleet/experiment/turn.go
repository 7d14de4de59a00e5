package experiment

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// turn is one experiment's turn of the loop: it tells of a switch, measures the blocks that are over, and ends what is complete. It may come late: what holds
// when does not depend on it.
func (x *Experiments) turn(ctx context.Context, lease workflow.Turn) (time.Time, error) {
	doc, err := experiments.Get(ctx, x.DB, store.Installation(), lease.Key)
	if fault.Is(err, fault.NotFound) {
		return time.Time{}, x.forget(ctx, lease)
	}
	if err != nil {
		return time.Time{}, err
	}
	t := &turn{x: x, lease: lease, doc: doc, now: x.Clock.Now()}
	if err := t.tell(ctx); err != nil {
		return time.Time{}, err
	}
	for t.doc.Value.Measured < t.doc.Value.expected() && !t.now.Before(t.due()) {
		if err := t.measure(ctx); err != nil {
			return time.Time{}, err
		}
	}
	if t.doc.Value.Measured >= t.doc.Value.expected() {
		return time.Time{}, t.end(ctx)
	}
	next := t.due()
	if begin := t.doc.Value.Protocol.Begin(t.doc.Value.Told); t.isOn() && t.doc.Value.Told < t.doc.Value.Protocol.Blocks() && begin.Before(next) {
		next = begin
	}
	return next, nil
}

// turn is the state of one turn.
type turn struct {
	x     *Experiments
	lease workflow.Turn
	doc   store.Doc[record]
	now   time.Time
}

func (t *turn) isOn() bool { return State(t.doc.State) == Draft || State(t.doc.State) == Running }

// due is when the next block can be measured.
func (t *turn) due() time.Time {
	return t.doc.Value.Protocol.Begin(t.doc.Value.Measured + 1).Add(settle)
}

// save runs one transaction of the turn that ends with the experiment's own row; work may change it.
func (t *turn) save(ctx context.Context, work func(ctx context.Context, tx *store.Tx, doc *store.Doc[record]) error) error {
	doc := t.doc
	err := t.x.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		doc = t.doc
		if err := t.lease.Guard(ctx, tx); err != nil {
			return err
		}
		if err := work(ctx, tx, &doc); err != nil {
			return err
		}
		doc, err = experiments.Update(ctx, tx, doc)
		return err
	})
	if err == nil {
		t.doc = doc
	}
	return err
}

// tell says that the experiment has begun, or a block of it, and wakes the groups for which another policy holds now. Blocks that passed while nobody was here
// are not told any more.
func (t *turn) tell(ctx context.Context) error {
	p := t.doc.Value.Protocol
	block, within := p.At(t.now)
	if !t.isOn() || !within || block < t.doc.Value.Told {
		return nil
	}
	return t.save(ctx, func(ctx context.Context, tx *store.Tx, doc *store.Doc[record]) error {
		if State(doc.State) == Draft {
			if err := move(doc, Running); err != nil {
				return err
			}
			if err := t.x.emit(ctx, tx, *doc, "experimentStarted", happening{}); err != nil {
				return err
			}
		}
		switched := happening{Block: block + 1, Groups: map[string]string{}}
		for _, group := range p.Groups {
			arm := p.Arm(group, block)
			switched.Groups[group] = p.Called(arm)
			if block > 0 && doc.Value.Told == block && arm == p.Arm(group, block-1) {
				continue
			}
			if err := t.x.log(ctx, tx, doc.Account, group, "Experiment %s, block %d of %d: %s weighs this group's markets until %s.",
				doc.Name, block+1, p.Blocks(), p.Called(arm), stamp(p.Begin(block+1))); err != nil {
				return err
			}
			if err := t.x.Fleet.Wake(ctx, tx, group); err != nil {
				return err
			}
		}
		doc.Value.Told = block + 1
		return t.x.emit(ctx, tx, *doc, "experimentSwitched", switched)
	})
}

// giveUp is how long a block that cannot be measured is tried again before it is left out.
const giveUp = 24 * time.Hour

// measure measures the next block of every group.
func (t *turn) measure(ctx context.Context) error {
	p, n := t.doc.Value.Protocol, t.doc.Value.Measured
	rows := make([]store.Doc[block], 0, len(p.Groups))
	for _, group := range p.Groups {
		found, err := t.x.measure(ctx, t.doc.Account, group, p.Schedule, n)
		if err != nil && t.now.Before(t.due().Add(giveUp)) {
			return fmt.Errorf("measure block %d of %s: %w", n+1, group, err)
		}
		if err != nil {
			found = protocol.Block{LeftOut: "it could not be measured: " + fault.As(err).Sentence()}
		}
		rows = append(rows, store.Doc[block]{
			Meta:  store.Meta{ID: fmt.Sprintf("%s/%s/%d", t.doc.ID, group, n), Account: t.doc.Account, Parent: t.doc.ID, Name: group, At: p.Begin(n)},
			Value: block{Key: protocol.Key{Group: group, Block: n}, Found: found},
		})
	}
	return t.save(ctx, func(ctx context.Context, tx *store.Tx, doc *store.Doc[record]) error {
		for _, row := range rows {
			if _, err := blocks.Insert(ctx, tx, row); err != nil {
				return err
			}
		}
		doc.Value.Measured = n + 1
		return nil
	})
}

// end closes an experiment of which everything has been measured. One that was stopped has ended before.
func (t *turn) end(ctx context.Context) error {
	return t.save(ctx, func(ctx context.Context, tx *store.Tx, doc *store.Doc[record]) error {
		if State(doc.State) != Stopped {
			if State(doc.State) == Draft { // nobody was here while it ran
				if err := move(doc, Running); err != nil {
					return err
				}
			}
			if err := move(doc, Finished); err != nil {
				return err
			}
			doc.Value.Ended = doc.Value.Protocol.Until()
			if err := t.x.release(ctx, tx, *doc, fmt.Sprintf("Experiment %s is finished.", doc.Name)); err != nil {
				return err
			}
			if err := t.x.emit(ctx, tx, *doc, "experimentFinished", happening{}); err != nil {
				return err
			}
		}
		return t.x.Workflow.Forget(ctx, tx, loopName, doc.ID)
	})
}

// forget ends the turns of an experiment that is no more.
func (x *Experiments) forget(ctx context.Context, lease workflow.Turn) error {
	return x.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := lease.Guard(ctx, tx); err != nil {
			return err
		}
		return x.Workflow.Forget(ctx, tx, loopName, lease.Key)
	})
}
