package sim

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
)

var errBroken = errors.New("the line is broken")

func TestAFailedCallHasNoEffectAndALostReplyHasOne(t *testing.T) {
	w := newWorld(t, 1, Tame())
	m := market("m5.large", "us-east-1a", cloud.OnDemand)
	w.FailNext(LaunchCall, errBroken)
	if _, err := w.account.Launch(t.Context(), launch("t", m, 2)); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	if n := len(w.describeAll(t)); n != 0 {
		t.Fatalf("%d instances after a failed call", n)
	}
	w.LoseReply(LaunchCall, errBroken)
	if started, err := w.account.Launch(t.Context(), launch("t", m, 2)); !errors.Is(err, errBroken) || started != nil {
		t.Fatalf("got %v, %v", started, err)
	}
	lost := ids(w.describeAll(t))
	again, err := w.account.Launch(t.Context(), launch("t", m, 2))
	if err != nil || len(lost) != 2 || !slices.Equal(ids(again), lost) {
		t.Errorf("the repeated call got %v, %v; the lost one started %v", ids(again), err, lost)
	}
}

func (w world) describeAll(t *testing.T) []cloud.Instance {
	t.Helper()
	found, err := w.account.Describe(t.Context(), cloud.Query{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAnOutageFailsEveryCallOfItsRegionUntilItEnds(t *testing.T) {
	w := newWorld(t, 1, Tame())
	w.Outage(region, began.Add(time.Minute))
	_, err := w.account.Describe(t.Context(), cloud.Query{Region: region})
	var refusal *cloud.Refusal
	if !fault.Is(err, fault.Unavailable) || errors.As(err, &refusal) {
		t.Errorf("got %v, want something to try again later", err)
	}
	if _, err := w.account.Describe(t.Context(), cloud.Query{Region: "eu-west-1"}); err != nil {
		t.Errorf("another region fails too: %v", err)
	}
	w.clock.Advance(time.Minute)
	if _, err := w.account.Describe(t.Context(), cloud.Query{Region: region}); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestAHungRegionAnswersLateOrLosesItsCaller(t *testing.T) {
	w := newWorld(t, 1, Tame())
	w.Hang(region, began.Add(time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.account.Describe(ctx, cloud.Query{Region: region}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := w.account.Describe(t.Context(), cloud.Query{Region: region})
		answered <- err
	}()
	w.clock.Advance(time.Minute)
	if err := <-answered; err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAnEmptyDescribeListsNothingAndSaysNothing(t *testing.T) {
	w := newWorld(t, 1, Tame())
	w.start(t, "t", market("m5.large", "us-east-1a", cloud.Spot), 3)
	w.EmptyDescribe(region, began.Add(time.Hour))
	if found := w.describeAll(t); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	w.Relent()
	if found := w.describeAll(t); len(found) != 3 {
		t.Errorf("found %d, want 3", len(found))
	}
}

func TestAKilledInstanceEndsWithoutNoticeAndAnImpairedOneLivesOn(t *testing.T) {
	w := newWorld(t, 1, Tame())
	started := w.start(t, "t", market("m5.large", "us-east-1a", cloud.Spot), 2)
	w.clock.Advance(time.Minute)
	if err := w.Kill(t.Context(), started[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Impair(t.Context(), started[1].ID); err != nil {
		t.Fatal(err)
	}
	found := w.describe(t, ids(started)...)
	if found[0].State != cloud.Terminated || found[0].Ended != cloud.EndedByFailure || !found[0].EndedAt.Equal(w.clock.Now()) {
		t.Errorf("killed: %+v", found[0])
	}
	if found[1].State != cloud.Running || found[1].Status != cloud.StatusImpaired {
		t.Errorf("impaired: %+v", found[1])
	}
	if err := w.account.Reboot(t.Context(), region, ids(started)[1:]); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if rebooted := w.describe(t, started[1].ID)[0]; rebooted.Status != cloud.StatusOK {
		t.Errorf("rebooted: %+v", rebooted)
	}
	if err := w.Kill(t.Context(), started[0].ID); err == nil {
		t.Error("a dead instance was killed")
	}
	notices, err := w.account.Notices(t.Context(), region)
	if err != nil || len(notices) != 0 {
		t.Errorf("notices %+v, %v", notices, err)
	}
}

func TestAReclaimTakesThePoolsSpotInstancesOfEveryAccount(t *testing.T) {
	w := newWorld(t, 1, Tame())
	m := market("m5.large", "us-east-1a", cloud.Spot)
	mine := w.start(t, "t1", m, 30)
	elsewhere := w.start(t, "t2", market("m5.large", "us-east-1b", cloud.Spot), 1)
	safe := w.start(t, "t3", market("m5.large", "us-east-1a", cloud.OnDemand), 1)
	other := w.Cloud.Account("acc-2")
	w.Room(m, 1, began.Add(time.Second))
	theirs, err := other.Launch(t.Context(), launch("t", m, 1))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if err := w.Reclaim(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var refusal *cloud.Refusal
	if _, err := w.account.Launch(t.Context(), launch("t4", m, 1)); !errors.As(err, &refusal) || refusal.Kind != cloud.NoCapacity {
		t.Errorf("the reclaimed pool answers %v", err)
	}
	w.clock.Advance(12 * time.Minute)
	for _, i := range w.describe(t, ids(mine)...) {
		if i.Ended != cloud.EndedByInterruption {
			t.Errorf("%s survived: %+v", i.ID, i)
		}
	}
	lost, err := other.Describe(t.Context(), cloud.Query{Region: region, IDs: ids(theirs)})
	if err != nil || lost[0].Ended != cloud.EndedByInterruption {
		t.Errorf("another account's: %+v, %v", lost, err)
	}
	for _, i := range w.describe(t, elsewhere[0].ID, safe[0].ID) {
		if i.State != cloud.Running {
			t.Errorf("another pool lost %+v", i)
		}
	}
	notices, err := w.account.Notices(t.Context(), region)
	if err != nil || len(notices) != 30 {
		t.Errorf("%d notices, %v", len(notices), err)
	}
}
