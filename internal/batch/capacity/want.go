package capacity

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity/size"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/runtime"
)

const (
	calmFor   = time.Minute      // for so long a target that is merely inexact stays: every change is a revision of the group
	dryAfter  = 30 * time.Second // when the market has given nothing for so long, it is not told more often than this that even more is needed
	forgotten = 3 * time.Minute  // wall time: a lane of which Want has not been told for so long was another replica's meanwhile
	unclaimed = 3 * time.Minute  // for so long a lane's machines may still come of which this process has never been told
)

// Want says what a lane needs now. It goes by the machines of the last Hosts: what has become ready since, the caller does not know yet.
func (f *Fleets) Want(ctx context.Context, at Lane, d Demand) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stamp == "" {
		if err := f.refresh(ctx); err != nil {
			return err
		}
	}
	q, err := f.queue(ctx, at)
	if fault.Is(err, fault.NotFound) { // it was dropped: nothing more is bought
		q, d.Waiting, err = Queue{Lane: at}, nil, nil
	}
	if err != nil {
		return err
	}
	kinds := f.shelf(q)
	waiting := map[string][]runtime.Resources{}
	for _, task := range d.Waiting {
		class := kinds.classOf(task)
		waiting[class] = append(waiting[class], task)
	}
	for _, class := range classes() {
		if err := f.want(ctx, q, class, kinds[class], d.Busy, waiting[class]); err != nil {
			return err
		}
	}
	return nil
}

// want is Want for one class of machines.
func (f *Fleets) want(ctx context.Context, q Queue, class string, kinds []size.Kind, busy map[string]runtime.Resources, waiting []runtime.Resources) error {
	c := f.crews[laneID(q.Lane, class)]
	if c == nil && len(waiting) == 0 {
		return nil
	}
	now := f.Clock.Now()
	ask := func(c *crew) size.Answer {
		question := size.Question{Waiting: waiting, Busy: busy, Kinds: kinds, Room: f.room(q, c), IdleFor: f.IdleFor, Now: now, Hurry: f.isInTheWay(c)}
		if c != nil {
			if time.Since(c.asked) > forgotten {
				clear(c.idle)
			}
			question.Hosts, question.Idle = f.hostsOf(c), c.idle
		}
		return size.Decide(question)
	}
	answer := ask(c)
	if c == nil {
		if answer.New == 0 && answer.Short == 0 {
			return nil
		}
		var err error
		if c, err = f.found(ctx, q, class); err != nil {
			return err
		}
		if err := f.look(ctx, c); err != nil {
			return err
		}
		answer = ask(c) // the group may have been there, with machines
	}
	c.asked, c.bought, c.idle = time.Now(), q.Lifecycle, answer.Idle
	f.note(c, answer, kinds)
	return f.apply(ctx, c, q, answer)
}

// note keeps what is to come, and what can't come, for the sake of the limit.
func (f *Fleets) note(c *crew, a size.Answer, kinds []size.Kind) {
	now := f.Clock.Now()
	if c.lacks.takes == (runtime.Resources{}) {
		c.lacks.since = now
	}
	c.lacks.units, c.lacks.takes, c.lacks.needs = a.Target, a.Takes, runtime.Resources{}
	if tight := size.Tight(a.First, kinds); a.Short > 0 && len(tight) > 0 && !within(tight[0].Has, less(f.limit(), f.used(nil))) {
		c.lacks.needs = tight[0].Has
	}
	switch {
	case c.lacks.needs == (runtime.Resources{}):
		c.lacks.blocked = time.Time{}
	case c.lacks.blocked.IsZero():
		c.lacks.blocked = now
	}
}

// hostsOf are a crew's machines as the rule of size sees them.
func (f *Fleets) hostsOf(c *crew) []size.Host {
	hosts := make([]size.Host, len(c.members))
	for n, i := range c.members {
		hosts[n] = size.Host{ID: i.ID, Units: f.unitsOf(i), Has: f.has(i), State: stateOf(c, i)}
	}
	return hosts
}

// unitsOf is what the fleet room counts a machine for.
func (f *Fleets) unitsOf(i fleet.Instance) int {
	t, _ := f.Catalog.HasType(i.Type)
	return max(1, i.VCPUs, t.VCPUs)
}

// room is what more machines may take: of the installation's limit what no lane's machines have, and of the queue's bound what its own have not. What others were promised is kept for a
// while, and what a lane on demand waits for is not given to one on spot.
func (f *Fleets) room(q Queue, own *crew) runtime.Resources {
	all := f.used(own)
	for _, c := range f.crews {
		if c != own && f.isBlocked(c) && c.bought == cloud.OnDemand && q.Lifecycle == cloud.Spot {
			all = plus(all, c.lacks.needs)
		}
	}
	var here runtime.Resources
	for _, class := range classes() {
		if c := f.crews[laneID(q.Lane, class)]; c != nil {
			here = plus(here, f.usedBy(c, c != own))
		}
	}
	return least(less(f.limit(), all), less(bounds(q.Most), here))
}

// used is what all machines take that stay, with those that are still to come, but for one crew's.
func (f *Fleets) used(but *crew) (all runtime.Resources) {
	for _, c := range f.crews {
		all = plus(all, f.usedBy(c, c != but))
	}
	return all
}

func (f *Fleets) usedBy(c *crew, andComing bool) (used runtime.Resources) {
	for _, i := range c.members {
		if i.ID == "" || !isLeaving(i) {
			used = plus(used, f.has(i))
		}
	}
	if andComing && f.expects(c) {
		used = plus(used, c.lacks.takes)
	}
	return used
}

// expects reports whether machines are still to come that were asked for not long ago.
func (f *Fleets) expects(c *crew) bool {
	units := 0
	for _, i := range c.members {
		if i.ID == "" || !isLeaving(i) {
			units += f.unitsOf(i)
		}
	}
	return units < c.lacks.units && f.Clock.Now().Sub(c.lacks.since) < patience
}

// isInTheWay reports whether another lane waits for room under the installation's limit, so that nothing idle is kept.
func (f *Fleets) isInTheWay(of *crew) bool {
	for _, c := range f.crews {
		if c != of && f.isBlocked(c) {
			return true
		}
	}
	return false
}

// isBlocked reports whether a lane waits for room under the installation's limit.
func (f *Fleets) isBlocked(c *crew) bool {
	return !c.lacks.blocked.IsZero() && time.Since(c.asked) < forgotten
}

// apply brings a group to what was decided, and lets machines go.
func (f *Fleets) apply(ctx context.Context, c *crew, q Queue, a size.Answer) error {
	group, err := f.Fleet.Get(ctx, c.Account, c.Group)
	if fault.Is(err, fault.NotFound) {
		return f.abandon(ctx, c)
	}
	if err != nil {
		return err
	}
	was, err := read(group.Document)
	if err != nil {
		return err
	}
	next := was
	if a.New > 0 {
		next = f.document(q, c.Class, a.Kinds)
	}
	next.Capacity = numbers{Target: a.Target, Maximum: a.Most}
	if len(a.Go) > 0 {
		return f.letGo(ctx, c, was, next, a.Go)
	}
	if next.isLike(was) {
		return nil
	}
	now := f.Clock.Now()
	wrote := now.Sub(c.wrote)
	isCalm := a.New == 0 && a.Target > 0 && wrote < calmFor
	isDry := a.New > 0 && wrote < dryAfter && now.Sub(c.lacks.since) >= dryAfter
	if (isCalm || isDry) && wrote >= 0 {
		return nil
	}
	return f.write(ctx, c, next)
}

// letGo takes idle machines out of a group. The target that holds without them is reached in one step, with their leaving, so that at no moment anything comes in their place.
func (f *Fleets) letGo(ctx context.Context, c *crew, was, next document, ids []string) error {
	target := next.Capacity.Target
	for n := range c.members {
		if slices.Contains(ids, c.members[n].ID) {
			target += f.unitsOf(c.members[n])
		}
	}
	next.Capacity = numbers{Target: target, Maximum: max(target, next.Capacity.Maximum)}
	if !next.isLike(was) {
		if err := f.write(ctx, c, next); err != nil {
			return err
		}
	}
	atOnce := time.Duration(0)
	err := f.Fleet.Detach(ctx, c.Account, author, c.Group, fleet.Detach{Instances: ids, Terminate: true, Decrement: true, Drain: &atOnce})
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) {
		f.Log.DebugContext(ctx, "idle machines changed while they were to go; the next look tells", "lane", c.id, "error", err)
		c.looked = false
		return nil
	}
	if err != nil {
		return err
	}
	for n := range c.members {
		if slices.Contains(ids, c.members[n].ID) {
			c.members[n].Phase = plan.Draining
		}
	}
	c.wrote = f.Clock.Now()
	return nil
}

// write makes a document the group's next revision.
func (f *Fleets) write(ctx context.Context, c *crew, next document) error {
	text, err := next.encoded()
	if err != nil {
		return err
	}
	_, err = f.Fleet.Update(ctx, c.Account, author, c.Group, func(json.RawMessage) (json.RawMessage, error) { return text, nil })
	if fault.Is(err, fault.NotFound) {
		return f.abandon(ctx, c)
	}
	c.wrote = f.Clock.Now()
	return err
}

// settle lowers what nobody asks for any more: a lane without machines that was told to get some before this process began, and of whose jobs the caller knows nothing.
func (f *Fleets) settle(ctx context.Context) error {
	for _, c := range f.sorted() {
		if c.settled || !c.asked.IsZero() || len(c.members) > 0 || f.Clock.Now().Sub(c.known) < unclaimed {
			continue
		}
		group, err := f.Fleet.Get(ctx, c.Account, c.Group)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		was, err := read(group.Document)
		if err == nil && was.Capacity.Target > 0 {
			was.Capacity = numbers{}
			err = f.write(ctx, c, was)
		}
		if err != nil {
			return err
		}
		c.settled = true
	}
	return nil
}
