package mishap_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/cloudtest"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

func TestTheProviderContractIsKept(t *testing.T) {
	for name, kinds := range map[string][]mishap.Kind{
		"when nothing goes wrong":                              nil,
		"by old answers, and notices that come late and twice": {mishap.Stale, mishap.Late, mishap.Twice},
	} {
		t.Run(name, func(t *testing.T) {
			struck := map[mishap.Kind]int{}
			cloudtest.Run(t, func(t *testing.T) cloudtest.Fixture {
				w := begin(t, 7)
				w.always(kinds...)
				t.Cleanup(func() {
					for k, n := range w.Counts() {
						struck[k] += n
					}
				})
				return cloudtest.Fixture{
					Provider: w.Provider, Market: spot, Template: template, Now: w.clock.Now, Advance: w.clock.Advance, Room: w.room,
					Claims: []cloudtest.Ability{cloudtest.Interrupts, cloudtest.Notifies, cloudtest.Prices, cloudtest.Tags, cloudtest.Powers, cloudtest.Modifies, cloudtest.Consoles},
					Throttle: func() {
						w.cloud.FailNext(sim.LaunchCall, &cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount, Key: region, Code: "RequestLimitExceeded", Message: "too many"})
					},
				}
			})
			for _, k := range kinds {
				if struck[k] == 0 {
					t.Errorf("%s never struck", k)
				}
			}
		})
	}
}

func TestACallThatIsLostThrottledOrDeniedHasNoEffect(t *testing.T) {
	w := begin(t, 1)
	for _, kind := range []mishap.Kind{mishap.Lost, mishap.Throttled, mishap.Denied} {
		w.always(kind)
		started, err := w.Launch(t.Context(), request(string(kind), 2))
		if len(started) != 0 || err == nil || w.alive(t) != 0 {
			t.Errorf("%s: started %d, %v, and %d live", kind, len(started), err, w.alive(t))
		}
		if wrong := isRefused(err, cloud.Throttled) != (kind == mishap.Throttled) || isRefused(err, cloud.Denied) != (kind == mishap.Denied); wrong {
			t.Errorf("%s gave %v", kind, err)
		}
	}
	tagger, notifier := ability[cloud.Tagger](t, w), ability[cloud.Notifier](t, w)
	w.always(mishap.Denied)
	_, described := w.Describe(t.Context(), cloud.Query{Region: region})
	_, checked := w.Check(t.Context(), region, template)
	_, noticed := notifier.Notices(t.Context(), region)
	for name, err := range map[string]error{
		"Describe": described, "Check": checked, "Terminate": w.Terminate(t.Context(), region, nil), "Notices": noticed,
		"Acknowledge": notifier.Acknowledge(t.Context(), region, nil), "Tag": tagger.Tag(t.Context(), region, nil, nil),
	} {
		if !isRefused(err, cloud.Denied) {
			t.Errorf("%s gave %v", name, err)
		}
	}
	if n := w.Counts()[mishap.Denied]; n != 7 {
		t.Errorf("%d calls were counted as denied, 7 were", n)
	}
}

// ability finds an ability.
func ability[T any](t *testing.T, w *world) T {
	t.Helper()
	found, ok := cloud.As[T](w.Provider)
	if !ok {
		t.Fatalf("the ability %T is lost", *new(T))
	}
	return found
}

func TestCredentialsAreBadForWholeSpells(t *testing.T) {
	w := begin(t, 3)
	w.plan.Store(&mishap.Plan{Rate: map[mishap.Kind]float64{mishap.Denied: 0.5}, Spell: time.Minute})
	changes, spells := 0, map[bool]int{}
	was := false
	for range 100 {
		for second := range 60 {
			_, err := w.Describe(t.Context(), cloud.Query{Region: region})
			if is := isRefused(err, cloud.Denied); is != was {
				was = is
				if changes++; second != 0 {
					t.Errorf("it changed in second %d of a spell", second)
				}
			}
			w.clock.Advance(time.Second)
		}
		spells[was]++
	}
	if changes < 20 || spells[true] < 30 || spells[false] < 30 {
		t.Errorf("%d changes, %v spells", changes, spells)
	}
}

func TestALostReplyLeavesTheEffectAndTheTokenGivesTheSameInstances(t *testing.T) {
	w := begin(t, 1)
	w.always(mishap.Unanswered)
	if started, err := w.Launch(t.Context(), request("a", 3)); err == nil || len(started) != 0 || w.alive(t) != 3 {
		t.Fatalf("started %d, %v, and %d live", len(started), err, w.alive(t))
	}
	w.always()
	started := must[[]cloud.Instance](t)(w.Launch(t.Context(), request("a", 3)))
	if len(started) != 3 || w.alive(t) != 3 {
		t.Errorf("the repeated launch gave %d, and %d live", len(started), w.alive(t))
	}
	w.always(mishap.Unanswered)
	if err := w.Terminate(t.Context(), region, ids(started)); err == nil || w.alive(t) != 0 {
		t.Errorf("Terminate gave %v, and %d live", err, w.alive(t))
	}
}

func TestAPartialLaunchIsTheSameHoweverOftenItIsRepeatedAndWhateverThePlan(t *testing.T) {
	w := begin(t, 1)
	w.always(mishap.Partial)
	first, err := w.Launch(t.Context(), request("a", 5))
	if !isRefused(err, cloud.NoCapacity) || len(first) == 0 || len(first) >= 5 {
		t.Fatalf("started %d, %v", len(first), err)
	}
	for _, plan := range [][]mishap.Kind{{mishap.Partial}, {}} {
		w.always(plan...)
		again, err := w.Launch(t.Context(), request("a", 5))
		if !isRefused(err, cloud.NoCapacity) || !slices.Equal(ids(again), ids(first)) {
			t.Errorf("repeated: %v, %v; first %v", ids(again), err, ids(first))
		}
	}
	for count := 1; count < 5; count++ {
		if _, err := w.Launch(t.Context(), request("a", count)); !isRefused(err, cloud.BadRequest) {
			t.Errorf("the token with a count of %d gave %v", count, err)
		}
	}
	if w.alive(t) != len(first) || w.Counts()[mishap.Partial] != 1 {
		t.Errorf("%d live, %d started; counted as %d", w.alive(t), len(first), w.Counts()[mishap.Partial])
	}
	// Another process with the same seed and plan decides alike.
	other := mishap.New(1, mishap.Steady(mishap.Plan{Rate: map[mishap.Kind]float64{mishap.Partial: 1}})).Wrap(w.clock, "acc", w.true)
	if again, err := other.Launch(t.Context(), request("a", 5)); !isRefused(err, cloud.NoCapacity) || !slices.Equal(ids(again), ids(first)) {
		t.Errorf("elsewhere: %v, %v", ids(again), err)
	}
}

func TestFewerThanTheLeastCountAreNone(t *testing.T) {
	w := begin(t, 1)
	w.always(mishap.Partial)
	l := request("a", 5)
	l.Least = 5
	if started, err := w.Launch(t.Context(), l); !isRefused(err, cloud.NoCapacity) || len(started) != 0 || w.alive(t) != 0 {
		t.Errorf("started %d, %v, and %d live", len(started), err, w.alive(t))
	}
}

func TestAnEmptyListingIsNoError(t *testing.T) {
	w := begin(t, 1)
	started := must[[]cloud.Instance](t)(w.Launch(t.Context(), request("a", 2)))
	w.clock.Advance(time.Minute)
	w.always(mishap.Empty)
	if found, err := w.Describe(t.Context(), cloud.Query{Region: region, IDs: ids(started)}); err != nil || len(found) != 0 {
		t.Errorf("listed %v, %v", ids(found), err)
	}
	w.always()
	if found, err := w.Describe(t.Context(), cloud.Query{Region: region, IDs: ids(started)}); err != nil || len(found) != 2 {
		t.Errorf("listed %v, %v", ids(found), err)
	}
}

func TestOnlyAbilitiesThatTheProviderHasAreFound(t *testing.T) {
	w := begin(t, 1)
	bare := w.Wrap(w.clock, "bare", struct{ cloud.Provider }{w.true})
	for name, c := range map[string]struct{ has, bare bool }{
		"notifier": {has[cloud.Notifier](w.Provider), has[cloud.Notifier](bare)}, "pricer": {has[cloud.Pricer](w.Provider), has[cloud.Pricer](bare)},
		"tagger": {has[cloud.Tagger](w.Provider), has[cloud.Tagger](bare)}, "interrupter": {has[cloud.Interrupter](w.Provider), has[cloud.Interrupter](bare)},
		"powerer": {has[cloud.Powerer](w.Provider), has[cloud.Powerer](bare)}, "modifier": {has[cloud.Modifier](w.Provider), has[cloud.Modifier](bare)},
	} {
		if !c.has || c.bare {
			t.Errorf("%s: the simulated cloud has it: %v, a bare one: %v", name, c.has, c.bare)
		}
	}
	if has[cloud.Scaler](w.Provider) != has[cloud.Scaler](w.true) || w.Info() != w.true.Info() {
		t.Error("it is another provider than the one inside")
	}
}

func has[T any](p cloud.Provider) bool { _, ok := cloud.As[T](p); return ok }

func TestTheSameSeedGivesTheSameMishaps(t *testing.T) {
	live := func(seed uint64) (story []string) {
		w := begin(t, seed)
		w.plan.Store(everything(0.2))
		for n := range 60 {
			started, err := w.Launch(t.Context(), request(fmt.Sprint(n/2), 1+n/2%4))
			story = append(story, fmt.Sprint(len(started), err))
			found, err := w.Describe(t.Context(), cloud.Query{Region: region})
			story = append(story, fmt.Sprint(len(found), err))
			w.clock.Advance(500 * time.Millisecond)
		}
		return append(story, fmt.Sprint(w.Counts()))
	}
	first := live(5)
	if !slices.Equal(first, live(5)) {
		t.Error("two runs of one seed differ")
	}
	if slices.Equal(first, live(6)) {
		t.Error("another seed gives the same")
	}
}

// everything goes wrong at the same rate.
func everything(rate float64) *mishap.Plan {
	p := &mishap.Plan{Rate: map[mishap.Kind]float64{}, Spell: 500 * time.Millisecond}
	for _, k := range mishap.Kinds() {
		p.Rate[k] = rate
	}
	return p
}

func TestManyMayCallAtOnce(t *testing.T) {
	w := begin(t, 1)
	w.plan.Store(everything(0.1))
	notifier := ability[cloud.Notifier](t, w)
	var callers sync.WaitGroup
	for n := range 8 {
		callers.Go(func() {
			for round := range 20 {
				started, _ := w.Launch(t.Context(), request(fmt.Sprintf("%d-%d", n%4, round), 3)) // errors are what it is about
				_, _ = w.Describe(t.Context(), cloud.Query{Region: region})
				if len(started) > 0 {
					_ = ability[cloud.Interrupter](t, w).Interrupt(t.Context(), region, ids(started)[:1])
				}
				notices, _ := notifier.Notices(t.Context(), region)
				for _, one := range notices {
					_ = notifier.Acknowledge(t.Context(), region, []string{one.ID})
				}
				w.clock.Advance(100 * time.Millisecond)
			}
		})
	}
	callers.Wait()
	counts := w.Counts()
	for _, k := range mishap.Kinds() {
		if counts[k] == 0 {
			t.Errorf("%s never struck: %v", k, slices.Sorted(maps.Keys(counts)))
		}
	}
	perToken := map[string]int{}
	ledger := must[sim.Ledger](t)(w.cloud.Ledger(t.Context()))
	for _, i := range ledger.Instances {
		perToken[i.Token]++
	}
	for token, n := range perToken {
		if n > 3 {
			t.Errorf("the token %s started %d instances, 3 were asked for", token, n)
		}
	}
}
