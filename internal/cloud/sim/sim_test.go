package sim

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

var began = time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC)

// world is a simulated cloud in memory with a clock that the test moves.
type world struct {
	*Cloud
	clock   *clock.Manual
	account *Account
}

func newWorld(t testing.TB, seed uint64, tuning Tuning) world {
	t.Helper()
	hands := clock.NewManual(began)
	c, err := Open(t.Context(), Config{Memory: true, Clock: hands, Seed: seed, Tuning: &tuning})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return world{Cloud: c, clock: hands, account: c.Account("acc-1")}
}

const region = "us-east-1"

func market(kind, zone string, lifecycle cloud.Lifecycle) cloud.Market {
	return cloud.Market{Region: region, Zone: zone, Type: kind, Product: catalog.Linux, Lifecycle: lifecycle}
}

var template = cloud.Template{Image: "ami-0abcdef1234567890", SecurityGroups: []string{"sg-0abcdef1234567890"}}

func launch(token string, m cloud.Market, count int) cloud.Launch {
	return cloud.Launch{Token: token, Market: m, Count: count, Template: template, Tags: map[string]string{"neap:group": "sig-1"}}
}

// start launches and fails the test unless all instances start.
func (w world) start(t testing.TB, token string, m cloud.Market, count int) []cloud.Instance {
	t.Helper()
	w.Room(m, count, w.clock.Now().Add(time.Second))
	started, err := w.account.Launch(t.Context(), launch(token, m, count))
	if err != nil || len(started) != count {
		t.Fatalf("launch started %d of %d: %v", len(started), count, err)
	}
	return started
}

func (w world) describe(t testing.TB, ids ...string) []cloud.Instance {
	t.Helper()
	found, err := w.account.Describe(t.Context(), cloud.Query{Region: region, IDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func ids(instances []cloud.Instance) []string {
	var all []string
	for _, i := range instances {
		all = append(all, i.ID)
	}
	return all
}

func TestAnInstanceBootsIsCheckedAndEnds(t *testing.T) {
	w := newWorld(t, 1, Tame())
	id := w.start(t, "t1", market("m5.large", "us-east-1a", cloud.Spot), 1)[0].ID
	stage := func(after time.Duration, state cloud.State, status cloud.Status) {
		t.Helper()
		w.clock.Advance(after)
		got := w.describe(t, id)
		if len(got) != 1 || got[0].State != state || got[0].Status != status {
			t.Fatalf("got %+v, want %s %q", got, state, status)
		}
	}
	stage(0, cloud.Pending, cloud.StatusUnknown)
	stage(1999*time.Millisecond, cloud.Pending, cloud.StatusUnknown)
	stage(6001*time.Millisecond, cloud.Running, cloud.StatusOK)
	if err := w.account.Terminate(t.Context(), region, []string{id}); err != nil {
		t.Fatal(err)
	}
	stage(0, cloud.ShuttingDown, cloud.StatusUnknown)
	if got := w.describe(t, id)[0]; got.Ended != cloud.EndedByUser || !got.EndedAt.Equal(w.clock.Now()) {
		t.Errorf("ended by %q at %v", got.Ended, got.EndedAt)
	}
	stage(3*time.Second, cloud.Terminated, cloud.StatusUnknown)
	w.clock.Advance(time.Hour)
	if got := w.describe(t, id); len(got) != 0 {
		t.Errorf("still described an hour later: %+v", got)
	}
}

func BenchmarkLaunchOfAHundred(b *testing.B) {
	w := newWorld(b, 1, Tame())
	w.tuning.QuotaVCPUs, w.tuning.SubnetAddresses = 1<<40, 1<<40
	m := market("m5.large", "us-east-1a", cloud.Spot)
	w.Room(m, 100, began.Add(time.Hour))
	n := 0
	for b.Loop() {
		n++
		if _, err := w.account.Launch(context.Background(), launch(fmt.Sprint(n), m, 100)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLaunchOfOneOnDisk(b *testing.B) {
	tuning := Tame()
	tuning.QuotaVCPUs, tuning.SubnetAddresses = 1<<40, 1<<40
	c, err := Open(b.Context(), Config{Path: filepath.Join(b.TempDir(), "sim.db"), Clock: clock.NewManual(began), Tuning: &tuning})
	if err != nil {
		b.Fatal(err)
	}
	m := market("m5.large", "us-east-1a", cloud.Spot)
	c.Room(m, 1, began.Add(time.Hour))
	n := 0
	for b.Loop() {
		n++
		if _, err := c.Account("acc-1").Launch(context.Background(), launch(fmt.Sprint(n), m, 1)); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkDescribeByTagAmongAThousand(b *testing.B) {
	w := newWorld(b, 1, Tame())
	for n := range 10 {
		w.start(b, fmt.Sprint(n), market("m5.large", "us-east-1a", cloud.Spot), 100)
	}
	for b.Loop() {
		found, err := w.account.Describe(context.Background(), cloud.Query{Region: region, Tags: map[string]string{"neap:group": "sig-1"}})
		if err != nil || len(found) != 1000 {
			b.Fatal(len(found), err)
		}
	}
}

func BenchmarkPricesOfARegion(b *testing.B) {
	w := newWorld(b, 1, Tame())
	for b.Loop() {
		if _, err := w.account.Prices(context.Background(), region); err != nil {
			b.Fatal(err)
		}
	}
}
