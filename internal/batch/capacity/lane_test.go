package capacity_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/runtime"
)

func TestReplicasThatMakeALaneAtOnceMakeOneGroup(t *testing.T) {
	t.Parallel()
	y := open(t)
	lane := y.lane(capacity.OnDemandQueue)
	demand := capacity.Demand{Waiting: []runtime.Resources{size(1, 2048)}}
	var all sync.WaitGroup
	failed := make([]error, 4)
	for n := range failed {
		all.Go(func() {
			replica := capacity.New(y.config)
			for range 10 { // somebody else changes the group, or the lane, meanwhile
				if failed[n] = replica.Want(t.Context(), lane, demand); failed[n] == nil {
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			t.Error(err)
		}
	}
	if list := y.groups(); len(list) != 1 {
		t.Errorf("%d groups", len(list))
	}
	y.submit(lane, 1, size(1, 2048))
	y.until("it runs", 10*time.Minute, func() bool { return len(y.running) == 1 })
	if n := y.launched(); n != 1 {
		t.Errorf("%d machines for one task", n)
	}
}

func TestAGroupThatSomebodyDeletesTakesItsMachinesWithItAndIsMadeAgain(t *testing.T) {
	t.Parallel()
	y := open(t)
	y.submit(y.lane(capacity.SpotQueue), 2, size(2, 3000))
	y.until("both run", 10*time.Minute, func() bool { return len(y.running) == 2 })
	if err := y.Neap.Fleet.Delete(t.Context(), y.Account.ID, "somebody", y.groups()[0].ID); err != nil {
		t.Fatal(err)
	}
	y.until("they run again", 10*time.Minute, func() bool { return y.lost == 2 && len(y.running) == 2 })
	y.finish("")
	y.until("all are gone", 10*time.Minute, func() bool { return len(y.living()) == 0 })
}

func TestWhatIsNoLongerWantedAfterARestartIsNotBought(t *testing.T) {
	t.Parallel()
	y := open(t)
	lane := y.lane(capacity.SpotQueue)
	if err := y.Want(t.Context(), lane, capacity.Demand{Waiting: []runtime.Resources{size(1, 2048)}}); err != nil {
		t.Fatal(err)
	}
	one := 1_000 // as if the market had nothing, and more had been asked for
	if _, err := y.Neap.Fleet.SetCapacity(t.Context(), y.Account.ID, "test", y.groups()[0].ID, &one, nil, &one); err != nil {
		t.Fatal(err)
	}
	stop := y.groups()[0].ID
	if _, err := y.Neap.Fleet.Update(t.Context(), y.Account.ID, "test", stop, func(old json.RawMessage) (json.RawMessage, error) {
		return json.RawMessage(strings.Replace(string(old), `"types":[`, `"types":["none.such"],"was":[`, 1)), nil
	}); err != nil {
		t.Fatal(err)
	}
	y.until("what came is gone", 10*time.Minute, func() bool {
		if err := y.Want(t.Context(), lane, capacity.Demand{}); err != nil {
			t.Fatal(err)
		}
		return len(y.living()) == 0
	})
	if _, err := y.Neap.Fleet.SetCapacity(t.Context(), y.Account.ID, "test", stop, &one, nil, &one); err != nil {
		t.Fatal(err)
	}
	y.restart()
	y.until("nobody wants it any more", 10*time.Minute, func() bool { return y.capacity(stop).Target == 0 })
}

// capacity is what a group is to have.
func (y *yard) capacity(group string) fleet.Capacity {
	y.T.Helper()
	g, err := y.Neap.Fleet.Get(y.T.Context(), y.Account.ID, group)
	if err != nil {
		y.T.Fatal(err)
	}
	intent, _, _, err := capacity.Form{}.Compile(g.Document)
	if err != nil {
		y.T.Fatal(err)
	}
	return intent.Capacity
}

func TestALaneCompilesToAFleetThatLeavesWorkAlone(t *testing.T) {
	text := `{"name":"jobs us-east-1 spot","region":"us-east-1","queue":"spot","lifecycle":"spot","zones":["us-east-1a"],"types":["c5.large"],"capacity":{"target":4,"maximum":6},"template":{"Image":"ami-1"}}`
	intent, name, unbuilt, err := capacity.Form{}.Compile(json.RawMessage(text))
	if err != nil || name != "jobs us-east-1 spot" || len(unbuilt) > 0 {
		t.Fatal(name, unbuilt, err)
	}
	if c := intent.Capacity; c != (plan.Capacity{Target: 4, Max: 6, Unit: plan.Weight}) {
		t.Errorf("%+v", c)
	}
	if intent.Mix.SpotPercent != 100 || intent.Mix.FallbackToOD || intent.Choice.SpotTypes[0] != "c5.large" || intent.Template.Image != "ami-1" || intent.Choice.Zones[0] != "us-east-1a" {
		t.Errorf("%+v", intent)
	}
	demand, _, _, err := capacity.Form{}.Compile(json.RawMessage(strings.ReplaceAll(text, `"lifecycle":"spot"`, `"lifecycle":"on-demand"`)))
	if err != nil || demand.Mix.SpotPercent != 0 || demand.Choice.OnDemandTypes[0] != "c5.large" || demand.Choice.SpotTypes != nil {
		t.Errorf("%+v, %v", demand, err)
	}
	// Signals, prices and a fleet that is too large are no reasons to end a locked machine.
	now := apptest.Epoch
	member := plan.Instance{
		ID: "i-1", Type: "c5.large", Zone: "us-east-1a", Lifecycle: plan.Spot, Phase: plan.Running, LaunchedAt: now.Add(-5 * time.Hour), RebalanceAt: now, LockedUntil: now.Add(time.Hour), VCPUs: 2,
	}
	market := plan.Market{Pools: []plan.Pool{
		{Type: "c5.large", Zone: "us-east-1a", Lifecycle: plan.Spot, Price: 90_000, OnDemand: 85_000, VCPUs: 2, Risk: 0.9},
		{Type: "c5.large", Zone: "us-east-1b", Lifecycle: plan.Spot, Price: 10_000, OnDemand: 85_000, VCPUs: 2},
	}}
	for _, target := range []int{0, 2} {
		intent.Capacity.Target = target
		if d := plan.Plan(intent, plan.Observed{Instances: []plan.Instance{member}}, market, now); len(d.Actions) > 0 {
			t.Errorf("with a target of %d: %s", target, d.Summary)
		}
	}
	for _, wrong := range []string{`[]`, `{"capacity":{"target":1,"maximum":1}}`, `{"region":"us-east-1","capacity":{"target":2,"maximum":1}}`, `{"region":"us-east-1","capacity":{"target":-1,"maximum":1}}`} {
		if _, _, _, err := (capacity.Form{}).Compile(json.RawMessage(wrong)); err == nil {
			t.Errorf("%s compiles", wrong)
		}
	}
	resized, err := capacity.Form{}.SetCapacity(json.RawMessage(text), fleet.Capacity{Target: 9, Max: 7})
	if after, _, _, wrong := (capacity.Form{}).Compile(resized); err != nil || wrong != nil || after.Capacity.Target != 9 || after.Capacity.Max != 9 || after.Choice.SpotTypes[0] != "c5.large" {
		t.Errorf("%+v, %v, %v", after, err, wrong)
	}
}

func TestManyMachinesComeAndGo(t *testing.T) {
	t.Parallel()
	y := open(t)
	lane := y.lane("small")
	if _, err := y.PutQueue(t.Context(), capacity.Queue{Lane: lane, Lifecycle: cloud.OnDemand, Types: []string{"c5.large", "c6a.large", "m5.large"}}); err != nil {
		t.Fatal(err)
	}
	y.submit(lane, 150, size(2, 3000))
	y.until("all run", 10*time.Minute, func() bool { return len(y.running) == 150 })
	if n := len(y.living()); n != 150 {
		t.Errorf("%d machines", n)
	}
	y.finish("")
	y.until("all are gone", 10*time.Minute, func() bool { return len(y.living()) == 0 })
	if n := y.launched(); n != 150 || y.lost > 0 {
		t.Errorf("%d machines were launched, %d tasks lost theirs", n, y.lost)
	}
}

func TestIdleMachinesGoHoweverFastTimePasses(t *testing.T) {
	t.Parallel()
	y := open(t)
	y.submit(y.lane(capacity.OnDemandQueue), 2, size(2, 3000))
	y.until("both run", 10*time.Minute, func() bool { return len(y.running) == 2 })
	y.finish("")
	y.dispatch()
	y.Clock.Advance(20 * time.Minute)
	y.dispatch()
	for _, h := range y.living() {
		if i, err := y.Neap.Fleet.Instance(t.Context(), y.Account.ID, h.ID); err == nil && i.Phase == plan.Running {
			t.Errorf("%s is kept after twenty minutes", h.ID)
		}
	}
}
