package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// cases is how many random fleets each property is tried on.
const cases = 10_000

// check runs a property on many fleets, whatever -rapid.checks says, as long as it is more.
func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	settings := map[string]string{"rapid.checks": fmt.Sprint(cases)}
	// The same cases every time, so that a change is judged and not luck; make explore draws new ones.
	if flag.Lookup("rapid.seed").Value.String() == "0" && os.Getenv("NEAP_PROPERTIES") != "explore" {
		settings["rapid.seed"] = "20261121"
	}
	for name, value := range settings {
		setting := flag.Lookup(name).Value
		before := setting.String()
		if err := setting.Set(value); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := setting.Set(before); err != nil {
				t.Error(err)
			}
		}()
	}
	rapid.Check(t, property)
}

// after is the draft after some passes.
func (w *world) after(passes ...pass) *draft {
	d := newDraft(w.intent, w.observed, w.market, w.now)
	for _, settle := range passes {
		settle(d)
	}
	return d
}

// recount counts what stays and what is on its way from the outside, by the decision alone.
func (w *world) recount(d Decision) (c count) {
	units := newDraft(w.intent, Observed{}, w.market, w.now).unitsOf
	leaves := map[string]bool{}
	for _, a := range d.Actions {
		leaves[a.Instance] = true
		if a.Verb == LaunchVerb {
			c.add(a.Lifecycle, a.Count*units(a.Type, 2))
		}
	}
	for _, l := range w.observed.Launches {
		c.add(l.Lifecycle, l.Count*units(l.Type, 2))
	}
	going := map[string]bool{}
	for _, m := range w.after(passes(w.intent, w.observed)...).members {
		going[m.ID] = m.fate == goes
	}
	for _, i := range w.observed.Instances {
		if (i.Phase == Running || i.Phase == Launching) && !leaves[i.ID] && !going[i.ID] {
			c.add(i.Lifecycle, units(i.Type, 2))
		}
	}
	return c
}

func TestCapacityReachesItsTargetAndNeverGrowsBeyondItsMaximum(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		d := w.plan()
		have := w.recount(d).all()
		if spot, od := d.launched(); spot+od > 0 && have > w.intent.Capacity.Max {
			r.Fatalf("%d units although the maximum is %d: %+v", have, w.intent.Capacity.Max, d.Actions)
		}
		if have+d.Short < w.intent.Capacity.Target {
			r.Fatalf("%d units and %d short of %d: %+v", have, d.Short, w.intent.Capacity.Target, d.Actions)
		}
		if have < w.intent.Capacity.Target && len(w.victims(d)) > 0 {
			r.Fatalf("scales in below the target: %+v", d.Actions)
		}
	})
}

// victims are the members that a decision takes out because there are too many.
func (w *world) victims(d Decision) (list []*Instance) {
	for _, a := range d.Actions {
		if i := w.find(a.Instance); i != nil && a.Reason == ReasonScaleIn && i.Phase != Draining {
			list = append(list, i)
		}
	}
	return list
}

func TestWhatWeTakeOutOfServiceNeverCutsServiceBelowTheTarget(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		w.intent.Health.Source = HealthNone
		before, after := 0, 0
		d := w.plan()
		ours := map[string]bool{}
		for _, a := range d.Actions {
			if slices.Contains([]Reason{ReasonScaleIn, ReasonRebalance, ReasonRevert, ReasonCheaper, ReasonReplaced}, a.Reason) {
				ours[a.Instance] = true
			}
		}
		units := newDraft(w.intent, Observed{}, w.market, w.now).unitsOf
		for _, i := range w.observed.Instances {
			if i.Phase != Running || !i.InterruptAt.IsZero() || i.IsLeaving {
				continue
			}
			before += units(i.Type, 2)
			if !ours[i.ID] {
				after += units(i.Type, 2)
			}
		}
		if after < min(before, w.intent.Capacity.Target) {
			r.Fatalf("%d units served, %d are left of a target of %d: %+v", before, after, w.intent.Capacity.Target, d.Actions)
		}
	})
}

func TestTheOnDemandFloorIsKept(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		if w.intent.Choice.Rule == EqualZones {
			return // each zone has a floor of its own there: see the examples
		}
		before := w.after(finish, leave, interrupt, heal, rebalance)
		d := w.plan()
		floor := w.intent.Mix.onDemandOf(w.intent.Capacity.Target)
		have := w.recount(d)
		// Room for the floor that was there before buying is there afterwards.
		if floor-before.have.onDemand <= before.missing() && floor-have.onDemand > max(0, w.intent.Capacity.Target-have.all()) {
			r.Fatalf("bought spot in the floor's place: %+v of a floor of %d: %+v", have, floor, d.Actions)
		}
		for _, a := range d.Actions {
			i := w.find(a.Instance)
			if i == nil || i.Phase == Draining || i.Lifecycle != OnDemand || a.Reason != ReasonScaleIn && a.Reason != ReasonRevert {
				continue
			}
			if have.onDemand < floor {
				r.Fatalf("takes on-demand %s although the floor is %d: %+v", i.ID, floor, d.Actions)
			}
		}
	})
}

func (w *world) find(id string) *Instance {
	for n := range w.observed.Instances {
		if w.observed.Instances[n].ID == id {
			return &w.observed.Instances[n]
		}
	}
	return nil
}

// unhurried gives every drain time to come, so that between two plans nothing is over.
func (w *world) unhurried() *world {
	w.intent.Drain += time.Minute
	for n := range w.observed.Instances {
		i := &w.observed.Instances[n]
		if i.Phase == Draining {
			i.DrainUntil = noon.Add(time.Minute)
		}
		if !i.InterruptAt.IsZero() {
			i.InterruptAt = noon.Add(time.Minute)
		}
	}
	return w
}

func TestEveryLossIsReplacedOnce(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r).unhurried()
		d := w.plan()
		replaced := map[string]int{}
		for _, l := range w.observed.Launches {
			for _, id := range l.Replaces {
				replaced[id]++
			}
		}
		for _, a := range d.actions(LaunchVerb) {
			if len(a.Replaces) > a.Count {
				r.Fatalf("%d instances take the place of %v", a.Count, a.Replaces)
			}
			for _, id := range a.Replaces {
				if replaced[id]++; replaced[id] > 1 {
					r.Fatalf("%s is replaced twice: %+v", id, d.Actions)
				}
			}
		}
		// The same losses, with the launches under way: nothing more is bought.
		w.apply(d)
		if again := w.plan(); len(again.actions(LaunchVerb)) > 0 {
			r.Fatalf("launched %+v, and then again %+v", d.Actions, again.Actions)
		}
		w.settle()
		// Saving money is another matter: it may begin once there is no more than wanted. So is a member of the on-demand floor for which there was no room under the maximum.
		isAgain := func(id string) bool { return replaced[id] > 0 }
		isForSafety := func(a Action) bool {
			return a.Verb == LaunchVerb && !a.Reason.isVoluntary() && (a.Lifecycle == Spot || len(a.Replaces) == 0 || slices.ContainsFunc(a.Replaces, isAgain))
		}
		if again := w.plan(); slices.ContainsFunc(again.Actions, isForSafety) {
			r.Fatalf("launched %+v, and once they exist again %+v", d.Actions, again.Actions)
		}
	})
}

func TestLockedAndStandbyMembersAreNoVictims(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		for _, a := range w.plan().Actions {
			i := w.find(a.Instance)
			if i == nil || a.Reason != ReasonScaleIn && a.Reason != ReasonRevert && a.Reason != ReasonCheaper || i.Phase == Draining {
				continue
			}
			if i.LockedUntil.After(noon) || i.Standby {
				r.Fatalf("%s of %+v", a.Reason, *i)
			}
		}
	})
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		inputs, err := json.Marshal([]any{w.intent, w.observed, w.market})
		if err != nil {
			r.Fatal(err)
		}
		first := encoded(r, w.plan())
		if !bytes.Equal(first, encoded(r, w.plan())) {
			r.Fatal("two plans differ")
		}
		var stored world
		for n, part := range []any{&stored.intent, &stored.observed, &stored.market} {
			var parts [3]json.RawMessage
			if err := json.Unmarshal(inputs, &parts); err != nil {
				r.Fatal(err)
			}
			if err := json.Unmarshal(parts[n], part); err != nil {
				r.Fatal(err)
			}
		}
		stored.now = w.now
		slices.Reverse(stored.observed.Instances) // the order of rows is no input
		if replayed := encoded(r, stored.plan()); !bytes.Equal(first, replayed) {
			r.Fatalf("replayed from storage:\n%s\n%s", first, replayed)
		}
		if after, err := json.Marshal([]any{w.intent, w.observed, w.market}); err != nil || !bytes.Equal(inputs, after) {
			r.Fatalf("planning changed its inputs (%v)", err)
		}
	})
}

func encoded(r *rapid.T, d Decision) []byte {
	text, err := json.Marshal(d)
	if err != nil {
		r.Fatal(err)
	}
	return text
}

func TestNothingIsDoneAgainWhenNothingChanged(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r).unhurried()
		w.apply(w.plan())
		if d := w.plan(); len(d.Actions) > 0 {
			r.Fatalf("acts again: %+v", d.Actions)
		}
	})
}

func TestACoolingPoolIsNeverAsked(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		for _, a := range w.plan().actions(LaunchVerb) {
			if p := w.market.pool(a.Type, a.Zone, a.Lifecycle); p.CoolUntil.After(noon) {
				r.Fatalf("asks %+v", p)
			}
			if !slices.Contains(w.intent.Choice.Zones, a.Zone) {
				r.Fatalf("buys outside of the fleet's zones: %+v", a)
			}
		}
	})
}

func TestNoVoluntaryMoveOnStalePricesOrBeyondTheBudget(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		moves, largest, part := 0, 0, cheaperPart
		for _, a := range w.plan().actions(LaunchVerb) {
			if a.Reason == ReasonRevert {
				part = revertPart
			}
			for _, id := range a.Replaces {
				if a.Reason.isVoluntary() {
					moves += newDraft(w.intent, Observed{}, w.market, noon).unitsOf(w.find(id).Type, 2)
					largest = 4
				}
			}
		}
		if w.intent.MaxMovesPart > 0 {
			part = w.intent.MaxMovesPart
		}
		if part == 0 {
			part = 100
		}
		if moves > max(largest, w.intent.Capacity.Target*part/100) || moves > 0 && w.market.Stale {
			r.Fatalf("%d units of %d move, stale %v", moves, w.intent.Capacity.Target, w.market.Stale)
		}
	})
}

func TestAskingAgainEarlierThanNextChangesNothing(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		w.apply(w.plan())
		w.settle()
		d := w.plan()
		until := noon.Add(10 * time.Minute)
		if len(d.Actions) > 0 {
			return
		}
		if !d.Next.IsZero() && d.Next.Before(until) {
			until = d.Next
		}
		wait := until.Sub(noon)
		w.now = noon.Add(time.Duration(rapid.Int64Range(0, max(0, int64(wait)-1)).Draw(r, "wait")))
		if again := w.plan(); len(again.Actions) > 0 {
			r.Fatalf("at %s it acts, although it asked to be woken at %s: %+v", w.now, d.Next, again.Actions)
		}
	})
}

// A calm world: nothing is taken, everything boots. Whatever it began with, the fleet comes to rest as intended.
func TestAFleetComesToRest(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		w.market.Stale, w.intent.Health.Heal = false, true
		for n := range w.market.Pools {
			w.market.Pools[n].CoolUntil = time.Time{}
		}
		w.settle()
		for round := 0; ; round++ {
			d := w.plan()
			// A fleet that can't buy tries for ever; that is rest, too, once all else is done.
			if len(d.Actions) == 0 && w.isCalm() && (d.Next.IsZero() || d.Short > 0 && round > 100) {
				w.checkRest(r, d)
				return
			}
			if round == 200 {
				r.Fatalf("no rest: %+v\n%+v", d, w.observed)
			}
			w.apply(d)
			w.settle()
			w.now = w.now.Add(time.Minute)
			if d.Next.After(w.now) && len(d.Actions) == 0 {
				w.now = d.Next
			}
			w.boot()
		}
	})
}

func (w *world) isCalm() bool {
	return !slices.ContainsFunc(w.observed.Instances, func(i Instance) bool { return i.Phase != Running && i.Phase != Detached && i.Phase != Terminated })
}

func (w *world) checkRest(r *rapid.T, d Decision) {
	c := w.recount(d)
	if c.all() < w.intent.Capacity.Target && d.Short == 0 {
		r.Fatalf("rests below its target: %+v", c)
	}
	locked := slices.ContainsFunc(w.observed.Instances, func(i Instance) bool { return i.Standby })
	if w.intent.Capacity.Unit == Instances && c.all() > w.intent.Capacity.Target && !locked && c.onDemand <= w.intent.Mix.onDemandOf(w.intent.Capacity.Target) {
		r.Fatalf("rests above its target of %d: %+v: %+v\n%+v", w.intent.Capacity.Target, c, d, w.observed)
	}
}
