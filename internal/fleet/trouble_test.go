package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/store"
)

// create makes the world's group without waiting for anything.
func create(t *testing.T, w *world, patch string) {
	t.Helper()
	group, err := w.Fleet.Create(t.Context(), w.Account.ID, "test", elastigroup.FormName, document(t, patch))
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	w.group = group
}

func TestALaunchWhoseReplyIsLostIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	w.Cloud.LoseReply(sim.LaunchCall, errors.New("connection reset"))
	create(t, w, "")
	w.settle()
	if n := w.launched(); n != 4 {
		t.Errorf("%d instances were launched for a target of 4:\n%s", n, w.log())
	}
}

func TestATerminationWhoseReplyIsLostIsSettledLater(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	w.Cloud.LoseReply(sim.TerminateCall, errors.New("connection reset"))
	one := 1
	if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", w.group.ID, &one, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.settle()
	alive := 0
	for _, r := range w.record().Instances {
		if r.Alive {
			alive++
		}
	}
	if alive != 1 {
		t.Errorf("%d instances are alive, 1 was wanted", alive)
	}
}

func TestALaunchThatIsPartlyRefusedIsCompletedElsewhere(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	for _, kind := range []string{"m5.large", "c5.large", "m6i.large", "r5.large"} {
		for _, zone := range []string{"us-east-1a", "us-east-1b"} {
			w.Cloud.Room(cloud.Market{Region: "us-east-1", Zone: zone, Type: kind, Product: "Linux/UNIX", Lifecycle: cloud.Spot}, 1, w.Clock.Now().Add(time.Hour))
		}
	}
	create(t, w, `{"capacity":{"target":8}}`)
	w.settle()
	if n := w.launched(); n != 8 {
		t.Errorf("%d instances were launched for a target of 8", n)
	}
}

func TestAWholePoolThatIsTakenIsReplacedOneForOne(t *testing.T) {
	t.Parallel()
	w := begin(t, `{"capacity":{"target":10,"maximum":20}}`)
	pool := w.members()[0].Market
	taken := 0
	for _, i := range w.members() {
		if i.Market == pool {
			taken++
		}
	}
	if err := w.Cloud.Reclaim(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	w.Until("the pool is empty", 15*time.Minute, func() bool {
		for _, i := range w.members() {
			if i.Market == pool && i.Phase == plan.Running {
				return false
			}
		}
		return len(w.in(plan.Running)) == 10
	})
	w.settle()
	if n := w.launched(); n != 10+taken {
		t.Errorf("%d were launched: 10 and one for each of %d that were taken\n%s", n, taken, w.log())
	}
}

func TestWhileTheCloudFailsNothingIsTerminated(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	w.Cloud.Outage("us-east-1", w.Clock.Now().Add(time.Minute))
	one := 1
	if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", w.group.ID, &one, nil, nil); err != nil {
		t.Fatal(err)
	}
	end := w.Clock.Now().Add(50 * time.Second)
	w.Until("most of the outage has passed", time.Minute, func() bool { return w.Clock.Now().After(end) })
	for _, r := range w.record().Instances {
		if !r.Alive {
			t.Errorf("%s was ended while the cloud failed", r.ID)
		}
	}
	w.settle() // once the outage is over, the change is made
}

func TestAGroupWithoutFallbackWaitsForSpot(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	for _, zone := range []string{"us-east-1a", "us-east-1b"} {
		w.Cloud.Dry(cloud.Market{Region: "us-east-1", Zone: zone, Type: "c5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}, w.Clock.Now().Add(10*time.Minute))
	}
	create(t, w, `{"capacity":{"target":2},"strategy":{"fallbackToOd":false},"compute":{"instanceTypes":{"spot":["c5.large"]}}}`)
	w.Until("it was refused", 2*time.Minute, func() bool { return strings.Contains(w.log(), "Can't launch") })
	if n := w.launched(); n != 0 {
		t.Errorf("%d were launched though every spot pool was dry", n)
	}
	w.Until("the pools have recovered and the group is full", time.Hour, func() bool { return len(w.in(plan.Running)) == 2 })
	for _, i := range w.members() {
		if i.Lifecycle != plan.Spot {
			t.Errorf("%s is %s", i.ID, i.Lifecycle)
		}
	}
}

func TestTheLedgerReconcilesWithTheCloudsOwnRecord(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	end := w.Clock.Now().Add(20 * time.Minute)
	w.Until("twenty minutes have passed", 21*time.Minute, func() bool { return w.Clock.Now().After(end) })
	if err := w.Fleet.Detach(t.Context(), w.Account.ID, "test", w.group.ID, detachAll(w)); err != nil {
		t.Fatal(err)
	}
	zero := 0
	if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", w.group.ID, &zero, &zero, nil); err != nil {
		t.Fatal(err)
	}
	w.settle()
	seconds := 0.0
	for _, r := range w.record().Instances {
		seconds += r.EndedAt.Sub(r.LaunchedAt).Truncate(time.Second).Seconds()
	}
	from, to := apptest.Epoch.Add(-time.Hour), w.Clock.Now().Add(time.Hour)
	path := fmt.Sprintf("/aws/ec2/group/%s/costs/detailed?accountId=%s&fromDate=%d&toDate=%d", w.group.ID, w.Account.ID, from.UnixMilli(), to.UnixMilli())
	hours := 0.0
	for _, item := range w.Must("GET", path, nil).Items() {
		hours += item["running"].(map[string]any)["value"].(float64)
	}
	if metered := hours * 3600; metered < seconds-float64(len(w.record().Instances)) || metered > seconds+float64(len(w.record().Instances)) {
		t.Errorf("metered %.0f s, the cloud ran %.0f s", metered, seconds)
	}
}

func TestAFieldWithoutBehaviourIsEchoedAndWarnedOfOnce(t *testing.T) {
	t.Parallel()
	w := begin(t, `{"compute":{"elasticIps":["eipalloc-9d4e16f8"]}}`)
	w.Must("PUT", "/aws/ec2/group/"+w.group.ID, `{"group":{"description":"changed"}}`)
	if n := strings.Count(w.log(), "compute.elasticIps"); n != 1 {
		t.Errorf("%d lines warn of the field:\n%s", n, w.log())
	}
	answer := w.Must("GET", "/aws/ec2/group/"+w.group.ID, nil)
	if !strings.Contains(string(answer.Raw), "eipalloc-9d4e16f8") {
		t.Errorf("it is not echoed: %s", answer.Raw)
	}
}

func detachAll(w *world) (d fleet.Detach) {
	for _, i := range w.in(plan.Running) {
		d.Instances = append(d.Instances, i.ID)
	}
	d.Terminate, d.Decrement = true, true
	return d
}

func TestASubnetWithoutAddressesIsLeftOutAndItsZoneWhenItHasNoOther(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	full := &cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopeSubnet, Key: "subnet-0de30a01", Code: "InsufficientFreeAddressesInSubnet", Message: "no addresses"}
	w.Cloud.FailNext(sim.LaunchCall, full)
	w.Cloud.FailNext(sim.LaunchCall, full)
	create(t, w, "")
	w.settle()
	zones := map[string]int{}
	for _, i := range w.in(plan.Running) {
		zones[i.Zone]++
	}
	if zones["us-east-1b"] < 3 { // a launch that was already on its way into the other zone may have come through
		t.Errorf("bought in a zone whose only subnet is full: %v\n%s", zones, w.log())
	}
	if log := w.log(); !strings.Contains(log, "InsufficientFreeAddressesInSubnet") {
		t.Errorf("the refusal is not told:\n%s", log)
	}
}

func TestAnInstanceThatComesBackAfterItWasGivenUpLeavesInGoodOrder(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	lost := w.in(plan.Running)[0].ID
	err := w.Fleet.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		d, err := fleet.Members.Get(ctx, tx, store.Account(w.Account.ID), lost)
		if err != nil {
			return err
		}
		d.Value.Phase, d.Value.LeaveReason, d.Value.Ended = plan.Terminated, fleet.Vanished, w.Clock.Now()
		d.State = string(plan.Terminated)
		_, err = fleet.Members.Update(ctx, tx, d)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// To the look at the place it is shown anew, and not as it was remembered.
	if err := w.Cloud.Impair(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	w.Until("it has been ended", 5*time.Minute, func() bool {
		for _, r := range w.record().Instances {
			if r.ID == lost {
				return !r.Alive
			}
		}
		return false
	})
	w.settle()
	if log := w.log(); !strings.Contains(log, lost+" is back") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
}
