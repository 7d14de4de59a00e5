package budget_test

import (
	"errors"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/cloud/cloudtest"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

var (
	spot     = cloud.Market{Region: region, Zone: "us-east-1a", Type: "m5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}
	template = cloud.Template{Image: "ami-0de30000000000001", SecurityGroups: []string{"sg-0de30000000000001"}}
)

// world is a simulated cloud whose market has room.
func world(t *testing.T, tuning sim.Tuning) (*sim.Cloud, *clock.Manual) {
	t.Helper()
	hands := clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	c, err := sim.Open(t.Context(), sim.Config{Memory: true, Clock: hands, Seed: 7, Tuning: &tuning})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, c.Close()) })
	onDemand := spot
	onDemand.Lifecycle = cloud.OnDemand
	for _, m := range []cloud.Market{spot, onDemand} {
		c.Room(m, 100, hands.Now().Add(24*time.Hour))
	}
	return c, hands
}

func TestACloudWithinItsBudgetStillKeepsTheProviderContract(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) cloudtest.Fixture {
		c, hands := world(t, sim.Usual())
		b := budget.New(budget.Config{Clock: hands})
		return cloudtest.Fixture{
			Provider: b.Wrap(t.Name(), c.Account(t.Name())), Market: spot, Template: template, Now: hands.Now, Advance: hands.Advance,
			Claims: []cloudtest.Ability{cloudtest.Interrupts, cloudtest.Notifies, cloudtest.Prices, cloudtest.Tags, cloudtest.Powers, cloudtest.Modifies, cloudtest.Consoles},
			Room:   func(m cloud.Market, count int) { c.Room(m, count, hands.Now().Add(24*time.Hour)) },
			// Within the budget it does not come to it, so somebody else has used up the account's requests.
			Throttle: func() {
				c.FailNext(sim.LaunchCall, &cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount, Key: spot.Region, Code: "RequestLimitExceeded", Message: "too many requests"})
			},
		}
	})
}

// The simulated cloud counts for itself. Two replicas that ask for all they may, for a simulated minute, are never told to slow down.
func TestReplicasWithinTheirShareAreNeverThrottledByTheSimulatedCloud(t *testing.T) {
	c, hands := world(t, sim.Usual())
	type asked struct {
		class budget.Class
		do    func(p cloud.Provider) error
	}
	for _, a := range []asked{
		{budget.Describe, func(p cloud.Provider) error {
			_, err := p.Describe(t.Context(), cloud.Query{Region: region, Tags: map[string]string{"a": "b"}})
			return err
		}},
		{budget.Check, func(p cloud.Provider) error { _, err := p.Check(t.Context(), region, template); return err }},
	} {
		var replicas []*budget.Budget
		for range 2 {
			replicas = append(replicas, budget.New(budget.Config{Clock: hands, Replicas: func() int { return 2 }}))
		}
		made := 0
		for range 60 {
			for _, b := range replicas {
				p := b.Wrap("acc", c.Account("acc"))
				for first := true; first || b.States()[0].Left[a.class] >= 1; first = false {
					if err := a.do(p); err != nil {
						t.Fatalf("%s: %v after %d calls", a.class, err, made)
					}
					made++
				}
			}
			hands.Advance(time.Second)
		}
		if limit := 0.95 * (500 + 50*59); float64(made) < limit-4 || float64(made) > limit+4 {
			t.Errorf("%d calls of %s were made; 95 %% of what the cloud allows are %.0f", made, a.class, limit)
		}
	}
}

func TestOnlyAbilitiesThatTheProviderHasAreFound(t *testing.T) {
	b := budget.New(budget.Config{Clock: clock.Wall{}})
	p := b.Wrap("acc", &far{})
	if _, ok := cloud.As[cloud.Notifier](p); !ok {
		t.Error("notices are lost")
	}
	if _, ok := cloud.As[cloud.Tagger](p); ok {
		t.Error("tags come from nowhere")
	}
	c, _ := world(t, sim.Usual())
	p = b.Wrap("acc", c.Account("acc"))
	for name, ok := range map[string]bool{
		"notifier": has[cloud.Notifier](p), "pricer": has[cloud.Pricer](p), "interrupter": has[cloud.Interrupter](p), "tagger": has[cloud.Tagger](p),
		"powerer": has[cloud.Powerer](p),
	} {
		if !ok {
			t.Errorf("the simulated cloud is no %s any more", name)
		}
	}
}

func has[T any](p cloud.Provider) bool { _, ok := cloud.As[T](p); return ok }

func TestARefusalKeepsItsType(t *testing.T) {
	c, hands := world(t, sim.Usual())
	p := budget.New(budget.Config{Clock: hands}).Wrap("acc", c.Account("acc"))
	c.FailNext(sim.LaunchCall, &cloud.Refusal{Kind: cloud.NoQuota, Scope: cloud.ScopeQuota, Key: "standard/spot", Code: "MaxSpotInstanceCountExceeded"})
	_, err := p.Launch(t.Context(), cloud.Launch{Token: "a", Market: spot, Count: 1, Template: template})
	if refusal, ok := errors.AsType[*cloud.Refusal](err); !ok || refusal.Kind != cloud.NoQuota {
		t.Errorf("it became %v", err)
	}
}
