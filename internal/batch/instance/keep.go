package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	atOnce      = 500 // rows of one query
	reasonsMost = 25  // tasks that wait for an instance, of which it is asked in one round why
	reasonAfter = 5 * time.Second
	callTimeout = 10 * time.Second
)

// keep is one round over all living tasks. Of those that run it asks one question for all: whose instance is leaving or gone; only these, those that wait, and those that we
// end ourselves are looked at one by one.
func (r *Runtime) keep(ctx context.Context) error {
	living, _, err := tasks.List(ctx, r.DB, store.Installation(), store.Query{States: livingStates()})
	if err != nil {
		return err
	}
	now := r.Clock.Now()
	moving, err := r.moving(ctx, living, now)
	if err != nil {
		return err
	}
	var failed []error
	for some := range slices.Chunk(moving, atOnce) {
		courses, err := r.Fleet.Courses(ctx, parents(some))
		if err != nil {
			return err
		}
		failed = append(failed, r.followAll(ctx, some, courses, now))
	}
	return errors.Join(append(failed, r.giveReasons(ctx, living, now), r.readConsoles(ctx, living, now))...)
}

func parents(docs []store.Doc[task]) []string {
	ids := make([]string, len(docs))
	for n, d := range docs {
		ids[n] = d.Parent
	}
	return ids
}

// moving are the tasks about which something may have changed.
func (r *Runtime) moving(ctx context.Context, living []store.Doc[task], now time.Time) (list []store.Doc[task], err error) {
	quiet := map[string]store.Doc[task]{} // by instance
	var ids []string
	for _, d := range living {
		if t := d.Value; d.State == string(runtime.Running) && t.Ending == "" && !t.isOverdue(d.State, now) {
			quiet[t.Instance], ids = d, append(ids, t.Instance)
		} else {
			list = append(list, d)
		}
	}
	for some := range slices.Chunk(ids, atOnce) {
		departed, err := r.Fleet.Departed(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, id := range departed {
			list = append(list, quiet[id])
		}
	}
	return list, nil
}

// followAll brings tasks up to date with their groups. What is to be done to a group is written down before it is done.
func (r *Runtime) followAll(ctx context.Context, before []store.Doc[task], courses map[string]fleet.Course, now time.Time) error {
	var failed []error
	var final []step
	for _, d := range before {
		course, is := courses[d.Parent]
		if !is {
			failed = append(failed, fmt.Errorf("task %s has no group", d.ID))
			continue
		}
		after, wish := follow(d, course, now)
		if !isLiving(after.State) {
			final = append(final, step{d, after})
			continue
		}
		err := r.put(ctx, step{d, after})
		if err == nil {
			err = r.carryOut(ctx, after, wish)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("task %s: %w", d.ID, err))
		}
	}
	return errors.Join(append(failed, r.finish(ctx, final))...)
}

// step is a change of a task.
type step struct{ before, after store.Doc[task] }

// put stores a task that has changed. Somebody else may have changed it meanwhile; then the next round sees that.
func (r *Runtime) put(ctx context.Context, s step) error {
	if s.before.Value == s.after.Value && s.before.State == s.after.State {
		return nil
	}
	err := r.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := save(ctx, tx, s.after, r.Clock.Now())
		return err
	})
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return unlessMissing(err)
}

func (r *Runtime) carryOut(ctx context.Context, d store.Doc[task], w wish) error {
	switch w {
	case endGroup:
		err := r.endGroup(ctx, d)
		if fault.Is(err, fault.Conflict) { // somebody protects the group: that is theirs to lift
			return r.tell(ctx, d.ID, "It is to end, and can't: "+sentence(err))
		}
		return err
	case terminate:
		provider, err := r.Clouds.For(ctx, d.Account)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(budget.With(ctx, budget.Scaling), callTimeout)
		defer cancel()
		err = provider.Terminate(ctx, d.Value.Region, []string{d.Value.Instance})
		if refusal, is := errors.AsType[*cloud.Refusal](err); is && refusal.Kind == cloud.Unknown {
			return nil // it has ended since; the fleet room will see it
		}
		return err
	}
	return nil
}

// tell says for people why a task stands as it does.
func (r *Runtime) tell(ctx context.Context, id, why string) error {
	d, err := get(ctx, r.DB, id)
	if err != nil {
		return unlessMissing(err)
	}
	after := d
	after.Value.Reason = why
	return r.put(ctx, step{d, after})
}

// turns is when this process asked last why tasks wait, by task.
type turns map[string]time.Time

// giveReasons tells of some tasks that wait what they wait for, those of which it was told longest ago first.
func (r *Runtime) giveReasons(ctx context.Context, living []store.Doc[task], now time.Time) error {
	waiting := map[string]bool{}
	var due []store.Doc[task]
	for _, d := range living {
		if t := d.Value; d.State == string(runtime.Starting) && t.Instance == "" && now.Sub(t.Recorded) >= reasonAfter {
			waiting[d.ID] = true
			due = append(due, d)
		}
	}
	for id := range r.asked {
		if !waiting[id] {
			delete(r.asked, id)
		}
	}
	slices.SortFunc(due, func(a, b store.Doc[task]) int {
		return cmp.Or(r.asked[a.ID].Compare(r.asked[b.ID]), strings.Compare(a.ID, b.ID))
	})
	for _, d := range due[:min(len(due), reasonsMost)] {
		r.asked[d.ID] = now
		refused, err := r.Fleet.Refusal(ctx, d.Account, d.Parent)
		if err != nil {
			return err
		}
		after := d
		after.Value.Reason = "Waits for " + d.Value.Wants + "."
		if refused != "" {
			after.Value.Reason += " Asked last: " + refused
		}
		if err := r.put(ctx, step{d, after}); err != nil {
			return err
		}
	}
	return nil
}
