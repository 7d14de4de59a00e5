package plan

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// once turns a fleet into a one-time one.
func (w *world) once() {
	w.intent.OneTime = true
	w.intent.Capacity = Capacity{Target: 1, Max: 1, Unit: Instances}
}

func TestAOneTimeFleetThatHasHadItsInstanceNeverLaunchesAgain(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		w.once()
		w.observed.Spent = len(w.observed.Instances) == 0 || rapid.Bool().Draw(r, "spent")
		w.observed.Deleting = rapid.Bool().Draw(r, "deleting")
		if launches := w.plan().actions(LaunchVerb); len(launches) > 0 {
			r.Fatalf("launches %+v", launches)
		}
	})
}

func TestAOneTimeFleetLetsItsInstanceBeUntilItsOwnerOrTheCloudEndsIt(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		w.once()
		for _, a := range w.plan().Actions {
			i := w.find(a.Instance)
			if a.Verb == LaunchVerb || i != nil && (i.IsLeaving || i.Phase == Draining) {
				continue
			}
			r.Fatalf("takes out what nobody asked for: %+v of %+v", a, i)
		}
	})
}

func TestAOneTimeFleetLaunchesOneInstanceAndNoMoreWhileItIsOnItsWay(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		w.once()
		w.observed = Observed{}
		d := w.plan()
		spot, onDemand := d.launched()
		if spot+onDemand > 1 || spot+onDemand == 0 && d.Short != 1 {
			r.Fatalf("launches %d, and is %d short", spot+onDemand, d.Short)
		}
		w.apply(d)
		if again := w.plan().actions(LaunchVerb); spot+onDemand == 1 && len(again) > 0 {
			r.Fatalf("launches again before the first has settled: %+v", again)
		}
		w.settle()
		for range 3 { // whatever becomes of it
			w.now = w.now.Add(time.Minute)
			w.boot()
			w.observed.Spent = w.observed.Spent || spot+onDemand == 1
			for n := range w.observed.Instances {
				w.observed.Instances[n].InterruptAt = w.now.Add(time.Second)
			}
			if again := w.plan().actions(LaunchVerb); spot+onDemand == 1 && len(again) > 0 {
				r.Fatalf("replaces its instance: %+v", again)
			}
		}
	})
}

func TestAnInterruptedOneTimeInstanceIsLookedAtAgainWhenItIsToHaveEnded(t *testing.T) {
	w := &world{intent: intentOf(1), now: noon, observed: Observed{Instances: fleetOf(1)}}
	w.market = marketOf(w.intent)
	w.once()
	end := noon.Add(2 * time.Minute)
	w.observed.Instances[0].InterruptAt = end
	if d := w.plan(); len(d.Actions) != 0 || !d.Next.Equal(end) {
		t.Errorf("%+v, next at %s", d.Actions, d.Next)
	}
	w.now = end.Add(time.Second)
	if d := w.plan(); len(d.Actions) != 0 || !d.Next.After(w.now) || d.Next.After(w.now.Add(time.Minute)) {
		t.Errorf("past its end: %+v, next at %s", d.Actions, d.Next)
	}
}

func TestADeletedOneTimeFleetIsWoundDownLikeAnyOther(t *testing.T) {
	check(t, func(r *rapid.T) {
		w := drawWorld(r)
		w.observed.Deleting = true
		before, err := json.Marshal(w.plan())
		if err != nil {
			r.Fatal(err)
		}
		w.intent.OneTime, w.observed.Spent = true, true
		after, err := json.Marshal(w.plan())
		if err != nil || !bytes.Equal(before, after) {
			r.Fatalf("%s\n%s %v", before, after, err)
		}
	})
}

func TestWhatIsNotOneTimeIsWrittenDownAsBefore(t *testing.T) {
	text, err := json.Marshal(struct {
		Intent   Intent
		Observed Observed
	}{intentOf(1), Observed{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"OneTime", "Spent", "Shutdown"} {
		if bytes.Contains(text, []byte(word)) {
			t.Errorf("%s is in the inputs of a decision that has nothing to do with it, and in the hash that was accepted: %s", word, text)
		}
	}
}
