package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/fleet/tags"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// The absence rule: an instance that the cloud stops showing is not lost for that. It is lost once a look-up by its id has failed twice, a settle time
// apart, and a look at the whole place in between. When a large part of a place goes missing at once, nothing is concluded until that is explained.
const (
	holdPercent = 20 // of the place's living instances …
	holdAtLeast = 3  // … and at least so many: a fleet of two may lose one without an alarm
)

// observe takes in what the cloud says about the group.
func (t *turn) observe(ctx context.Context) (err error) {
	if t.standing, err = t.f.standing(ctx, t.place()); err != nil {
		return err
	}
	rows, err := t.living(ctx)
	if err != nil {
		return err
	}
	ctx, t.seenAt = budget.With(ctx, need(rows)), t.f.Clock.Now()
	seen, err := t.describe(ctx, rows)
	if err != nil {
		return fmt.Errorf("describe instances of %s: %w", t.doc.ID, err)
	}
	t.onlyObserve = !t.installation.Knows(t.standing.Newest)
	byID := make(map[string]cloud.Instance, len(seen))
	t.seen = byID
	for _, c := range seen {
		byID[c.ID] = c
		if !t.installation.Knows(tags.GenerationOf(c)) {
			t.onlyObserve = true
		}
	}
	if t.onlyObserve {
		return t.tellOldDatabase(ctx)
	}
	missing, err := t.lookAgain(ctx, rows, byID)
	if err != nil {
		return err
	}
	t.held = t.standing.Held && len(missing) > 0
	if !t.held {
		gone := slices.DeleteFunc(slices.Clone(rows), func(r store.Doc[Instance]) bool { return !missing[r.ID] })
		if t.held, err = t.f.tooMany(ctx, t.place(), gone, 0); err != nil {
			return err
		}
	}
	return t.takeIn(ctx, rows, seen, byID, missing)
}

func (t *turn) place() place { return place{Account: t.doc.Account, Region: t.intent.Region} }

// describe asks for the group's own instances. Their ids are enough once a look at the whole place, by this generation of the database, has found no others. Those
// that a recent look has found as they should be are left out, unless the turn is thorough or somebody needs a replacement: then all are asked for, because the
// look may be older than the start of a newer copy of this database, which only their tags tell.
func (t *turn) describe(ctx context.Context, rows []store.Doc[Instance]) ([]cloud.Instance, error) {
	query := cloud.Query{Region: t.intent.Region}
	s := t.f.sight(t.place())
	t.unasked = map[string]bool{}
	if s.isStrange(t.doc.ID) || t.standing.Looked < t.installation.Generation {
		query.Tags = map[string]string{tags.Installation: t.installation.ID, tags.Owner: t.doc.ID}
		return t.provider.Describe(ctx, query)
	}
	all := t.thorough || slices.ContainsFunc(rows, func(r store.Doc[Instance]) bool { return r.Value.isInTrouble() && r.Value.ReplacedBy == "" })
	for _, r := range rows {
		if all || t.isMoving(r.Value) || r.Value.isInTrouble() || !s.agrees(r.ID, t.seenAt) {
			query.IDs = append(query.IDs, r.ID)
		} else {
			t.unasked[r.ID] = true
		}
	}
	if len(query.IDs) == 0 {
		return nil, nil
	}
	return t.provider.Describe(ctx, query)
}

// isMoving reports whether the cloud may show another state of an instance at any moment, without that being news.
func (t *turn) isMoving(i Instance) bool {
	return i.Phase != plan.Running || t.intent.Health.Source != plan.HealthNone && i.Condition != plan.Healthy
}

func (i *Instance) isInTrouble() bool {
	return !i.MissingAt.IsZero() || !i.InterruptAt.IsZero() || !i.RebalanceAt.IsZero() || i.Condition == plan.Unhealthy
}

// lookAgain asks by id for the instances that the listing left out, once their launch has settled; it returns those that are missing all the same.
func (t *turn) lookAgain(ctx context.Context, rows []store.Doc[Instance], byID map[string]cloud.Instance) (map[string]bool, error) {
	var ids []string
	now := t.f.Clock.Now()
	for _, r := range rows {
		if _, ok := byID[r.ID]; !ok && !t.unasked[r.ID] && now.Sub(r.Value.LaunchedAt) > t.provider.Info().Settle {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := t.provider.Describe(ctx, cloud.Query{Region: t.intent.Region, IDs: ids})
	if err != nil {
		return nil, fmt.Errorf("look for %d missing instances of %s: %w", len(ids), t.doc.ID, err)
	}
	for _, c := range found {
		byID[c.ID] = c
	}
	missing := map[string]bool{}
	for _, id := range ids {
		if _, ok := byID[id]; !ok {
			missing[id] = true
		}
	}
	return missing, nil
}

// takeIn brings our rows up to date in one transaction, and only if something differs.
func (t *turn) takeIn(ctx context.Context, rows []store.Doc[Instance], seen []cloud.Instance, byID map[string]cloud.Instance, missing map[string]bool) error {
	known := map[string]bool{}
	var changes []func(context.Context, *store.Tx) error
	for _, r := range rows {
		known[r.ID] = true
		if c, ok := byID[r.ID]; ok {
			if after := t.f.refreshed(r.Value, c); after != r.Value {
				changes = append(changes, func(ctx context.Context, tx *store.Tx) error { return t.refresh(ctx, tx, r, after, c) })
			}
		} else if missing[r.ID] {
			changes = append(changes, func(ctx context.Context, tx *store.Tx) error { return t.miss(ctx, tx, r) })
		}
	}
	for _, c := range seen {
		if !known[c.ID] && c.State != cloud.Terminated && c.State != cloud.ShuttingDown {
			changes = append(changes, func(ctx context.Context, tx *store.Tx) error { return t.explain(ctx, tx, c) })
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, change := range changes {
			if err := change(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// phases are what the cloud's states mean for ours; states that are left out mean no change.
var phases = map[cloud.State]plan.Phase{
	cloud.Running:      plan.Running,
	cloud.ShuttingDown: plan.Terminating,
	cloud.Stopping:     plan.Terminating,
	cloud.Stopped:      plan.Terminating,
	cloud.Terminated:   plan.Terminated,
}

// refreshed is the instance as the cloud tells it now. An answer from the past (a state that lies behind us) changes nothing.
func (f *Fleet) refreshed(i Instance, c cloud.Instance) Instance {
	i.MissingAt = time.Time{}
	i.PrivateIP, i.PublicIP, i.Subnet = c.PrivateIP, c.PublicIP, c.Subnet
	if to, ok := phases[c.State]; ok && i.move(to) {
		i.Cloud = c.State
	}
	if i.Phase == plan.Terminated && i.Ended.IsZero() {
		i.Ended = c.EndedAt
		if i.Ended.IsZero() {
			i.Ended = f.Clock.Now()
		}
	}
	if i.LeaveReason == "" && c.Ended != "" {
		i.LeaveReason = c.Ended
	}
	condition := map[cloud.Status]plan.Condition{cloud.StatusOK: plan.Healthy, cloud.StatusImpaired: plan.Unhealthy}[c.Status]
	if condition == "" {
		condition = plan.ConditionUnknown
	}
	if condition != i.Condition {
		i.Condition, i.ConditionAt = condition, f.Clock.Now()
	}
	i.WasHealthy = i.WasHealthy || condition == plan.Healthy
	return i
}

// refresh saves what changed and says so.
func (t *turn) refresh(ctx context.Context, tx *store.Tx, was store.Doc[Instance], now Instance, c cloud.Instance) error {
	before := was.Value
	was.Value = now
	if _, err := t.save(ctx, tx, was); err != nil {
		return err
	}
	if now.Phase == plan.Terminated {
		return t.ended(ctx, tx, before, now, c.Ended)
	}
	if before.Phase == plan.Launching && now.Phase == plan.Running {
		return t.f.Journal.Log(ctx, tx, t.doc.Account, t.doc.ID, t.f.line(journal.Info, "Instance %s is running.", now.ID))
	}
	if before.Condition != now.Condition && now.Condition == plan.Unhealthy {
		line := t.f.line(journal.Warn, "Instance %s fails the cloud's status check.", now.ID)
		return t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("unhealthy", plan.ReasonUnhealthy, line.Message, now))
	}
	return nil
}

// ended closes an instance's account.
func (t *turn) ended(ctx context.Context, tx *store.Tx, before, now Instance, how string) error {
	if err := t.f.Ledger.Close(ctx, tx, now.Account, now.ID, now.Ended); err != nil {
		return err
	}
	reason, severity, text := plan.Reason(now.LeaveReason), journal.Info, "Instance %s has ended."
	switch {
	case how == cloud.EndedByInterruption:
		reason, text = plan.ReasonInterruption, "Instance %s was interrupted by the cloud and has ended."
		if before.InterruptAt.IsZero() {
			if err := t.f.Market.Lost(ctx, tx, now.Account, now.Market); err != nil {
				return err
			}
		}
	case before.Phase != plan.Terminating:
		severity, text = journal.Warn, "Instance %s was ended outside of Neap."
	}
	line := t.f.line(severity, text, now.ID)
	return t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("terminated", reason, line.Message, now))
}

// miss counts an absence: the first is remembered, the second one, a settle time later, is believed.
func (t *turn) miss(ctx context.Context, tx *store.Tx, d store.Doc[Instance]) error {
	now := t.f.Clock.Now()
	first := d.Value.MissingAt.IsZero()
	switch {
	case first:
		d.Value.MissingAt = now
		text := "The cloud does not show instance %s; it is looked for again before that is believed."
		if t.held {
			text = "The cloud does not show instance %s, one of many at once: Neap holds still until that is explained."
		}
		if err := t.f.Journal.Log(ctx, tx, t.doc.Account, t.doc.ID, t.f.line(journal.Warn, text, d.ID)); err != nil {
			return err
		}
	case t.held || now.Sub(d.Value.MissingAt) < t.disbelief():
		return nil
	case t.standing.JudgedAt.Before(d.Value.MissingAt):
		// Only a look at the whole place can tell one loss from a cloud that has forgotten everything.
		return t.f.Workflow.Raise(ctx, tx, lookLoop, t.place().String())
	default:
		before := d.Value
		d.Value.move(plan.Terminated)
		d.Value.Ended, d.Value.LeaveReason = d.Value.MissingAt, vanished
		if _, err := t.save(ctx, tx, d); err != nil {
			return err
		}
		return t.ended(ctx, tx, before, d.Value, "")
	}
	_, err := t.save(ctx, tx, d)
	return err
}

// explain finds the row that an instance with our tags lacks: it is adopted when one of our launches started it, and set aside otherwise.
func (t *turn) explain(ctx context.Context, tx *store.Tx, c cloud.Instance) error {
	d, err := members.Get(ctx, tx, store.Installation(), c.ID)
	switch {
	case err == nil && d.Value.isBack(c):
		return t.comeBack(ctx, tx, d, c)
	case !fault.Is(err, fault.NotFound):
		return err // a row of an instance that has left: detached, quarantined, or ended and shown late
	}
	a, err := actions.Get(ctx, tx, store.Account(t.doc.Account), c.Tags[tags.Action])
	switch {
	case err == nil && a.Parent == t.doc.ID:
		_, err := t.adopt(ctx, tx, c, a)
		return err
	case err != nil && !fault.Is(err, fault.NotFound):
		return err
	}
	i := Instance{Group: t.doc.ID, Account: t.doc.Account, Market: c.Market, Cloud: c.State, Created: c.LaunchedAt}
	i.ID, i.Type, i.Zone, i.Lifecycle, i.Phase = c.ID, c.Market.Type, c.Market.Zone, plan.Lifecycle(c.Market.Lifecycle), plan.Quarantined
	if _, err := t.save(ctx, tx, row(i)); err != nil {
		return err
	}
	t.f.setStrangers(t.doc.ID, true)
	line := t.f.line(journal.Error, "Instance %s carries the tags of this group, but no launch of this database explains it. It is left alone; end it yourself, or restore the newer database.", c.ID)
	return t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("quarantined", "", line.Message, i))
}

// vanished is why an instance left that the cloud stopped showing.
const vanished = "vanished"

// HasVanished reports whether an instance was given up because the cloud stopped showing it.
func (i *Instance) HasVanished() bool { return i.Phase == plan.Terminated && i.LeaveReason == vanished }

// isBack reports whether an instance that was given up lives after all.
func (i *Instance) isBack(c cloud.Instance) bool {
	return i.HasVanished() && c.State != cloud.Terminated && c.State != cloud.ShuttingDown
}

// comeBack takes in an instance that was given up and lives after all. Its place is taken by now, so it leaves in good order instead of running on unseen.
func (t *turn) comeBack(ctx context.Context, tx *store.Tx, d store.Doc[Instance], c cloud.Instance) error {
	d.Value.Phase, d.Value.Cloud = plan.Draining, c.State // the only way out of Terminated: the end was concluded, not seen
	d.Value.Ended, d.Value.MissingAt = time.Time{}, time.Time{}
	d.Value.SkipReplace, d.Value.DrainUntil = true, t.f.Clock.Now().Add(t.intent.Drain)
	d, err := t.save(ctx, tx, d)
	if err != nil {
		return err
	}
	line := t.f.line(journal.Warn, "Instance %s is back, after it was given up and replaced; it is drained and terminated.", c.ID)
	return t.f.note(ctx, tx, t.doc, []journal.Line{line}, t.happened("leaving", plan.ReasonLost, line.Message, d.Value))
}

// disbelief is how long an absence is not believed after it was first seen.
func (t *turn) disbelief() time.Duration { return max(t.provider.Info().Settle, time.Second) }

// tellOldDatabase says, once per start, that a newer database than ours has been at work on this group.
func (t *turn) tellOldDatabase(ctx context.Context) error {
	t.f.Log.Error("this database is older than the instances it describes: only observing", "group", t.doc.ID)
	return t.write(ctx, func(ctx context.Context, tx *store.Tx) error {
		line := t.f.line(journal.Error, "A newer copy of this database has launched instances of this group. Neap only observes until that copy is restored.")
		return t.f.Journal.Log(ctx, tx, t.doc.Account, t.doc.ID, line)
	})
}
