package mishap_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

func TestAnOldAnswerShowsFormerStatesAndMissesWhatIsNew(t *testing.T) {
	w := begin(t, 2)
	w.always(mishap.Stale)
	old := must[[]cloud.Instance](t)(w.Launch(t.Context(), request("a", 1)))
	w.clock.Advance(time.Minute)
	list := func() []cloud.Instance {
		return must[[]cloud.Instance](t)(w.Describe(t.Context(), cloud.Query{Region: region}))
	}
	for range 30 { // only what somebody has seen can be shown again
		list()
		w.clock.Advance(100 * time.Millisecond)
	}
	fresh := must[[]cloud.Instance](t)(w.Launch(t.Context(), request("b", 1)))
	if err := w.Terminate(t.Context(), region, ids(old)); err != nil {
		t.Fatal(err)
	}
	missed, lagged := 0, 0
	for range 40 {
		found := list()
		if !slices.Contains(ids(found), fresh[0].ID) {
			missed++
		}
		if found[0].State == cloud.Running {
			lagged++
		}
	}
	if missed < 20 || lagged < 20 || w.Counts()[mishap.Stale] < 20 {
		t.Errorf("of 40 answers %d missed the new instance and %d showed the old one as running: %v", missed, lagged, w.Counts())
	}
	w.clock.Advance(3 * time.Second)
	for range 40 {
		if found := list(); len(found) != 2 || found[0].State == cloud.Running {
			t.Fatalf("an answer is older than the settle time: %+v", found)
		}
	}
}

// history is what was true, moment by moment.
type history struct {
	w      *world
	truth  []moment
	tokens map[string]int      // how many were asked for
	given  map[string][]string // what a launch was answered with
}

// moment is what was true at one time; several may be of the same time, because a call takes none.
type moment struct {
	at     time.Time
	states map[string]cloud.State
}

// now is the newest moment.
func (h *history) now() map[string]cloud.State { return h.truth[len(h.truth)-1].states }

func (h *history) note(t *rapid.T) {
	found, err := h.w.true.Describe(h.w.ctx, cloud.Query{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]cloud.State{}
	for _, i := range found {
		now[i.ID] = i.State
	}
	h.truth = append(h.truth, moment{h.w.clock.Now(), now})
}

// launch repeats an old launch or makes a new one.
func (h *history) launch(t *rapid.T) {
	token := fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "token"))
	if h.tokens[token] == 0 {
		h.tokens[token] = rapid.IntRange(1, 5).Draw(t, "count")
	}
	started, err := h.w.Launch(h.w.ctx, request(token, h.tokens[token]))
	if err != nil && !isRefused(err, cloud.NoCapacity) {
		if len(started) > 0 {
			t.Fatalf("%v, and %d instances beside it", err, len(started))
		}
		return
	}
	if before, known := h.given[token]; known && !slices.Equal(before, ids(started)) {
		t.Fatalf("the token %s gave %v first and %v now", token, before, ids(started))
	}
	if got, want := len(started), h.tokens[token]; got > want || (got == want) != (err == nil) {
		t.Fatalf("the token %s gave %d of %d and %v", token, got, want, err)
	}
	h.given[token] = ids(started)
}

// list holds an answer against what was true within the settle time.
func (h *history) list(t *rapid.T) {
	found, err := h.w.Describe(h.w.ctx, cloud.Query{Region: region})
	if err != nil {
		return
	}
	struck := h.w.Counts()[mishap.Empty]
	isEmpty := struck > h.w.empties
	h.w.empties = struck
	shown := map[string]cloud.State{}
	for _, i := range found {
		shown[i.ID] = i.State
	}
	since := h.w.clock.Now().Add(-h.w.Info().Settle)
	for id := range h.now() {
		state, is := shown[id]
		could := isEmpty && !is
		for _, was := range h.truth {
			past, there := was.states[id]
			could = could || !was.at.Before(since) && (there && is && past == state || !there && !is)
		}
		if !could {
			t.Fatalf("%s is shown as %q (%v), which it was at no time within %s", id, state, is, h.w.Info().Settle)
		}
	}
}

func (h *history) end(t *rapid.T) {
	all := slices.Sorted(maps.Keys(h.now()))
	if len(all) > 0 {
		_ = h.w.Terminate(h.w.ctx, region, []string{rapid.SampledFrom(all).Draw(t, "instance")}) // it may go wrong, and be done all the same
	}
}

func TestWhateverGoesWrongTokensHoldAndNoAnswerIsOlderThanTheSettleTime(t *testing.T) {
	struck := map[mishap.Kind]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := begin(t, rapid.Uint64().Draw(rt, "seed"))
		p := &mishap.Plan{Rate: map[mishap.Kind]float64{}, Spell: time.Second}
		for _, k := range mishap.Kinds() {
			p.Rate[k] = rapid.Float64Range(0, 0.5).Draw(rt, string(k))
		}
		w.plan.Store(p)
		h := &history{w: w, tokens: map[string]int{}, given: map[string][]string{}}
		h.note(rt)
		for range rapid.IntRange(5, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				h.launch(rt)
			case 1:
				h.end(rt)
			default:
				h.note(rt)
				h.list(rt)
			}
			h.note(rt)
			w.clock.Advance(time.Duration(rapid.IntRange(0, 2000).Draw(rt, "ms")) * time.Millisecond)
			h.note(rt)
		}
		ledger, err := w.cloud.Ledger(w.ctx)
		if err != nil {
			rt.Fatal(err)
		}
		h.judge(rt, ledger)
		for k, n := range w.Counts() {
			struck[k] += n
		}
	})
	for _, k := range []mishap.Kind{mishap.Throttled, mishap.Lost, mishap.Unanswered, mishap.Denied, mishap.Partial, mishap.Stale, mishap.Empty} {
		if struck[k] == 0 {
			t.Errorf("%s never struck", k)
		}
	}
}

// judge holds the cloud's own record against what the launches were answered with.
func (h *history) judge(t *rapid.T, ledger sim.Ledger) {
	real := map[string][]string{}
	for _, i := range ledger.Instances {
		real[i.Token] = append(real[i.Token], i.ID)
	}
	for token, started := range real {
		slices.Sort(started)
		if len(started) > h.tokens[token] {
			t.Fatalf("the token %s started %d instances of %d", token, len(started), h.tokens[token])
		}
		if given, known := h.given[token]; known && !slices.Equal(given, started) {
			t.Fatalf("the token %s was answered with %v and started %v", token, given, started)
		}
	}
}
