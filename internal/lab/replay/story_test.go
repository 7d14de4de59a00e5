package replay

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fleet/breaker"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// even is a world of one type in so many zones, whose prices never change: 10 cents on demand, 4 on spot.
func even(zones int, span time.Duration) *world.World {
	w := plain(1, zones, span)
	for n := range w.Pools {
		w.Pools[n].OnDemand, w.Pools[n].Usual = 100_000, 40_000
		w.Pools[n].Prices = []world.Change{{At: w.From, Price: 40_000}}
	}
	return w
}

func TestAMoveSavesWhatTheOldOneWouldHaveCostLessWhatTheNewOneDoes(t *testing.T) {
	_, out := finished(t, Setup{World: even(1, 24*time.Hour), Workload: steady(1), Policy: lab.PolicyAutoSpotting}, nil)
	if len(out.Moves) != 1 || out.Voluntary != 1 || out.Forced != 0 {
		t.Fatalf("%+v", out.Moves)
	}
	// On demand from the start on, spot from the fifth minute on; it serves after six, and then the old one drains for two.
	m := out.Moves[0]
	day := 24 * time.Hour
	old, young := money.Price(100_000), money.Price(40_000)
	if saved := old.For(day-8*time.Minute) - young.For(day-5*time.Minute); m.Saved != saved || !m.At.Equal(midnight.Add(5*time.Minute)) {
		t.Errorf("%+v; it saved %s", m, saved)
	}
	if m.From != "t00.large us-east-1a on-demand" || m.To != "t00.large us-east-1a spot" || m.Count != 1 {
		t.Errorf("%+v", m)
	}
	if cost := old.For(8*time.Minute) + young.For(day-5*time.Minute); out.Cost != cost {
		t.Errorf("it cost %s, not %s", out.Cost, cost)
	}
}

func TestAComparisonEndsWhereTheOldOneWouldHaveBeenTaken(t *testing.T) {
	r := &run{Setup: Setup{World: even(2, 24*time.Hour), Until: midnight.Add(24 * time.Hour)}}
	from := &stall{in: inPool(&r.World.Pools[0]), of: &r.World.Pools[0]}
	to := &stall{in: inPool(&r.World.Pools[1]), of: &r.World.Pools[1]}
	r.World.Pools[1].Prices[0].Price = 10_000
	old := &machine{stall: from, launched: midnight, ended: midnight.Add(2 * time.Hour), fate: world.Fate{End: midnight.Add(5 * time.Hour)}}
	young := &machine{stall: to, launched: midnight.Add(time.Hour)}
	for _, c := range []struct {
		what   string
		within time.Duration
		ended  time.Time
		until  time.Duration // since midnight
	}{
		{"the old one's fate", 0, time.Time{}, 5 * time.Hour},
		{"the horizon, from when the new one serves", 3 * time.Hour, time.Time{}, 4*time.Hour + time.Minute},
		{"the new one's end", 0, midnight.Add(3 * time.Hour), 3 * time.Hour},
		{"the new one's end, before that of the old one", 0, midnight.Add(90 * time.Minute), 90 * time.Minute},
	} {
		young.ended = c.ended
		saved := money.Price(40_000).For(max(0, c.until-2*time.Hour)) - money.Price(10_000).For(c.until-time.Hour)
		if got := r.saved(pair{old, young}, c.within); got != saved {
			t.Errorf("until %s it saves %s, not %s", c.what, got, saved)
		}
	}
}

func TestAPoolGivesNoMoreThanItHas(t *testing.T) {
	w := even(2, time.Hour)
	w.Pools[0].Fates, w.Pools[1].Fates = mortal{size: 3, seed: wet(t)}, mortal{size: 4, seed: wet(t)}
	r, out := finished(t, Setup{World: w, Workload: steady(10), Policy: lab.PolicyLowestPrice}, nil)
	spot := 0
	for _, m := range r.machines {
		if m.stall.isSpot() {
			spot++
		}
	}
	if spot != 7 || len(r.machines) != 10 || out.Refusals == 0 || out.ShortHours > 0 {
		t.Errorf("%d on spot of %d, %d refusals, %v hours short", spot, len(r.machines), out.Refusals, out.ShortHours)
	}
}

// wet is a seed with which a pool is not dry in the first hours.
func wet(t *testing.T) uint64 {
	t.Helper()
	for seed := uint64(0); seed < 100; seed++ {
		if m := (mortal{seed: seed}); !m.isDry(midnight) && !m.isDry(midnight.Add(2*time.Hour)) {
			return seed
		}
	}
	t.Fatal("every pool is dry")
	return 0
}

func TestAFleetThatNeverFallsBackWaitsForItsPool(t *testing.T) {
	w := even(1, 12*time.Hour)
	w.Pools[0].Fates = world.Spells{Notice: w.Notice, Ends: w.Until, Ups: []world.Span{
		{From: w.From, Until: w.From.Add(4 * time.Hour)}, {From: w.From.Add(6 * time.Hour), Until: w.Until},
	}}
	_, out := finished(t, Setup{World: w, Workload: steady(2), Policy: lab.PolicyNeap, Adjust: func(in *plan.Intent) { in.Mix.FallbackToOD = false }}, nil)
	if out.DemandHours > 0 || out.ShortHours < 4 || out.ShortHours > 6 {
		t.Errorf("%v hours on demand, %v short", out.DemandHours, out.ShortHours)
	}
	if len(out.Worst) != 1 || out.Worst[0].Lost != 2 || out.Worst[0].Lowest != 0 || out.Worst[0].Slow < time.Minute {
		t.Errorf("%+v", out.Worst)
	}
}

func TestTheBreakerHoldsBackWhatIsTooMuchForAnHour(t *testing.T) {
	w := even(3, 6*time.Hour)
	for n := range w.Pools {
		w.Pools[n].Fates = mortal{size: 100, seed: uint64(n), life: 5 * time.Minute, notice: w.Notice}
	}
	notes := 0
	r, _ := finished(t, Setup{
		World: w, Workload: steady(10), Policy: lab.PolicyNeap, Adjust: func(in *plan.Intent) { in.Mix.FallbackToOD = false },
		Note: func(time.Time, string) { notes++ },
	}, nil)
	limit := 0
	for _, b := range breaker.ForGroup(group, breaker.Size{Target: 10, Living: 10}) {
		limit = max(limit, b.Limit.Launches)
	}
	most := 0
	for n := range r.lives {
		within := 0
		for _, m := range r.lives[n:] {
			if m.launched.Sub(r.lives[n].launched) < breaker.Hour {
				within++
			}
		}
		most = max(most, within)
	}
	if most != limit || notes == 0 {
		t.Errorf("at most %d were launched within an hour; the breaker allows %d, and left %d notes", most, limit, notes)
	}
}

func TestTheAccountLearnsFromWhatItLosesAndFromWhatItKeeps(t *testing.T) {
	w := even(2, 24*time.Hour)
	w.Pools[0].Fates = mortal{size: 100, seed: wet(t), life: time.Hour, notice: w.Notice}
	r, out := finished(t, Setup{World: w, Workload: steady(10), Policy: lab.PolicyLowestPrice}, nil)
	r.offered(r.intent)
	risk := map[string]float64{}
	for _, p := range r.view {
		risk[p.Market.Zone] = max(risk[p.Market.Zone], p.Risk)
	}
	if out.Forced == 0 || risk["us-east-1a"] < 0.2 || risk["us-east-1b"] > risk["us-east-1a"]/2 {
		t.Errorf("%d were taken, and the risks are %v", out.Forced, risk)
	}
}

func TestAnotherSeedHasOtherFates(t *testing.T) {
	w := even(2, 24*time.Hour)
	for n := range w.Pools {
		w.Pools[n].Fates = mortal{size: 100, life: 4 * time.Hour, notice: w.Notice}
	}
	_, one := finished(t, Setup{World: w, Workload: steady(10), Policy: lab.PolicyNeap, Seed: 1}, nil)
	_, two := finished(t, Setup{World: w, Workload: steady(10), Policy: lab.PolicyNeap, Seed: 2}, nil)
	if one.Cost == two.Cost || one.Forced == 0 || two.Forced == 0 {
		t.Errorf("%s with %d losses, %s with %d", one.Cost, one.Forced, two.Cost, two.Forced)
	}
}

func TestOnlyTheTypesThatAreAllowedAreUsed(t *testing.T) {
	r, out := finished(t, Setup{World: plain(3, 2, 6*time.Hour), Workload: steady(4), Policy: lab.PolicyNeap, Types: []string{"t01.large", "t02.large"}}, nil)
	for _, m := range r.lives {
		if m.stall.in.Type == "t00.large" {
			t.Errorf("%s is of a type that was not allowed", m.id)
		}
	}
	if list := 4 * money.Price(97_000).For(6*time.Hour); out.OnDemand != list {
		t.Errorf("on demand it is %s, not %s", out.OnDemand, list)
	}
}

func TestAnInstanceOfSecondsIsPaidForAMinute(t *testing.T) {
	w := even(1, 10*time.Minute)
	w.Pools[0].Fates = world.Spells{Notice: time.Second, Ends: w.Until, Ups: []world.Span{{From: w.From, Until: w.From.Add(20 * time.Second)}}}
	_, out := finished(t, Setup{World: w, Workload: steady(1), Policy: lab.PolicyNeap, Adjust: func(in *plan.Intent) { in.Mix.FallbackToOD = false }}, nil)
	if cost := money.Price(40_000).For(time.Minute); out.Cost != cost || out.Forced != 1 {
		t.Errorf("it cost %s, not %s", out.Cost, cost)
	}
}

// stormy is a pool that takes back all it gave within three minutes of a moment, each instance on its own, and gives nothing for an hour.
type stormy struct {
	seed   uint64
	at     time.Time
	notice time.Duration
}

func (s stormy) Room(_ int, t time.Time) int {
	if !t.Before(s.at) && t.Before(s.at.Add(time.Hour)) {
		return 0
	}
	return 1 << 20
}

func (s stormy) Fate(number uint64, t time.Time) world.Fate {
	if !t.Before(s.at) {
		return world.Fate{}
	}
	notice := s.at.Add(time.Duration(chance(s.seed, number) * float64(3*time.Minute)))
	return world.Fate{Notice: notice, End: notice.Add(s.notice)}
}

func (s stormy) Depth(t time.Time) int { return s.Room(0, t) }

func TestInAStormReplacementsAreAskedForAtOnceAndTheFloorStands(t *testing.T) {
	taken := 0
	for seed := range uint64(200) {
		w := even(3, 2*time.Hour)
		w.Notice = []time.Duration{30 * time.Second, 2 * time.Minute}[seed%2]
		for n := range w.Pools[:1+seed%3] {
			w.Pools[n].Fates = stormy{seed + uint64(n), midnight.Add(time.Hour), w.Notice}
		}
		_, out := finished(t, Setup{World: w, Workload: steady(20), Policy: lab.PolicyNeap, Floor: 6, Seed: seed}, nil)
		taken += out.Forced
		for _, s := range out.Worst {
			if s.Floor != 6 || s.Lowest < s.Floor || s.Slow > time.Second {
				t.Fatalf("seed %d: %+v", seed, s)
			}
		}
	}
	if taken < 200 {
		t.Errorf("only %d instances were taken", taken)
	}
}
