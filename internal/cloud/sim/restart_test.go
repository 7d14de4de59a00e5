package sim

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// reopen opens the world in a file anew, as after a kill: the former handle is not closed.
func reopen(t *testing.T, path string, hands *clock.Manual) *Cloud {
	t.Helper()
	tuning := Tame()
	c, err := Open(context.Background(), Config{Path: path, Clock: hands, Tuning: &tuning})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestTheWorldSurvivesAKill(t *testing.T) {
	path, hands := filepath.Join(t.TempDir(), "sim.db"), clock.NewManual(began)
	m := market("c5.xlarge", "us-east-1b", cloud.Spot)
	before := reopen(t, path, hands)
	before.Room(m, 50, began.Add(time.Hour))
	started, err := before.Account("acc-1").Launch(t.Context(), launch("t1", m, 50))
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Account("acc-1").Interrupt(t.Context(), region, ids(started)[:1]); err != nil {
		t.Fatal(err)
	}

	after := reopen(t, path, hands)
	if after.dice != before.dice {
		t.Error("the seed changed")
	}
	hands.Advance(time.Minute)
	again, err := after.Account("acc-1").Launch(t.Context(), launch("t1", m, 50))
	if err != nil || !slices.Equal(ids(again), ids(started)) {
		t.Errorf("the token gives %d instances, %v", len(again), err)
	}
	notices, err := after.Account("acc-1").Notices(t.Context(), region)
	if err != nil || len(notices) != 1 || notices[0].Instance != started[0].ID || !notices[0].Deadline.Equal(began.Add(2*time.Minute)) {
		t.Errorf("notices %+v, %v", notices, err)
	}
	hands.Advance(time.Hour)
	ended, err := after.Account("acc-1").Describe(t.Context(), cloud.Query{Region: region, IDs: ids(started)[:1]})
	if err != nil || len(ended) != 1 || ended[0].Ended != cloud.EndedByInterruption {
		t.Errorf("the interrupted instance is %+v, %v", ended, err)
	}
}

func TestAWorldIsTheSameForTheSameSeedAndAnotherForAnother(t *testing.T) {
	m := market("m5.large", "us-east-1a", cloud.Spot)
	look := func(seed uint64) ([]cloud.Instance, []cloud.Price) {
		w := newWorld(t, seed, Tame())
		return w.start(t, "t", m, 20), w.prices(region, physics.At(began))
	}
	first, prices := look(1)
	again, samePrices := look(1)
	other, otherPrices := look(2)
	if !slices.EqualFunc(first, again, func(a, b cloud.Instance) bool { return a.ID == b.ID && a.PublicIP == b.PublicIP }) || !slices.Equal(prices, samePrices) {
		t.Error("the same seed gave another world")
	}
	if first[0].ID == other[0].ID || slices.Equal(prices, otherPrices) {
		t.Error("another seed gave the same world")
	}
}

func TestAnotherSeedThanTheStoredOneIsRefused(t *testing.T) {
	path, hands := filepath.Join(t.TempDir(), "sim.db"), clock.NewManual(began)
	reopen(t, path, hands)
	_, err := Open(t.Context(), Config{Path: path, Clock: hands, Seed: 99})
	if err == nil || !strings.Contains(err.Error(), "was made with seed") {
		t.Errorf("got %v", err)
	}
}

func TestAnUnclearConfigurationIsRefused(t *testing.T) {
	hands := clock.NewManual(began)
	for name, c := range map[string]Config{
		"no clock": {Memory: true}, "nowhere": {Clock: hands}, "two places": {Clock: hands, Memory: true, Path: "sim.db"},
	} {
		if _, err := Open(t.Context(), c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTwoReplicasShareOneWorld(t *testing.T) {
	path, hands := filepath.Join(t.TempDir(), "sim.db"), clock.NewManual(began)
	m := market("m5.large", "us-east-1a", cloud.OnDemand)
	replicas := [2]*Cloud{reopen(t, path, hands), reopen(t, path, hands)}
	var got [8][]string
	var group sync.WaitGroup
	for n := range got {
		group.Go(func() {
			started, err := replicas[n%2].Account("acc-1").Launch(t.Context(), launch("same", m, 3))
			if err != nil {
				t.Error(err)
			}
			got[n] = ids(started)
		})
	}
	group.Wait()
	for n := range got {
		if !slices.Equal(got[n], got[0]) {
			t.Errorf("call %d got %v, the first %v", n, got[n], got[0])
		}
	}
	ledger, err := replicas[0].Ledger(t.Context())
	if err != nil || len(ledger.Instances) != 3 || len(ledger.Calls) != 8 {
		t.Errorf("%d instances, %d calls, %v", len(ledger.Instances), len(ledger.Calls), err)
	}
}

func TestTheLedgerOfAFileIsReadBesideItsOwner(t *testing.T) {
	path, hands := filepath.Join(t.TempDir(), "a folder?with#odd%names", "sim.db"), clock.NewManual(began)
	if _, err := ReadLedger(t.Context(), path, began); err == nil {
		t.Error("a missing file was read")
	}
	path = filepath.Join(t.TempDir(), "sim #1%20?.db")
	c := reopen(t, path, hands)
	account := c.Account("acc-1")
	m := market("m5.large", "us-east-1a", cloud.OnDemand)
	started, err := account.Launch(t.Context(), launch("t1", m, 2))
	if err != nil {
		t.Fatal(err)
	}
	c.Dry(m, began.Add(time.Hour))
	if _, err := account.Launch(t.Context(), launch("t2", m, 1)); err == nil {
		t.Fatal("a dry pool started an instance")
	}
	hands.Advance(time.Minute)
	if err := account.Terminate(t.Context(), region, ids(started)[:1]); err != nil {
		t.Fatal(err)
	}
	ledger, err := ReadLedger(t.Context(), path, hands.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(ledger.Instances) != 2 || ledger.Instances[0].Alive || !ledger.Instances[1].Alive || ledger.Instances[1].Token != "t1" ||
		ledger.Instances[0].Account != "acc-1" || !ledger.Instances[0].EndedAt.Equal(hands.Now()) || ledger.Instances[0].Market != m {
		t.Errorf("instances %+v", ledger.Instances)
	}
	var outcomes []string
	for _, call := range ledger.Calls {
		outcomes = append(outcomes, string(call.Call)+" "+call.Outcome)
	}
	if want := []string{"Launch ok", "Launch InsufficientInstanceCapacity", "Terminate ok"}; !slices.Equal(outcomes, want) {
		t.Errorf("calls %v, want %v", outcomes, want)
	}
	if n := c.Reads(DescribeCall); n != 0 {
		t.Errorf("%d describes were counted", n)
	}
}

func TestAMemoryWorldSurvivesCancelledCallers(t *testing.T) {
	w := newWorld(t, 1, Tame())
	w.start(t, "t", market("m5.large", "us-east-1a", cloud.Spot), 200)
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			// Whether it is cut short or not is a race; that the world lasts is not.
			_, err := w.account.Describe(ctx, cloud.Query{Region: region})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
		cancel()
		group.Wait()
	}
	found, err := w.account.Describe(t.Context(), cloud.Query{Region: region})
	if err != nil || len(found) != 200 {
		t.Errorf("%d instances are left: %v", len(found), err)
	}
}

func TestTheCatalogueMayBeGiven(t *testing.T) {
	c, err := Open(t.Context(), Config{Memory: true, Clock: clock.Wall{}, Catalog: catalog.AWS()})
	if err != nil {
		t.Fatal(err)
	}
	if info := c.Account("a").Info(); info.Name != "sim" || !info.Simulated || info.Notice != 2*time.Minute || info.Settle != Usual().Settle {
		t.Errorf("info %+v", info)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
