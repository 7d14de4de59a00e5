package optimum

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// tick is the time between two decisions of the exhaustive search for jobs.
const tick = 20 * time.Second

// runner is a job at a tick: its instance, when that is taken, the ticks of restart that are left, and the ticks of work that are done.
type runner struct {
	pool, end, restarts, done int
}

// leastJob tries out every start and stop at every tick, by what Room, Fate and PriceAt say.
func leastJob(w *world.World, load lab.Workload, start time.Time) money.Amount {
	idle := runner{pool: -2}
	fallback, _ := list(w)
	known := map[runner]money.Amount{idle: 0}
	least := dear
	work := int(load.Work / tick)
	keep := func(m map[runner]money.Amount, r runner, cost money.Amount) {
		if so, ok := m[r]; !ok || cost < so {
			m[r] = cost
		}
	}
	for n := range int(load.Within/tick) + 1 {
		now := start.Add(time.Duration(n) * tick)
		free, next := map[runner]money.Amount{}, map[runner]money.Amount{}
		for r, cost := range known {
			if r.done == work {
				least = min(least, cost)
				continue
			}
			stopped := idle
			if load.Checkpoint {
				stopped.done = r.done
			}
			if keep(free, stopped, cost); r.pool != idle.pool && r.end != n {
				keep(free, r, cost)
			}
		}
		pay := func(r runner, cost money.Amount) {
			price := fallback
			if r.pool != OnDemand {
				price = w.Pools[r.pool].PriceAt(now)
			}
			if r.restarts > 0 {
				r.restarts--
			} else {
				r.done++
			}
			keep(next, r, cost+price.For(tick))
		}
		for r, cost := range free {
			if r.pool != idle.pool {
				pay(r, cost)
				continue
			}
			keep(next, r, cost)
			pay(runner{OnDemand, -1, int(load.Restart / tick), r.done}, cost)
			for p := range w.Pools {
				if w.Pools[p].Fates.Room(0, now) > 0 {
					end := -1
					if at := w.Pools[p].Fates.Fate(0, now).End; !at.IsZero() {
						end = int(at.Sub(start) / tick)
					}
					pay(runner{p, end, int(load.Restart / tick), r.done}, cost)
				}
			}
		}
		known = next
	}
	return least
}

func drawJob(t *rapid.T, checkpoint bool) (*world.World, lab.Workload, time.Time) {
	w := tiny(t, rapid.IntRange(1, 3).Draw(t, "pools"), 16, 1)
	load := lab.Workload{
		Kind: lab.Deadline, Least: 1, Most: 1, Checkpoint: checkpoint,
		Work:    time.Duration(rapid.IntRange(3, 15).Draw(t, "work")) * tick,
		Restart: time.Duration(rapid.IntRange(0, 6).Draw(t, "restart")) * tick,
	}
	load.Within = load.Work + load.Restart + time.Duration(rapid.IntRange(0, 20).Draw(t, "slack"))*tick
	return w, load, monday().Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "start")) * tick)
}

func TestAJobWithoutCheckpointsCostsWhatAnExhaustiveSearchFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, load, start := drawJob(t, false)
		got, err := Job(w, load, start)
		if err != nil || !got.Exact {
			t.Fatal(got.Why, err)
		}
		if want := leastJob(w, load, start); got.Outcome.Cost != want {
			t.Fatalf("%d, an exhaustive search finds %d; stays %+v", got.Outcome.Cost, want, got.Stays)
		}
	})
}

func TestAJobWithCheckpointsIsNeverToldToCostMoreThanAnExhaustiveSearchFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, load, start := drawJob(t, true)
		got, err := Job(w, load, start)
		if err != nil {
			t.Fatal(err)
		}
		if want := leastJob(w, load, start); got.Outcome.Cost > want {
			t.Fatalf("%d, an exhaustive search finds %d; %s; stays %+v", got.Outcome.Cost, want, got.Why, got.Stays)
		}
	})
}

func TestTheGridOfAJobIsSearchedInFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, load, start := drawJob(t, true)
		all, _, err := markets(w)
		if err != nil {
			t.Fatal(err)
		}
		grid := seconds(tick)
		r := raster{markets: all, from: second(w, start), grid: grid, slots: int(seconds(load.Within) / grid), work: int(seconds(load.Work) / grid), pause: int(seconds(load.Restart) / grid)}
		got, runs := r.least()
		if want := leastJob(w, load, start); got != want {
			t.Fatalf("%d, an exhaustive search finds %d", got, want)
		}
		var bill money.Amount
		done := int64(0)
		for _, run := range runs {
			bill += all[run.market].over(run.from, run.until)
			done += run.until - run.from - seconds(load.Restart)
		}
		if bill != got || done != seconds(load.Work) {
			t.Fatalf("the schedule %+v costs %d and does %d s of work; %d and %s were told", runs, bill, done, got, load.Work)
		}
	})
}

func TestAJobWithCheckpointsIsBoundedWellOverManyHours(t *testing.T) {
	// Two hours of every three can be had at a third of the price; the job needs 6 of its 9 hours.
	pool := world.Pool{Type: "m5.large", OnDemand: 90_000, Prices: []world.Change{{At: monday(), Price: 30_000}}, Fates: spells(720, 0, 120, 180, 300, 360, 480, 540, 660)}
	w := &world.World{From: monday(), Until: minute(720), Boot: time.Minute, Pools: []world.Pool{pool}}
	load := lab.Workload{Kind: lab.Deadline, Work: 6 * time.Hour, Within: 9 * time.Hour, Restart: 6 * time.Minute, Checkpoint: true}
	got, err := Job(w, load, monday())
	if err != nil {
		t.Fatal(err)
	}
	// Three spells give 3 × 114 minutes; what is missing, 18 minutes and a restart, is bought on demand.
	truth := money.Price(30_000).For(6*time.Hour) + money.Price(90_000).For(24*time.Minute)
	if share := money.Percent(got.Outcome.Cost, truth); share < 92 || share > 100 {
		t.Errorf("%s is %.1f %% of what it costs; %s; %+v", got.Outcome.Cost, share, got.Why, got.Stays)
	}
}

func TestJobsAreAddedUp(t *testing.T) {
	w := &world.World{From: monday(), Until: minute(300), Boot: time.Minute, Pools: []world.Pool{alwaysUp(90_000, 30_000)}}
	load := lab.Workload{Kind: lab.Deadline, Work: time.Hour, Within: 2 * time.Hour, Restart: 6 * time.Minute}
	got, err := Jobs(w, load, []time.Time{minute(0), minute(180)})
	if err != nil {
		t.Fatal(err)
	}
	o := got.Outcome
	if o.Jobs != 2 || o.Cost != 2*money.Price(30_000).For(66*time.Minute) || o.OnDemand != 3*o.Cost || !got.Exact || o.Bound || o.Launches != 2 {
		t.Errorf("%+v", got)
	}
}

func TestJobsThatCanNotBeAreRefused(t *testing.T) {
	w := &world.World{From: monday(), Until: minute(300), Boot: time.Minute, Pools: []world.Pool{alwaysUp(90_000, 30_000)}}
	fine := lab.Workload{Kind: lab.Deadline, Work: time.Hour, Within: 2 * time.Hour, Restart: 6 * time.Minute}
	tight := fine
	tight.Within = 65 * time.Minute
	for name, c := range map[string]struct {
		load  lab.Workload
		start time.Time
	}{
		"a fleet":                 {steadyFleet(1), minute(0)},
		"after the world":         {fine, minute(181)},
		"before the world":        {fine, minute(-1)},
		"no time for the restart": {tight, minute(0)},
	} {
		if got, err := Job(w, c.load, c.start); err == nil {
			t.Errorf("%s passed: %+v", name, got)
		}
	}
}
