package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/offer"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/fleet/tags"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/store"
)

// writeDown turns a plan into pending actions and changes of our rows. Nothing has reached the cloud yet.
func (t *turn) writeDown(ctx context.Context, tx *store.Tx, decision string, d plan.Decision) error {
	var ending, leaving []string
	var why plan.Action
	for _, a := range d.Actions {
		var err error
		switch a.Verb {
		case plan.LaunchVerb:
			err = t.writeLaunch(ctx, tx, decision, a)
		case plan.DrainVerb:
			if !breaker.IsForced(a.Reason) {
				leaving = append(leaving, a.Instance)
			}
			err = t.writeDrain(ctx, tx, a)
		case plan.TerminateVerb:
			ending, why = append(ending, a.Instance), a
			err = t.writeTerminate(ctx, tx, a)
		}
		if err != nil {
			return err
		}
	}
	if len(leaving) > 0 {
		a := action{Leave: leaving, Departures: len(leaving), Reason: why.Reason, Because: d.Summary, Decision: decision}
		if err := t.f.writeAction(ctx, tx, t.doc, newAction(), a); err != nil {
			return err
		}
	}
	if len(ending) == 0 {
		return nil
	}
	return t.f.writeAction(ctx, tx, t.doc, newAction(), action{
		Terminate: ending, Departures: breaker.Departures(d.Actions, t.leaving) - len(leaving), Reason: why.Reason, Because: why.Because, Decision: decision,
	})
}

func (t *turn) writeLaunch(ctx context.Context, tx *store.Tx, decision string, a plan.Action) error {
	id, launch := newAction(), offer.Launch(t.intent, a, t.market, t.full)
	tags.Sign(launch, id, t.installation.ID, t.installation.Generation, t.doc.ID)
	return t.f.writeAction(ctx, tx, t.doc, id, action{
		Launch: launch, Replaces: a.Replaces, VCPUs: t.vcpus[a.Type], Price: breaker.PriceOf(t.market, a), Reason: a.Reason, Because: a.Because, Decision: decision,
	})
}

// update changes one of the group's rows in tx.
func (t *turn) update(ctx context.Context, tx *store.Tx, id string, edit func(*Instance)) (Instance, error) {
	d, err := members.Get(ctx, tx, store.Account(t.doc.Account), id)
	if err != nil {
		return Instance{}, err
	}
	edit(&d.Value)
	d, err = t.save(ctx, tx, d)
	return d.Value, err
}

func (t *turn) writeDrain(ctx context.Context, tx *store.Tx, a plan.Action) error {
	i, err := t.update(ctx, tx, a.Instance, func(i *Instance) {
		i.move(plan.Draining)
		i.DrainUntil, i.LeaveReason = a.DrainUntil, string(a.Reason)
	})
	if err != nil {
		return err
	}
	line := t.f.line(journal.Info, "Instance %s (%s %s in %s) leaves service: %s", i.ID, i.Lifecycle, i.Type, i.Zone, a.Because)
	return t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("leaving", a.Reason, a.Because, i))
}

func (t *turn) writeTerminate(ctx context.Context, tx *store.Tx, a plan.Action) error {
	i, err := t.update(ctx, tx, a.Instance, func(i *Instance) {
		i.move(plan.Terminating)
		if i.LeaveReason == "" {
			i.LeaveReason = string(a.Reason)
		}
	})
	if err != nil {
		return err
	}
	line := t.f.line(journal.Info, "Instance %s is being terminated: %s", i.ID, a.Because)
	return t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("terminating", a.Reason, a.Because, i))
}

func (t *turn) happened(kind string, reason plan.Reason, because string, instances ...Instance) journal.Event {
	h := &Happening{Reason: string(reason), Because: because}
	for _, i := range instances {
		h.Instances = append(h.Instances, subject(i))
	}
	return event(t.f.Clock.Now(), kind, h)
}

// settleAll carries out every pending action, oldest first. An action that a crash interrupted is simply carried out again: its token makes that harmless.
// repeated actions may have reached the cloud before.
func (t *turn) settleAll(ctx context.Context, repeated bool) error {
	open, err := t.pending(ctx)
	if err != nil {
		return err
	}
	var later []error
	for _, a := range open {
		switch {
		case a.Value.Launch != nil:
			err = t.launch(budget.With(ctx, call.Urgency(a.Value.Reason)), a, repeated)
		case len(a.Value.Terminate) > 0:
			err = t.terminate(budget.With(ctx, call.Urgency(a.Value.Reason)), a)
		default:
			err = t.release(ctx, a)
		}
		// One call that gets no answer must not keep the others from being made.
		if err != nil {
			later = append(later, fmt.Errorf("action %s: %w", a.ID, err))
		}
	}
	return errors.Join(later...)
}

// launch asks the cloud, and takes in what it started. A refusal settles the action; no answer leaves it pending, to be repeated with its token. So does a
// refusal to answer the repetition, because the first attempt may have started everything.
func (t *turn) launch(ctx context.Context, a store.Doc[action], repeated bool) error {
	asked, err := t.f.confided(ctx, t.doc, *a.Value.Launch)
	if err != nil {
		return err
	}
	started, err := t.provider.Launch(ctx, asked)
	var refusal *cloud.Refusal
	if err != nil && !errors.As(err, &refusal) || refusal != nil && repeated && call.ProvesNothing(refusal) {
		return err
	}
	return t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for n, c := range started {
			i, err := t.adopt(ctx, tx, c, a)
			if err != nil {
				return err
			}
			if n < len(a.Value.Replaces) {
				if err := t.replacedBy(ctx, tx, a.Value.Replaces[n], i.ID); err != nil {
					return err
				}
			}
		}
		outcome := fmt.Sprintf("%d of %d started", len(started), a.Value.Launch.Count)
		if refusal != nil {
			if err := t.takeRefusal(ctx, tx, a, refusal, len(started), &outcome); err != nil {
				return err
			}
		}
		state := settled
		if len(started) == 0 {
			state = failed
		}
		a.Value.Started = len(started)
		return t.f.settle(ctx, tx, a, state, outcome)
	})
}

// adopt gives an instance its row, its meter and its line in the log; an instance that has a row keeps it.
func (t *turn) adopt(ctx context.Context, tx *store.Tx, c cloud.Instance, a store.Doc[action]) (Instance, error) {
	i := Instance{
		Group: t.doc.ID, Account: t.doc.Account, Request: c.Request, Market: c.Market, Cloud: c.State,
		PrivateIP: c.PrivateIP, PublicIP: c.PublicIP, Subnet: c.Subnet, Launch: a.ID, Created: c.LaunchedAt,
	}
	i.ID, i.Type, i.Zone, i.Lifecycle = c.ID, c.Market.Type, c.Market.Zone, plan.Lifecycle(c.Market.Lifecycle)
	i.Phase, i.Image, i.LaunchedAt, i.LaunchReason = plan.Launching, c.Image, c.LaunchedAt, a.Value.Reason
	i.KnownAt = t.f.Clock.Now()
	i.VCPUs = a.Value.VCPUs
	i.Condition, i.ConditionAt = plan.ConditionUnknown, c.LaunchedAt
	d, err := members.Insert(ctx, tx, row(i))
	if fault.Is(err, fault.Exists) {
		d, err = members.Get(ctx, tx, store.Account(t.doc.Account), c.ID)
		return d.Value, err
	}
	if err != nil {
		return i, err
	}
	t.written = append(t.written, d)
	err = t.f.Ledger.Open(ctx, tx, ledger.Meter{
		Instance: i.ID, Request: i.Request, Account: i.Account, Group: i.Group, Provider: t.provider.Info().Name, Market: i.Market, From: c.LaunchedAt,
	})
	if err != nil {
		return i, err
	}
	because := offer.Because(a.Value.Because, a.Value.Launch, c.Market)
	line := t.f.line(journal.Info, "Launched %s (%s %s in %s): %s", i.ID, i.Lifecycle, i.Type, i.Zone, because)
	return i, t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("launched", a.Value.Reason, because, i))
}

// replacedBy ties a departing instance to its successor. The departing one may have ended meanwhile; then there is nothing to tie.
func (t *turn) replacedBy(ctx context.Context, tx *store.Tx, old, successor string) error {
	_, err := t.update(ctx, tx, old, func(i *Instance) { i.ReplacedBy = successor })
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// takeRefusal tells the market and the log what the cloud would not give, and adds what the log says to the outcome.
func (t *turn) takeRefusal(ctx context.Context, tx *store.Tx, a store.Doc[action], r *cloud.Refusal, started int, outcome *string) error {
	region := a.Value.Launch.Market.Region
	t.refused, t.hopeless = true, t.hopeless || r.Kind == cloud.BadRequest // then no other market will take it either
	told := call.Refused(a.Value.Launch, started, r, t.f.Clock.Now(), t.f.Market.Wait(t.doc.Account, region, r))
	line := t.f.line(journal.Warn, "%s", told)
	*outcome += ". " + told
	err := t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("refused", plan.Reason(r.Kind), r.Message))
	return errors.Join(err, t.f.Market.Refused(ctx, tx, t.doc.Account, region, r))
}

// terminate tells the cloud. The rows end when the cloud shows them ended.
func (t *turn) terminate(ctx context.Context, a store.Doc[action]) error {
	err := call.UnlessUnknown(t.provider.Terminate(ctx, t.intent.Region, a.Value.Terminate), func() error {
		// One id that the cloud has forgotten refuses the whole call: the others are ended one by one.
		for _, id := range a.Value.Terminate {
			if err := call.UnlessUnknown(t.provider.Terminate(ctx, t.intent.Region, []string{id}), func() error { return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return t.f.settle(ctx, tx, a, settled, "terminated "+strings.Join(a.Value.Terminate, ", "))
	})
}

// release tells the cloud that instances live on without us. A cloud without tags has nothing to be told.
func (t *turn) release(ctx context.Context, a store.Doc[action]) error {
	if tagger, ok := cloud.As[cloud.Tagger](t.provider); ok {
		for _, id := range a.Value.Release {
			err := tagger.Tag(ctx, t.intent.Region, []string{id}, map[string]string{tags.State: "detached", tags.Owner: ""})
			if err := call.UnlessUnknown(err, func() error { return nil }); err != nil {
				return err
			}
		}
	}
	return t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return t.f.settle(ctx, tx, a, settled, "released "+strings.Join(a.Value.Release, ", "))
	})
}
