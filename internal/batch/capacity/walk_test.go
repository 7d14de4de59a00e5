package capacity_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// TestNoMachineWithWorkEverEndsUnlessTheCloudTakesIt lets two lanes live for half an hour: work comes and ends, the cloud takes machines, the process restarts.
func TestNoMachineWithWorkEverEndsUnlessTheCloudTakesIt(t *testing.T) {
	t.Parallel()
	y := open(t)
	random := rand.New(rand.NewPCG(3, 1))
	lanes := []capacity.Lane{y.lane(capacity.SpotQueue), y.lane(capacity.OnDemandQueue)}
	taken := map[string]bool{}
	for step := range 150 {
		y.Clock.Advance(time.Duration(5+random.IntN(10)) * time.Second)
		if random.IntN(6) == 0 {
			y.submit(lanes[random.IntN(2)], 1+random.IntN(6), size(1<<random.IntN(3), 1024<<random.IntN(4)))
		}
		if n := len(y.running); n > 0 && random.IntN(3) == 0 {
			y.running = slices.Delete(y.running, 0, 1+random.IntN(min(n, 3)))
		}
		if n := len(y.running); n > 0 && random.IntN(6) == 0 {
			if h := y.hosts[y.running[n-1].host]; h.Lifecycle == cloud.Spot && h.Ready {
				err := y.Neap.Fleet.Interrupt(t.Context(), y.Account.ID, "test", []string{h.ID})
				if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Unavailable) {
					t.Fatal(err)
				}
			}
		}
		if step%60 == 59 {
			y.restart()
		}
		busy := map[string]bool{}
		for _, w := range y.running {
			busy[w.host] = true
		}
		y.dispatch()
		y.settle()
		for id := range busy {
			if h := y.hosts[id]; h.Gone || !h.Until.IsZero() {
				taken[id] = true
			}
		}
	}
	y.waiting, y.running = nil, nil
	y.until("all are gone", 10*time.Minute, func() bool { return len(y.living()) == 0 })
	for id := range taken {
		if how := y.ended(id); how != string(plan.ReasonInterruption) {
			t.Errorf("%s had work, and left because of %q", id, how)
		}
	}
	if len(taken) == 0 {
		t.Error("no machine with work was ever taken")
	}
	for _, g := range y.groups() {
		if intent, _, _, err := (capacity.Form{}).Compile(g.Document); err != nil || intent.Capacity.Target != 0 {
			t.Errorf("%s is to have %d, %v", g.Name, intent.Capacity.Target, err)
		}
	}
}

// settle waits until the fleet room has seen what was asked of it.
func (y *yard) settle() {
	y.T.Helper()
	for _, g := range y.groups() {
		if err := y.Neap.Workflow.Settled(y.T.Context(), "fleet", g.ID); err != nil {
			y.T.Fatal(err)
		}
	}
}

// ended is why a machine left.
func (y *yard) ended(id string) string {
	y.T.Helper()
	doc, err := instances.Get(y.T.Context(), y.config.DB, store.Installation(), id)
	if err != nil {
		y.T.Fatal(err)
	}
	return doc.Value.LeaveReason
}

// instances are the fleet room's own rows.
var instances = store.Collection[fleet.Instance]{Table: "instances", Noun: "instance"}
