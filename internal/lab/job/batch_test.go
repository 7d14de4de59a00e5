package job

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
)

func tasks(t testing.TB, text string) lab.Workload {
	t.Helper()
	load, err := lab.ParseWorkload(text)
	if err != nil {
		t.Fatal(err)
	}
	return load
}

// batched runs a batch and keeps its books.
func batched(t failer, w *world.World, load lab.Workload, policy string) *books {
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
	if err := runBatch(context.Background(), seen, load, fresh, 1, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryTaskIsDoneAndNeverMoreRunThanMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawn(t)
		load := lab.Workload{
			Kind: lab.Batch, PerHour: rapid.IntRange(1, 12).Draw(t, "per hour"), Work: hoursOf(rapid.Float64Range(0.05, 2).Draw(t, "work")),
			Restart: 6 * time.Minute, Checkpoint: rapid.Bool().Draw(t, "checkpoint"), Most: rapid.IntRange(1, 40).Draw(t, "most"),
		}
		for _, policy := range Policies() {
			b := batched(t, w, load, policy)
			room := w.Until.Sub(w.From) - load.Work - patience
			if want := int(room/(time.Hour/time.Duration(load.PerHour))) + 1; b.Jobs < want-1 || b.Jobs > want+1 {
				t.Fatalf("%s did %d tasks of %d", policy, b.Jobs, want)
			}
			for _, at := range b.stays {
				runs := 0
				for _, s := range b.stays {
					if holds(s.Span, at.From) {
						runs++
					}
				}
				if runs > load.Most {
					t.Fatalf("%s runs %d at a time", policy, runs)
				}
			}
			if b.Cost > list.For(hoursOf(b.SpotHours+b.DemandHours)+time.Minute) || b.SpotHours+b.DemandHours < b.CapacityHours-1e-6 {
				t.Fatalf("%s: %+v", policy, b.Outcome)
			}
		}
	})
}

func TestAWorkerTakesTheNextTaskWithoutARestart(t *testing.T) {
	w := plain(30, []float64{0, 30})
	load := tasks(t, "batch:2x30m")
	load.Most = 1 // tasks arrive as fast as the one instance can do them: it never rests
	b := batched(t, w, load, lab.PolicyNeap)
	if b.Launches != 1 || b.SpotHours != b.CapacityHours+0.1 {
		t.Errorf("%d launches, %.1f h for %.1f h of work", b.Launches, b.SpotHours, b.CapacityHours)
	}
}

func TestALostTaskIsDoneByAnother(t *testing.T) {
	w := plain(10, []float64{0, 0.5, 1, 10})
	load := tasks(t, "batch:1x1h,checkpoint=none")
	b := batched(t, w, load, lab.PolicyLowestPrice)
	if b.Forced != 1 || b.Missed != 0 || b.stays[0].Until != in(0.5) {
		t.Errorf("%+v %+v", b.Outcome, b.stays)
	}
	if kept := batched(t, w, tasks(t, "batch:1x1h"), lab.PolicyLowestPrice); kept.SpotHours >= b.SpotHours {
		t.Errorf("with checkpoints %.2f h, without %.2f h", kept.SpotHours, b.SpotHours)
	}
}

func TestTasksAreDoneOnDemandWhenSpotNeverComes(t *testing.T) {
	b := batched(t, plain(40, nil), tasks(t, "batch:6x30m"), lab.PolicyNeap)
	if b.Missed > 0 || b.Jobs == 0 || b.SpotHours > 0 {
		t.Errorf("%+v", b.Outcome)
	}
	for _, s := range b.stays {
		if s.Kind != deadline.OnDemand {
			t.Fatalf("%+v", s)
		}
	}
}
