package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

func fleets() []string {
	return []string{
		lab.PolicyNeap, lab.PolicyLowestPrice, lab.PolicyCapacityOptimized, lab.PolicyPriceCapacityOptimized, lab.PolicyAutoSpotting, lab.PolicyOnDemand,
	}
}

// anySetup is a few hours of any fleet in any small world.
func anySetup(t *rapid.T) Setup {
	hours := rapid.IntRange(1, 8).Draw(t, "hours")
	w := plain(rapid.IntRange(1, 3).Draw(t, "types"), rapid.IntRange(1, 3).Draw(t, "zones"), time.Duration(hours)*time.Hour)
	w.Boot = time.Duration(rapid.IntRange(0, 200).Draw(t, "boot")) * time.Second
	w.Notice = time.Duration(rapid.IntRange(0, 120).Draw(t, "notice")) * time.Second
	for n := range w.Pools {
		w.Pools[n].Fates = mortal{
			seed: rapid.Uint64().Draw(t, "fates"), size: rapid.IntRange(1, 12).Draw(t, "size"), notice: w.Notice,
			life: time.Duration(rapid.IntRange(0, 10).Draw(t, "life")) * time.Hour, signal: rapid.Bool().Draw(t, "signal"),
		}
	}
	work := steady(rapid.IntRange(1, 12).Draw(t, "target"))
	if rapid.Bool().Draw(t, "is diurnal") {
		work = lab.Workload{Kind: lab.Diurnal, Least: work.Most, Most: 3 * work.Most}
	}
	return Setup{
		World: w, Workload: work, Policy: rapid.SampledFrom(fleets()).Draw(t, "policy"), Seed: rapid.Uint64().Draw(t, "seed"),
		Rule:  rapid.SampledFrom([]plan.Rule{plan.Balanced, plan.CostOriented, plan.AvailabilityOriented, plan.Cheapest, plan.EqualZones}).Draw(t, "rule"),
		Floor: rapid.IntRange(0, 3).Draw(t, "floor"), Step: time.Duration(rapid.IntRange(30, 600).Draw(t, "step")) * time.Second,
	}
}

// finished is a run of a setup with its outcome.
func finished(t rapid.TB, s Setup, look func(*run)) (*run, lab.Outcome) {
	t.Helper()
	r, err := newRun(s)
	if err != nil {
		t.Fatal(err)
	}
	if look != nil {
		r.Progress = func(time.Duration, time.Duration) { look(r) }
	}
	if err := r.all(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r, r.outcome()
}

func TestAtEveryLookTheFleetIsWithinItsMaximumAndTheCountsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		finished(t, anySetup(t), func(r *run) {
			stay, serve, paid := 0, 0, 0
			for n, i := range r.observed.Instances {
				if r.machines[n].row != n || r.machines[n].id != i.ID || r.living[i.ID] != r.machines[n] {
					t.Fatalf("%s is out of its place", i.ID)
				}
				paid++
				if i.Phase == plan.Running {
					serve++
				}
				isActive := i.Phase == plan.Launching || i.Phase == plan.Running
				isGoing := !i.InterruptAt.IsZero() || !i.RebalanceAt.IsZero() || i.ReplacedBy != ""
				if isActive && !isGoing {
					stay++
				}
			}
			if stay > r.Workload.Most {
				t.Fatalf("%d instances stay, more than %d", stay, r.Workload.Most)
			}
			held := 0
			for _, s := range r.stalls {
				held += s.held
			}
			if b := &r.books; serve != b.serving || paid != b.spot+b.demand || paid != held {
				t.Fatalf("%d serve and %d are paid for, but the books say %d and %d+%d, and the pools hold %d", serve, paid, b.serving, b.spot, b.demand, held)
			}
		})
	})
}

func TestTheBillIsTheSumOfEverySecondOfEveryInstance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, out := finished(t, anySetup(t), nil)
		var sum money.Amount
		for _, m := range r.lives {
			until := m.ended
			if until.IsZero() {
				until = r.Until
			} else if least := m.launched.Add(time.Minute); until.Before(least) {
				until = least
			}
			for at := m.launched; at.Before(until); at = at.Add(time.Second) {
				price := m.stall.of.PriceAt(at)
				if m.stall.in.Lifecycle == cloud.OnDemand {
					price = m.stall.of.OnDemand
				}
				sum += price.For(time.Second)
			}
		}
		if sum != out.Cost {
			t.Fatalf("the bill is %s, second by second it is %s", out.Cost, sum)
		}
	})
}

func TestWhatServedAndWhatWasShortIsWhatWasWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySetup(t)
		r, out := finished(t, s, nil)
		if math.Abs(out.CapacityHours+out.ShortHours-out.TargetHours) > 1e-6 {
			t.Fatalf("%v served + %v short is not %v", out.CapacityHours, out.ShortHours, out.TargetHours)
		}
		if s.Workload.Kind != lab.Steady {
			return
		}
		if wanted := float64(s.Workload.Most) * (r.Until.Sub(r.From) - r.World.Boot).Hours(); math.Abs(out.TargetHours-wanted) > 1e-6 {
			t.Fatalf("%v hours were wanted, not %v", wanted, out.TargetHours)
		}
		if wanted := money.Amount(s.Workload.Most) * r.World.Pools[0].OnDemand.For(r.Until.Sub(r.From)); out.OnDemand != wanted {
			t.Fatalf("on demand it is %s, not %s", wanted, out.OnDemand)
		}
	})
}

func TestEveryForcedLossWasInTheWorldsFates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, out := finished(t, anySetup(t), nil)
		forced, lost := 0, 0
		for n, m := range r.lives {
			if !m.forced {
				continue
			}
			forced++
			fate := m.stall.of.Fates.Fate(number(r.Seed, uint64(n)), m.launched)
			if fate.End.IsZero() || fate.Notice.After(r.Until) {
				t.Fatalf("%s was not to be taken: %+v", m.id, fate)
			}
			if m.ended.After(fate.End) || m.ended.IsZero() && fate.End.Before(r.Until) {
				t.Fatalf("%s lived until %s, beyond its end at %s", m.id, m.ended, fate.End)
			}
		}
		for _, s := range out.Worst {
			lost += s.Lost
		}
		if forced != out.Forced || lost != out.Forced {
			t.Fatalf("%d were taken and %d were in storms, the outcome says %d", forced, lost, out.Forced)
		}
	})
}

func TestTheSameSeedHasTheSameOutcomeByteForByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySetup(t)
		var both [2][]byte
		for n := range both {
			out, err := Run(context.Background(), s)
			if err != nil {
				t.Fatal(err)
			}
			if both[n], err = json.Marshal(out); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(both[0], both[1]) {
			t.Fatalf("two outcomes:\n%s\n%s", both[0], both[1])
		}
	})
}

// recorded is a world of one type in three zones that are up and down in turns: at least one is up at any time.
func recorded(notice time.Duration) *world.World {
	w := plain(1, 3, 5*24*time.Hour)
	w.Recorded, w.Notice = true, notice
	for n := range w.Pools {
		spells := world.Spells{Notice: notice, Ends: w.Until}
		for up := w.From.Add(time.Duration(n-2) * 7 * time.Hour); up.Before(w.Until); up = up.Add(21 * time.Hour) {
			spells.Ups = append(spells.Ups, world.Span{From: up, Until: up.Add(14 * time.Hour)})
		}
		w.Pools[n].Fates = spells
	}
	return w
}

func TestNothingIsShortWhereTheNoticeIsTwiceTheBoot(t *testing.T) {
	w := recorded(2 * time.Minute)
	_, out := finished(t, Setup{World: w, Workload: steady(20), Policy: lab.PolicyNeap}, nil)
	if out.ShortHours > 0 || out.Forced == 0 {
		t.Errorf("%v hours were short; %d instances were taken", out.ShortHours, out.Forced)
	}
	for _, s := range out.Worst {
		if s.Lowest < 20 || s.Slow > 0 {
			t.Errorf("in the storm of %s only %d served, and a replacement was asked for after %s", s.At, s.Lowest, s.Slow)
		}
	}
	if out.Cost >= out.OnDemand/2 {
		t.Errorf("it cost %s of %s on demand", out.Cost, out.OnDemand)
	}
}

func TestALostPoolNeverTakesTheFleetBelowItsFloor(t *testing.T) {
	for _, notice := range []time.Duration{30 * time.Second, 2 * time.Minute} {
		_, out := finished(t, Setup{World: recorded(notice), Workload: steady(20), Policy: lab.PolicyNeap, Floor: 5}, nil)
		if len(out.Worst) == 0 {
			t.Fatal("no pool was ever lost")
		}
		for _, s := range out.Worst {
			if s.Floor != 5 || s.Lowest < s.Floor || s.Slow > time.Second || s.Lost == 0 {
				t.Errorf("with a notice of %s: %+v", notice, s)
			}
		}
	}
}

func TestADiurnalFleetHasBootedWhenItsTargetRises(t *testing.T) {
	w := plain(3, 3, 48*time.Hour)
	_, out := finished(t, Setup{World: w, Workload: lab.Workload{Kind: lab.Diurnal, Least: 10, Most: 40}, Policy: lab.PolicyNeap}, nil)
	if out.ShortHours > 0 || out.TargetHours < 24*10 || out.CapacityHours < out.TargetHours-1e-6 {
		t.Errorf("%v of %v hours were short", out.ShortHours, out.TargetHours)
	}
	if most := 1.1 * out.TargetHours; out.SpotHours+out.DemandHours > most {
		t.Errorf("%v hours were paid for, of %v", out.SpotHours+out.DemandHours, out.TargetHours)
	}
}

func TestOnDemandCostsTheListPriceAndLosesNothing(t *testing.T) {
	_, out := finished(t, Setup{World: recorded(2 * time.Minute), Workload: steady(20), Policy: lab.PolicyOnDemand}, nil)
	if out.Cost != out.OnDemand || out.SpotHours > 0 || out.Interruptions() > 0 || out.ShortHours > 0 {
		t.Errorf("%+v", out)
	}
}

func TestAutoSpottingBuysOnDemandFirstAndThenGoesToSpot(t *testing.T) {
	r, out := finished(t, Setup{World: plain(3, 3, 24*time.Hour), Workload: steady(10), Policy: lab.PolicyAutoSpotting}, nil)
	for _, m := range r.lives[:10] {
		if m.stall.isSpot() {
			t.Errorf("%s of the first ten is on spot", m.id)
		}
	}
	last := out.Timeline[len(out.Timeline)-1]
	if last.Spot != 10 || last.Demand != 0 || len(out.Moves) == 0 {
		t.Errorf("in the end: %+v, after %d moves", last, len(out.Moves))
	}
}

func TestATimelineHasAThousandSamples(t *testing.T) {
	_, out := finished(t, Setup{World: plain(1, 2, 30*24*time.Hour), Workload: steady(4), Policy: lab.PolicyNeap}, nil)
	if len(out.Timeline) != samples {
		t.Fatalf("%d samples", len(out.Timeline))
	}
	if last := out.Timeline[samples-1]; last.Serving != 4 || last.Target != 4 || last.Price < 4*30_000 {
		t.Errorf("%+v", last)
	}
}

func TestWhatCannotBeReplayedIsRefused(t *testing.T) {
	twice := plain(1, 1, time.Hour)
	twice.Pools = append(twice.Pools, twice.Pools[0])
	bare := plain(1, 1, time.Hour)
	bare.Pools[0].Prices = nil
	fine := plain(1, 1, time.Hour)
	for _, c := range []struct {
		setup Setup
		says  string
	}{
		{Setup{Workload: steady(1), Policy: lab.PolicyNeap}, "no pools"},
		{Setup{World: twice, Workload: steady(1), Policy: lab.PolicyNeap}, "twice"},
		{Setup{World: bare, Workload: steady(1), Policy: lab.PolicyNeap}, "lacks"},
		{Setup{World: fine, Workload: lab.Workload{Kind: lab.Batch, Most: 1}, Policy: lab.PolicyNeap}, "is no fleet"},
		{Setup{World: fine, Workload: steady(1), Policy: lab.PolicyHindsight}, "can't be replayed"},
		{Setup{World: fine, Workload: steady(1), Policy: lab.PolicyNeap, Types: []string{"x1.large"}}, "x1.large"},
		{Setup{World: fine, Workload: steady(1), Policy: lab.PolicyNeap, Until: fine.Until.Add(time.Hour)}, "does not lie in the world"},
		{Setup{World: fine, Workload: steady(1), Policy: lab.PolicyNeap, Step: time.Millisecond}, "too short"},
	} {
		if _, err := Run(context.Background(), c.setup); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("the error is %v, without %q", err, c.says)
		}
	}
}

func TestARunEndsWhenNobodyWaitsForIt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	looks := 0
	s := Setup{World: plain(1, 1, 24*time.Hour), Workload: steady(1), Policy: lab.PolicyNeap, Progress: func(time.Duration, time.Duration) {
		if looks++; looks == 3 {
			cancel()
		}
	}}
	if _, err := Run(ctx, s); err != context.Canceled || looks != 3 {
		t.Errorf("%v after %d looks", err, looks)
	}
}
