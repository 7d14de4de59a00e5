package sim

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

func azureMarket(lifecycle cloud.Lifecycle) cloud.Market {
	return cloud.Market{Region: "westeurope", Zone: "westeurope-1", Type: "Standard_D4s_v5", Product: catalog.Linux, Lifecycle: lifecycle}
}

// twoClouds is a world of AWS's and Azure's regions.
func twoClouds(t *testing.T) (*Cloud, *clock.Manual) {
	t.Helper()
	hands := clock.NewManual(began)
	tame := Tame()
	c, err := Open(t.Context(), Config{Memory: true, Clock: hands, Seed: 7, Tuning: &tame, Catalog: catalog.Joined(catalog.AWS(), catalog.Azure())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, hands
}

func launched(t *testing.T, a *Account, m cloud.Market, image, token string) cloud.Instance {
	t.Helper()
	a.cloud.Room(m, 10, began.Add(100*24*time.Hour))
	made, err := a.Launch(t.Context(), cloud.Launch{Token: token, Market: m, Count: 1, Template: cloud.Template{Image: image}})
	if err != nil || len(made) != 1 {
		t.Fatalf("%d instances, %v", len(made), err)
	}
	return made[0]
}

func TestARegionOfAzuresWarnsHalfAMinuteBeforeTheEnd(t *testing.T) {
	c, hands := twoClouds(t)
	a := c.Account("one")
	if a.NoticeIn("westeurope") != 30*time.Second || cloud.NoticeIn(a, "us-east-1") != 2*time.Minute || a.Info().Notice != 2*time.Minute {
		t.Fatalf("%v and %v, in general %v", a.NoticeIn("westeurope"), cloud.NoticeIn(a, "us-east-1"), a.Info().Notice)
	}
	for region, want := range map[string]time.Duration{"westeurope": 30 * time.Second, "us-east-1": 2 * time.Minute} {
		m := azureMarket(cloud.Spot)
		if region == "us-east-1" {
			m = market("m5.large", "us-east-1a", cloud.Spot)
		}
		made := launched(t, a, m, "ami-0abcdef1234567890", region)
		hands.Advance(time.Minute)
		if err := a.Interrupt(t.Context(), region, []string{made.ID}); err != nil {
			t.Fatal(err)
		}
		hands.Advance(time.Second)
		notices, err := a.Notices(t.Context(), region)
		if err != nil || len(notices) != 1 || notices[0].Deadline.Sub(notices[0].IssuedAt) != want {
			t.Fatalf("%s: %+v, %v; want a deadline after %v", region, notices, err, want)
		}
		for step, state := range []cloud.State{cloud.Running, cloud.ShuttingDown} {
			found, err := a.Describe(t.Context(), cloud.Query{Region: region, IDs: []string{made.ID}})
			if err != nil || len(found) != 1 || found[0].State != state {
				t.Fatalf("%s, step %d: %+v, %v; want it %s", region, step, found, err, state)
			}
			hands.Advance(want - time.Second)
		}
	}
}

func TestNatureTakesAzuresMachinesAfterHalfAMinute(t *testing.T) {
	c, _ := twoClouds(t)
	m := azureMarket(cloud.Spot)
	offer, err := c.validate(cloud.Launch{Token: "x", Market: m, Count: 1, Template: cloud.Template{Image: "ami-0abcdef1234567890"}})
	if err != nil {
		t.Fatal(err)
	}
	pool, struck := c.poolOf(m, offer), 0
	for n := range int64(50) {
		f := pool.FateOf(c.dice.On("test").At(n), cloud.Spot, c.tuning.pace(c.noticeIn(m.Region)), c.now())
		if f.Notice != physics.Never {
			struck++
			if f.Ends-f.Notice != physics.Lasting(30*time.Second) {
				t.Errorf("it is told %v before", (f.Ends - f.Notice))
			}
		}
	}
	if struck == 0 {
		t.Error("none of 50 was ever taken back")
	}
}

func TestAzuresPricesLieBetweenNothingAndOnDemand(t *testing.T) {
	c, _ := twoClouds(t)
	prices, err := c.Account("one").Prices(t.Context(), "westeurope")
	if err != nil || len(prices) < 100 {
		t.Fatalf("%d prices, %v", len(prices), err)
	}
	for _, p := range prices {
		offer, sold := catalog.Azure().Offer("westeurope", catalog.Linux, p.Market.Type)
		if !sold || p.Market.Zone != "westeurope-1" || p.Price <= 0 || p.Price > offer.OnDemand {
			t.Errorf("%+v, on demand %v", p, offer.OnDemand)
		}
	}
}

func TestARegionOfAzuresTakesAzuresImagesAndNoneOfNonsense(t *testing.T) {
	c, _ := twoClouds(t)
	a := c.Account("one")
	for image, good := range map[string]bool{
		"Canonical:ubuntu-24_04-lts:server:latest": true,
		"/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/g/providers/Microsoft.Compute/images/mine": true,
		"ami-0abcdef1234567890": true,
		"Canonical:ubuntu":      false,
		"/etc/passwd":           false,
		"":                      false,
	} {
		faults, err := a.Check(t.Context(), "westeurope", cloud.Template{Image: image})
		if err != nil || (len(faults) == 0) != good {
			t.Errorf("%q: %v, %v", image, faults, err)
		}
		if faults, err := a.Check(t.Context(), "us-east-1", cloud.Template{Image: image}); err != nil || (len(faults) == 0) != strings.HasPrefix(image, "ami-") {
			t.Errorf("%q on AWS: %v, %v", image, faults, err)
		}
	}
	made := launched(t, a, azureMarket(cloud.OnDemand), "Canonical:ubuntu-24_04-lts:server:latest", "t")
	if made.Image != "Canonical:ubuntu-24_04-lts:server:latest" || made.Market.Zone != "westeurope-1" || made.ID == "" {
		t.Errorf("%+v", made)
	}
}

func TestAzureCountsAllOfSpotTogetherAndTheRestBySeries(t *testing.T) {
	c, _ := twoClouds(t)
	c.tuning.QuotaVCPUs = 6
	a := c.Account("one")
	for _, lifecycle := range []cloud.Lifecycle{cloud.Spot, cloud.OnDemand} {
		other := azureMarket(lifecycle)
		other.Type = "Standard_E4s_v5"
		launched(t, a, azureMarket(lifecycle), "ami-0abcdef1234567890", "first"+string(lifecycle))
		c.Room(other, 10, began.Add(time.Hour))
		_, err := a.Launch(t.Context(), cloud.Launch{Token: "second" + string(lifecycle), Market: other, Count: 1, Template: cloud.Template{Image: "ami-0abcdef1234567890"}})
		var refused *cloud.Refusal
		if full := errors.As(err, &refused) && refused.Kind == cloud.NoQuota; full != (lifecycle == cloud.Spot) {
			t.Errorf("a second series, %s: %v", lifecycle, err)
		}
	}
}

func TestAzureBesideItChangesNothingOfAWSsWorld(t *testing.T) {
	both, _ := twoClouds(t)
	tame := Tame()
	alone, err := Open(t.Context(), Config{Memory: true, Clock: clock.NewManual(began), Seed: 7, Tuning: &tame})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	for _, region := range catalog.AWS().Regions() {
		if got, want := both.prices(region, both.now()), alone.prices(region, alone.now()); !slices.Equal(got, want) {
			t.Errorf("%s has other prices", region)
		}
	}
	m := market("m5.large", "us-east-1a", cloud.Spot)
	one, other := launched(t, both.Account("one"), m, "ami-0abcdef1234567890", "t"), launched(t, alone.Account("one"), m, "ami-0abcdef1234567890", "t")
	if one.ID != other.ID || one.PrivateIP != other.PrivateIP {
		t.Errorf("%+v, alone %+v", one, other)
	}
}
