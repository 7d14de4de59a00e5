package job

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
)

func TestNoPolicyMissesADeadlineOrPaysForMoreThanWorkRestartsAndWhatWasLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawn(t)
		work := rapid.Float64Range(0.1, 8).Draw(t, "work")
		load := deadlines(work, 0, rapid.Float64Range(0, 0.5).Draw(t, "restart"))
		load.Within = load.Work + max(load.Restart, w.Boot) + hoursOf(rapid.Float64Range(0, 12).Draw(t, "slack"))
		load.Checkpoint = rapid.Bool().Draw(t, "checkpoint")
		for _, policy := range Policies() {
			b := single(t, w, load, policy)
			if b.Missed > 0 || b.Jobs != 1 {
				t.Fatalf("%s: %d jobs, %d missed", policy, b.Jobs, b.Missed)
			}
			most := load.Work + time.Duration(b.Launches)*max(load.Restart, w.Boot)
			if !load.Checkpoint {
				most += time.Duration(b.Launches-1) * load.Work // at most all of it was lost each time
			}
			if b.Cost > list.For(most+time.Second) {
				t.Fatalf("%s: %s for %s of work with %d launches", policy, b.Cost, load.Work, b.Launches)
			}
			if b.Launches != 1+b.Forced+b.Voluntary && policy != lab.PolicyNeap {
				t.Fatalf("%s: %d launches, %d lost, %d left", policy, b.Launches, b.Forced, b.Voluntary)
			}
			for n, s := range b.stays {
				if s.Until.After(b.jobs[0].Until) || n > 0 && s.From.Before(b.stays[n-1].Until) {
					t.Fatalf("%s pays for two instances at a time, or for one after the work is done: %+v", policy, b.stays)
				}
			}
		}
	})
}

func TestTheSameArgumentsHaveTheSameOutcome(t *testing.T) {
	w := scarce(7, 200, 3)
	for _, policy := range Policies() {
		for _, load := range []lab.Workload{deadlines(6, 8, 0.1), tasks(t, "batch:10x30m")} {
			if a, b := outcome(t, w, load, policy), outcome(t, w, load, policy); !reflect.DeepEqual(a, b) {
				t.Errorf("%s of %s: %+v and then %+v", policy, load, a, b)
			}
		}
	}
}

func TestAJobOnDemandCostsItsWorkAndOneStart(t *testing.T) {
	b := single(t, plain(48, nil), deadlines(10, 12, 0.1), lab.PolicyOnDemand)
	if b.Cost != list.For(hoursOf(10.1)) || b.OnDemand != list.For(hoursOf(10)) || b.Launches != 1 || b.DemandHours != 10.1 {
		t.Errorf("%+v", b.Outcome)
	}
}

func TestAnInstanceCostsThePriceOfTheMoment(t *testing.T) {
	w := plain(48, []float64{0, 48})
	w.Pools[0].Prices = append(w.Pools[0].Prices, world.Change{At: in(2), Price: 2 * third}, world.Change{At: in(30), Price: 1})
	if b := single(t, w, deadlines(4, 8, 0), lab.PolicyLowestPrice); b.Cost != third.For(hoursOf(2))+2*third.For(hoursOf(2)) {
		t.Errorf("it cost %s", b.Cost)
	}
}

func TestWhatWasNotSavedIsDoneAgain(t *testing.T) {
	w := plain(48, []float64{0, 3, 4, 48})
	load := deadlines(5, 20, 0.1)
	load.Checkpoint = false
	b := single(t, w, load, lab.PolicyLowestPrice)
	if b.Forced != 1 || b.SpotHours != 3+5.1 || b.Missed != 0 {
		t.Errorf("%+v", b.Outcome)
	}
	load.Checkpoint = true
	if b = single(t, w, load, lab.PolicyLowestPrice); math.Abs(b.SpotHours-5.2) > 1e-9 {
		t.Errorf("with checkpoints %+v", b.Outcome)
	}
}

func TestABootThatIsSlowerThanTheRestartCountsInItsPlace(t *testing.T) {
	w := plain(48, []float64{0, 48})
	w.Boot = time.Hour
	if b := single(t, w, deadlines(5, 20, 0.1), lab.PolicyNeap); b.SpotHours != 6 {
		t.Errorf("%+v", b.Outcome)
	}
}

func TestJobsBeginOneAfterAnotherButAtLeastTwenty(t *testing.T) {
	for _, c := range []struct {
		hours, within float64
		want          int
	}{{2400, 24, 100}, {100, 24, 20}, {24, 24, 1}} {
		list, err := Starts(plain(c.hours, nil), deadlines(c.within/2, c.within, 0.1))
		if err != nil || len(list) < c.want || len(list) > c.want+1 || list[len(list)-1].After(in(c.hours-c.within)) {
			t.Errorf("%d begin in %.0f h: %v %v", len(list), c.hours, list, err)
		}
	}
}

func TestATimelineShowsWhatRan(t *testing.T) {
	out := outcome(t, plain(400, []float64{0, 200}), deadlines(20, 40, 0.1), lab.PolicyNeap)
	var spot, demand int
	for _, s := range out.Timeline {
		spot, demand = spot+s.Spot, demand+s.Demand
		if s.Serving > s.Spot+s.Demand || s.Target < s.Serving {
			t.Fatalf("%+v", s)
		}
	}
	step := 400.0 / samples
	if len(out.Timeline) != samples || math.Abs(float64(spot)*step-out.SpotHours) > 0.1*out.SpotHours || math.Abs(float64(demand)*step-out.DemandHours) > 0.1*out.DemandHours {
		t.Errorf("%d samples, %d on spot and %d on demand; %.1f h and %.1f h were paid for", len(out.Timeline), spot, demand, out.SpotHours, out.DemandHours)
	}
}

func TestWhatCannotBeRunIsRefused(t *testing.T) {
	w := plain(10, []float64{0, 10})
	free := plain(10, []float64{0, 10})
	free.Pools[0].OnDemand = 0
	ended, end := context.WithCancel(context.Background())
	end()
	for _, c := range []struct {
		ctx    context.Context
		w      *world.World
		load   lab.Workload
		policy string
		want   string
	}{
		{context.Background(), w, deadlines(1, 2, 0), lab.PolicyAutoSpotting, "is no policy for jobs"},
		{context.Background(), w, lab.Workload{Kind: lab.Steady, Most: 3}, lab.PolicyNeap, "no work that ends"},
		{context.Background(), w, deadlines(8, 12, 0), lab.PolicyNeap, "no job of 12h0m0s fits"},
		{context.Background(), w, tasks(t, "batch:1x5h"), lab.PolicyNeap, "no task of 5h0m0s"},
		{context.Background(), free, deadlines(1, 2, 0), lab.PolicyNeap, "no on-demand price"},
		{ended, w, deadlines(1, 2, 0), lab.PolicyNeap, "canceled"},
		{ended, w, tasks(t, "batch:1x1h"), lab.PolicyNeap, "canceled"},
	} {
		if _, err := Run(c.ctx, c.w, c.load, c.policy, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s by %s: %v", c.load, c.policy, err)
		}
	}
}

func TestThePoolsAreSeenAsTheyAreAtEveryLookAndAtALoss(t *testing.T) {
	seen, err := watch(plain(10, []float64{0, 1, 2, 10}, []float64{0.5, 1.51}))
	if err != nil {
		t.Fatal(err)
	}
	var m deadline.Market
	for _, c := range []struct {
		at     float64
		a, b   bool
		sinceA time.Time
		losses int
	}{
		{0, true, false, time.Time{}, 0}, {0.75, true, true, time.Time{}, 0}, {1, false, true, in(1), 1}, {1.505, false, true, in(1), 1},
		{1.52, false, false, in(1), 1}, {3, true, false, in(2), 2},
	} {
		seen.at(in(c.at), &m)
		if m.Pools[0].Open != c.a || m.Pools[1].Open != c.b || !m.Pools[0].Since.Equal(c.sinceA) || m.History.Losses != c.losses {
			t.Errorf("at %.2f h: %+v", c.at, m)
		}
	}
	if m.History.Open != hoursOf(1+1+13.0/12) {
		t.Errorf("the pools were seen open for %s", m.History.Open)
	}
}

// fleeting is a pool that is always open and takes back everything at once, or, it says, before.
type fleeting struct{ world.Spells }

func (fleeting) Room(int, time.Time) int { return 1 }

func (fleeting) Fate(_ uint64, t time.Time) world.Fate { return world.Fate{End: t.Add(-time.Minute)} }

func TestARunEndsEvenWhereEverythingIsLostAtOnce(t *testing.T) {
	w := plain(48, nil)
	w.Pools[0].Fates = fleeting{}
	for _, policy := range Policies() {
		if b := single(t, w, deadlines(1, 2, 0.1), policy); b.Missed > 0 {
			t.Errorf("%s: %+v", policy, b.Outcome)
		}
		if b := batched(t, w, tasks(t, "batch:1x30m"), policy); b.Jobs == 0 {
			t.Errorf("%s: %+v", policy, b.Outcome)
		}
	}
}
