package mishap_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

const region = "us-east-1"

var (
	spot     = cloud.Market{Region: region, Zone: "us-east-1a", Type: "m5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}
	template = cloud.Template{Image: "ami-0de30000000000001", SecurityGroups: []string{"sg-0de30000000000001"}}
)

// world is a simulated cloud without whims of its own, seen through mishaps.
type world struct {
	cloud.Provider
	*mishap.Mishaps
	true  *sim.Account // the same account, seen as it is
	cloud *sim.Cloud
	clock *clock.Manual
	plan  atomic.Pointer[mishap.Plan]

	ctx     context.Context
	empties int // as counted at the last listing
}

// begin makes a world in which nothing goes wrong yet.
func begin(t *testing.T, seed uint64) *world {
	t.Helper()
	tuning := sim.Tame()
	tuning.Settle = 3 * time.Second
	w := &world{ctx: t.Context(), clock: clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))}
	c, err := sim.Open(t.Context(), sim.Config{Memory: true, Clock: w.clock, Seed: 7, Tuning: &tuning})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	w.cloud, w.true = c, c.Account("acc")
	w.room(spot, 100)
	onDemand := spot
	onDemand.Lifecycle = cloud.OnDemand
	w.room(onDemand, 100)
	w.plan.Store(&mishap.Plan{})
	w.Mishaps = mishap.New(seed, func() mishap.Plan { return *w.plan.Load() })
	w.Provider = w.Wrap(w.clock, "acc", w.true)
	return w
}

func (w *world) room(m cloud.Market, count int) {
	w.cloud.Room(m, count, w.clock.Now().Add(24*time.Hour))
}

// always makes some mishaps strike at every call, and the others never.
func (w *world) always(kinds ...mishap.Kind) {
	p := mishap.Plan{Rate: map[mishap.Kind]float64{}}
	for _, k := range kinds {
		p.Rate[k] = 1
	}
	w.plan.Store(&p)
}

func request(token string, count int) cloud.Launch {
	return cloud.Launch{Token: token, Market: spot, Count: count, Template: template, Tags: map[string]string{"a": "b"}}
}

// alive is how many instances really live.
func (w *world) alive(t *testing.T) (n int) {
	t.Helper()
	ledger, err := w.cloud.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ledger.Instances {
		if i.Alive {
			n++
		}
	}
	return n
}

func isRefused(err error, kind cloud.RefusalKind) bool {
	refusal, ok := errors.AsType[*cloud.Refusal](err)
	return ok && refusal.Kind == kind && refusal.Code != "" && refusal.Message != ""
}

func ids(instances []cloud.Instance) (list []string) {
	for _, i := range instances {
		list = append(list, i.ID)
	}
	slices.Sort(list)
	return list
}

func must[T any](t *testing.T) func(T, error) T {
	return func(answer T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}
