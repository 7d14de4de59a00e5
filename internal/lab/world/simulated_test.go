package world

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// TestOneSeedIsTheSameWorldHereAndInTheSimulatedCloud asks the simulated cloud for one instance of each pool every five hours of nine days, and now and then for its prices.
func TestOneSeedIsTheSameWorldHereAndInTheSimulatedCloud(t *testing.T) {
	w, err := Simulated(Options{Types: []string{"m5.large", "r6i.xlarge"}, Zones: []string{"us-east-1a", "us-east-1b"}, Seed: 3, From: began, Until: day(9)})
	if err != nil {
		t.Fatal(err)
	}
	hands, tuning := clock.NewManual(began), sim.Tame()
	c, err := sim.Open(t.Context(), sim.Config{Memory: true, Clock: hands, Seed: 3, Tuning: &tuning})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	account := c.Account("acc-1")
	refused := 0
	for step := 0; hands.Now().Before(w.Until); step++ {
		told := map[cloud.Market]cloud.Price{}
		if step%5 == 0 {
			prices, err := account.Prices(t.Context(), "us-east-1")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range prices {
				told[p.Market] = p
			}
		}
		for n := range w.Pools {
			p := &w.Pools[n]
			market := cloud.Market{Region: p.Region, Zone: p.Zone, Type: p.Type, Product: "Linux/UNIX", Lifecycle: cloud.Spot}
			if got, want := p.PriceAt(hands.Now()), told[market].Price; step%5 == 0 && got != want {
				t.Fatalf("%s in %s at %s: %v, the simulated cloud says %v", p.Type, p.Zone, hands.Now(), got, want)
			}
			request := cloud.Launch{Token: strconv.Itoa(step) + "/" + strconv.Itoa(n), Market: market, Count: 1, Template: cloud.Template{Image: "ami-0abcdef1234567890"}}
			_, err := account.Launch(t.Context(), request)
			refusal, isRefused := errors.AsType[*cloud.Refusal](err)
			if isRefused != (p.Fates.Room(0, hands.Now()) == 0) || err != nil && !isRefused || isRefused && refusal.Kind != cloud.NoCapacity {
				t.Fatalf("%s in %s at %s: room for %d, the simulated cloud says %v", p.Type, p.Zone, hands.Now(), p.Fates.Room(0, hands.Now()), err)
			}
			if isRefused {
				refused++
			}
		}
		hands.Advance(5 * time.Hour)
	}
	if refused == 0 {
		t.Error("no pool was ever dry")
	}
}

func TestASimulatedWorldOfNothingIsRefused(t *testing.T) {
	for _, wrong := range []Options{{From: began, Until: began}, {Region: "mars-1"}, {Types: []string{"z9.gigantic"}}, {Zones: []string{"us-west-2a"}}} {
		if _, err := Simulated(wrong); err == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
}
