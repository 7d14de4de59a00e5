package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// scaleWait bounds how long a scale call waits for the engine's answer.
const scaleWait = 5 * time.Second

// SetCapacity changes the numbers that are given; the document's new capacity must hold together.
func (f *Fleet) SetCapacity(ctx context.Context, account, author, id string, target, minimum, maximum *int) (Capacity, error) {
	return f.resize(ctx, account, author, id, func(c Capacity) (Capacity, error) {
		for _, set := range []struct{ to, from *int }{{&c.Target, target}, {&c.Min, minimum}, {&c.Max, maximum}} {
			if set.from != nil {
				*set.to = *set.from
			}
		}
		return c, nil
	})
}

func (f *Fleet) resize(ctx context.Context, account, author, id string, edit func(Capacity) (Capacity, error)) (Capacity, error) {
	var after Capacity
	_, err := f.revise(ctx, account, author, id, func(_ context.Context, _ *store.Tx, doc store.Doc[record]) (json.RawMessage, error) {
		form, err := f.form(doc.Value.Form)
		if err != nil {
			return nil, err
		}
		intent, err := f.intent(doc)
		if err != nil {
			return nil, err
		}
		if after, err = edit(intent.Capacity); err != nil {
			return nil, err
		}
		return form.SetCapacity(doc.Value.Document, after)
	}, "resized")
	return after, err
}

// Scaled is what a scale call set in motion.
type Scaled struct {
	Launched []Instance
	Victims  []Instance
}

// Scale moves the target by delta, clamped to the bounds; fault.Invalid when nothing can change. Unless async it waits, up to a few seconds, for the engine's answer.
func (f *Fleet) Scale(ctx context.Context, account, author, id string, delta int, async bool) (Scaled, error) {
	before, err := f.Instances(ctx, account, id)
	if err != nil {
		return Scaled{}, err
	}
	var stuck bool
	_, err = f.resize(ctx, account, author, id, func(c Capacity) (Capacity, error) {
		wanted := min(max(c.Target+delta, c.Min), c.Max)
		if stuck = wanted == c.Target; stuck {
			return c, fault.Of(fault.Invalid, "capacity", "The target is %d already and the bounds are %d to %d: raise maximum or lower minimum first.", c.Target, c.Min, c.Max)
		}
		c.Target = wanted
		return c, nil
	})
	if stuck && delta > 0 {
		if noted := f.noteFull(ctx, account, id); noted != nil {
			return Scaled{}, noted
		}
	}
	if err != nil || async || store.IsDryRun(ctx) {
		return Scaled{}, err
	}
	wait, cancel := context.WithTimeout(ctx, scaleWait)
	defer cancel()
	if err := f.Workflow.Settled(wait, loopName, id); err != nil && wait.Err() == nil {
		return Scaled{}, err
	}
	after, err := f.Instances(ctx, account, id)
	if err != nil {
		return Scaled{}, err
	}
	return difference(before, after), nil
}

// noteFull records that a group is at its maximum. The refused change left nothing behind, so it has a transaction of its own.
func (f *Fleet) noteFull(ctx context.Context, account, id string) error {
	return f.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := f.Clock.Now()
		if err := f.Journal.Log(ctx, tx, account, id, journal.Line{At: now, Severity: journal.Warn, Message: "Can't scale up: the group is at its maximum capacity."}); err != nil {
			return err
		}
		return f.Journal.Emit(ctx, tx, account, id, event(now, "atMaximum", nil))
	})
}

func difference(before, after []Instance) Scaled {
	old := map[string]plan.Phase{}
	for _, i := range before {
		old[i.ID] = i.Phase
	}
	var s Scaled
	now := map[string]bool{}
	for _, i := range after {
		now[i.ID] = true
		was, known := old[i.ID]
		switch {
		case i.ID == "" || !known:
			s.Launched = append(s.Launched, i)
		case isServing(was) && !isServing(i.Phase):
			s.Victims = append(s.Victims, i)
		}
	}
	for _, i := range before {
		if i.ID != "" && isServing(i.Phase) && !now[i.ID] {
			s.Victims = append(s.Victims, i)
		}
	}
	return s
}

func isServing(p plan.Phase) bool { return p == plan.Launching || p == plan.Running }

// Detach takes instances out of a group.
type Detach struct {
	Instances []string
	Terminate bool
	Decrement bool           // lower the target by as many, so that nothing replaces them
	Drain     *time.Duration // nil = the group's
}

// Detach takes instances out of their group, whether locked or not: to be drained and terminated, or to live on by themselves.
func (f *Fleet) Detach(ctx context.Context, account, author, id string, d Detach) error {
	if len(d.Instances) == 0 {
		return fault.Field("instancesToDetach", "Name at least one instance.")
	}
	return f.change(ctx, func(ctx context.Context, tx *store.Tx) (changed, error) {
		doc, err := f.load(ctx, tx, store.Account(account), id)
		if err != nil {
			return changed{}, err
		}
		intent, err := f.intent(doc)
		if err != nil {
			return changed{}, err
		}
		if intent.OneTime && !d.Terminate {
			return changed{}, fault.Of(fault.Conflict, "group", "The instance of group %s can't be detached: it ends with its group.", id)
		}
		leaving, err := f.leaving(ctx, tx, doc, d.Instances)
		if err != nil {
			return changed{}, err
		}
		after := changed{doc, intent}
		if d.Decrement {
			if after, err = f.decrement(ctx, tx, doc, author, intent, leaving); err != nil {
				return changed{}, err
			}
		}
		drain := intent.Drain
		if d.Drain != nil {
			drain = *d.Drain
		}
		for n := range leaving {
			leaving[n].Value.SkipReplace = d.Decrement
		}
		if d.Terminate {
			return after, f.drainOut(ctx, tx, doc, author, leaving, drain)
		}
		return after, f.release(ctx, tx, doc, author, leaving)
	})
}

// leaving finds the instances to detach; all must be serving members of the group.
func (f *Fleet) leaving(ctx context.Context, tx *store.Tx, doc store.Doc[record], ids []string) ([]store.Doc[Instance], error) {
	var rows []store.Doc[Instance]
	var faults []*fault.Error
	seen := map[string]bool{}
	for n, id := range ids {
		d, err := f.member(ctx, tx, store.Account(doc.Account), id)
		switch {
		case fault.Is(err, fault.NotFound), err == nil && d.Parent != doc.ID:
			faults = append(faults, fault.Field(fmt.Sprintf("instancesToDetach[%d]", n), "%q is no instance of group %s.", id, doc.ID))
		case err != nil:
			return nil, err
		case !isServing(d.Value.Phase):
			faults = append(faults, fault.Field(fmt.Sprintf("instancesToDetach[%d]", n), "Instance %s is leaving already (%s).", id, d.Value.Phase))
		case !seen[id]:
			seen[id] = true
			rows = append(rows, d)
		}
	}
	return rows, fault.All(faults)
}

// decrement lowers the target by what leaves, never below the minimum.
func (f *Fleet) decrement(ctx context.Context, tx *store.Tx, doc store.Doc[record], author string, intent Intent, leaving []store.Doc[Instance]) (changed, error) {
	form, err := f.form(doc.Value.Form)
	if err != nil {
		return changed{}, err
	}
	c := intent.Capacity
	for _, d := range leaving {
		c.Target -= intent.UnitsOf(d.Value.Type, d.Value.VCPUs)
	}
	c.Target = max(c.Target, c.Min)
	document, err := form.SetCapacity(doc.Value.Document, c)
	if err != nil {
		return changed{}, err
	}
	return f.save(ctx, tx, doc, author, document, "resized")
}

// drainOut takes instances out of service; the planner terminates them when their drain time is over.
func (f *Fleet) drainOut(ctx context.Context, tx *store.Tx, doc store.Doc[record], author string, leaving []store.Doc[Instance], drain time.Duration) error {
	now := f.Clock.Now()
	why := &Happening{Reason: string(plan.ReasonDetach), Because: "detached by " + author}
	for _, d := range leaving {
		d.Value.move(plan.Draining)
		d.Value.IsLeaving, d.Value.LeaveReason, d.Value.DrainUntil = true, string(plan.ReasonDetach), now.Add(drain)
		if _, err := saveMember(ctx, tx, d); err != nil {
			return err
		}
		why.Instances = append(why.Instances, subject(d.Value))
	}
	line := f.line(journal.Info, "%d instances were detached by %s and will be terminated after draining for %s.", len(leaving), author, drain)
	return f.note(ctx, tx, doc, []journal.Line{line}, event(now, "leaving", why))
}

// release lets instances live on outside of the group: an action tells the cloud, the meter stops here.
func (f *Fleet) release(ctx context.Context, tx *store.Tx, doc store.Doc[record], author string, leaving []store.Doc[Instance]) error {
	now := f.Clock.Now()
	why := &Happening{Reason: string(plan.ReasonDetach), Because: "detached by " + author + ", kept running"}
	var ids []string
	for _, d := range leaving {
		d.Value.move(plan.Detached)
		d.Value.Ended = now
		if _, err := saveMember(ctx, tx, d); err != nil {
			return err
		}
		if err := f.Ledger.Close(ctx, tx, doc.Account, d.ID, now); err != nil {
			return err
		}
		ids = append(ids, d.ID)
		why.Instances = append(why.Instances, subject(d.Value))
	}
	if err := f.writeAction(ctx, tx, doc, newAction(), action{Release: ids, Reason: plan.ReasonDetach, Because: why.Because}); err != nil {
		return err
	}
	line := f.line(journal.Info, "%d instances were detached by %s and keep running outside of the group.", len(leaving), author)
	return f.note(ctx, tx, doc, []journal.Line{line}, event(now, "detached", why))
}
