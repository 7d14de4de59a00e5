package optimum

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// leastBatch tries out how many of the tasks that have arrived to work on in every minute, at the lowest price of what is up. A task lasts a minute.
func leastBatch(w *world.World, load lab.Workload, minutes, tasks int) money.Amount {
	fallback, _ := list(w)
	known := map[int]money.Amount{0: 0} // by tasks done
	for n := range minutes {
		price := fallback
		for p := range w.Pools {
			if w.Pools[p].Fates.Room(0, minute(n)) > 0 {
				price = min(price, w.Pools[p].PriceAt(minute(n)))
			}
		}
		arrived := min(tasks, n*load.PerHour/60+1)
		next := map[int]money.Amount{}
		for done, cost := range known {
			for more := 0; more <= load.Most && done+more <= arrived; more++ {
				so := cost + money.Amount(more)*price.For(time.Minute)
				if was, ok := next[done+more]; !ok || so < was {
					next[done+more] = so
				}
			}
		}
		known = next
	}
	return known[tasks]
}

func TestABatchFlowsAtTheLeastCostThatAnExhaustiveSearchFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const minutes = 12
		w := tiny(t, rapid.IntRange(1, 3).Draw(t, "pools"), minutes, 1)
		load := lab.Workload{Kind: lab.Batch, PerHour: rapid.SampledFrom([]int{20, 30, 60}).Draw(t, "per hour"), Work: time.Minute}
		load.Most = rapid.IntRange(1, 4).Draw(t, "most")
		got, err := Batch(w, load)
		if err != nil {
			t.Fatal(err)
		}
		tasks := (minutes-1)*load.PerHour/60 + 1
		if want := leastBatch(w, load, minutes, tasks); got.Outcome.Jobs != tasks || got.Outcome.Cost != want || got.Exact {
			t.Fatalf("%d for %d tasks, an exhaustive search finds %d for %d; %s", got.Outcome.Cost, got.Outcome.Jobs, want, tasks, got.Why)
		}
	})
}

func TestABatchThatDoesNotFitIsRefused(t *testing.T) {
	w := &world.World{Name: "short", From: monday(), Until: minute(60), Pools: []world.Pool{alwaysUp(90_000, 30_000)}}
	load := lab.Workload{Kind: lab.Batch, PerHour: 60, Work: 10 * time.Minute, Most: 1}
	if got, err := Batch(w, load); err == nil {
		t.Errorf("passed: %+v", got)
	}
	if got, err := Batch(w, steadyFleet(2)); err == nil {
		t.Errorf("a fleet passed: %+v", got)
	}
}
