package job

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// midnight begins every world of these tests.
var midnight = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

const list, third money.Price = 900_000, 300_000

// in is a moment so many hours after the beginning.
func in(hours float64) time.Time { return midnight.Add(hoursOf(hours)) }

func hoursOf(hours float64) time.Duration {
	return time.Duration(math.Round(hours*3600)) * time.Second
}

// plain is a world of pools that are open between pairs of hours, at a third of the list price.
func plain(hours float64, pools ...[]float64) *world.World {
	w := &world.World{Name: "plain", From: midnight, Until: in(hours)}
	for n, times := range pools {
		s := world.Spells{Ends: w.Until}
		for k := 0; k < len(times); k += 2 {
			s.Ups = append(s.Ups, world.Span{From: in(times[k]), Until: in(times[k+1])})
		}
		w.Pools = append(w.Pools, world.Pool{
			Type: "m5.large", Zone: string(rune('a' + n)), OnDemand: list, Prices: []world.Change{{At: w.From, Price: third}}, Fates: s,
		})
	}
	return w
}

// scarce is a world whose pools come and go as the scarce ones among the recorded do: up and down spells with heavy tails.
func scarce(seed uint64, hours float64, pools int) *world.World {
	chance := rand.New(rand.NewPCG(seed, 1))
	spell := func(scale float64) float64 { // hazard 1.2 ÷ (scale + age)
		return scale * (math.Pow(1-chance.Float64(), -1/1.2) - 1)
	}
	times := make([][]float64, pools)
	for n := range times {
		for at := spell(0.5); at < hours; {
			until := min(hours, at+max(0.05, spell(0.5)))
			times[n] = append(times[n], at, until)
			at = until + max(0.05, spell(0.5))
		}
	}
	return plain(hours, times...)
}

// drawn is a small world of any kind.
func drawn(t *rapid.T) *world.World {
	w := scarce(rapid.Uint64().Draw(t, "world"), rapid.Float64Range(30, 60).Draw(t, "hours"), rapid.IntRange(1, 3).Draw(t, "pools"))
	w.Boot = time.Duration(rapid.IntRange(0, 600).Draw(t, "boot")) * time.Second
	for n := range w.Pools {
		w.Pools[n].Prices[0].Price = money.Price(rapid.Int64Range(1, int64(list)).Draw(t, "price"))
	}
	return w
}

// deadlines is a workload of jobs, in hours.
func deadlines(work, within, restart float64) lab.Workload {
	return lab.Workload{Kind: lab.Deadline, Least: 1, Most: 1, Work: hoursOf(work), Within: hoursOf(within), Restart: hoursOf(restart), Checkpoint: true}
}

// failer is a test, drawn or not.
type failer interface {
	Helper()
	Fatal(...any)
}

func outcome(t failer, w *world.World, load lab.Workload, policy string) lab.Outcome {
	t.Helper()
	out, err := Run(context.Background(), w, load, policy, 1)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// single runs one job from the beginning of the world.
func single(t failer, w *world.World, load lab.Workload, policy string) *books {
	t.Helper()
	seen, err := watch(w)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := deciders(policy)
	if err != nil {
		t.Fatal(err)
	}
	b := &books{w: w, demand: seen.demand}
	r := newRun(seen, load, fresh(), &draws{}, b)
	r.job.Began, r.job.Until = w.From, w.From.Add(load.Within)
	r.all()
	return b
}
