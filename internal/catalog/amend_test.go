package catalog

import (
	"slices"
	"sync"
	"testing"

	"github.com/neap-cloud/neap/internal/money"
)

const region = "us-east-1"

func sold(name string, zones ...string) Sold {
	return Sold{Type: Type{Name: name, VCPUs: 2, MemoryMiB: 8192, Arch: "x86_64", Current: true}, Zones: zones, Spot: true}
}

func TestATypeThatTheCatalogueLacksBecomesKnownWithoutPrices(t *testing.T) {
	c := AWS().Copy()
	c.Amend(region, []Sold{sold("m99z.large", "us-east-1b", "us-east-1a", "us-east-1b"), sold("m5.large", "us-east-1a")})
	if kind, ok := c.HasType("m99z.large"); !ok || kind.Family != "m99z" || kind.Generation != 9 || kind.MemoryMiB != 8192 {
		t.Errorf("%+v, %v", kind, ok)
	}
	for _, product := range Products() {
		offer, ok := c.Offer(region, product, "m99z.large")
		if !ok || !slices.Equal(offer.Zones, []string{"us-east-1a", "us-east-1b"}) || offer.OnDemand != 0 || offer.Spot != 0 || offer.Interruption != -1 {
			t.Errorf("%s: %+v, %v", product, offer, ok)
		}
	}
	if _, ok := c.Offer("eu-west-1", Linux, "m99z.large"); ok {
		t.Error("it is offered in another region too")
	}
}

func TestWhatIsNotSoldStaysListedInNoZone(t *testing.T) {
	c := AWS().Copy()
	before, _ := c.Offer(region, Linux, "m5.large")
	spotless := sold("c5.large", "us-east-1a")
	spotless.Spot = false
	c.Amend(region, []Sold{sold("m5.large", "us-east-1f"), spotless})
	if offer, _ := c.Offer(region, Linux, "m5.large"); !slices.Equal(offer.Zones, []string{"us-east-1f"}) || offer.OnDemand != before.OnDemand || offer.Type != before.Type || offer.Spot == 0 {
		t.Errorf("the sold one is %+v", offer)
	}
	if offer, _ := c.Offer(region, Linux, "c5.large"); offer.Spot != 0 || offer.OnDemand == 0 {
		t.Errorf("the one without spot is %+v", offer)
	}
	offer, ok := c.Offer(region, Linux, "c6i.large")
	if !ok || len(offer.Zones) != 0 || offer.OnDemand == 0 {
		t.Errorf("the one that is not sold is %+v, %v", offer, ok)
	}
	c.Amend(region, []Sold{sold("c6i.large", "us-east-1b")})
	if offer, _ := c.Offer(region, Linux, "c6i.large"); !slices.Equal(offer.Zones, []string{"us-east-1b"}) {
		t.Errorf("once it is sold again it is %+v", offer)
	}
}

func TestAmendingLeavesTheEmbeddedFactsAndOtherRegionsAlone(t *testing.T) {
	elsewhere := AWS().Offers("eu-west-1", Linux)
	prices := func(c *Cloud) (sum money.Price) {
		for _, offer := range c.Offers(region, Windows) {
			sum += offer.OnDemand + money.Price(len(offer.Zones))
		}
		return sum
	}
	before := prices(AWS())
	c := AWS().Copy()
	c.Amend(region, []Sold{sold("m99z.large", "us-east-1a")})
	c.Amend(region, nil)
	if c.Edition() != AWS().Edition()+1 {
		t.Errorf("edition %d: nothing sold is not to be believed", c.Edition())
	}
	if _, known := AWS().HasType("m99z.large"); known || prices(AWS()) != before {
		t.Error("the embedded catalogue has changed")
	}
	if len(c.Offers("eu-west-1", Linux)) != len(elsewhere) {
		t.Error("another region has changed")
	}
	c.Amend(region, []Sold{{Type: Type{Name: "m99g.large", Arch: "arm64"}, Zones: []string{"us-east-1a"}}})
	if _, ok := c.Offer(region, Windows, "m99g.large"); ok {
		t.Error("Windows is offered on arm64")
	}
}

func TestANewRegionAndANewZoneBecomeKnown(t *testing.T) {
	c := AWS().Copy()
	c.Amend("xx-north-9", []Sold{sold("m5.large", "xx-north-9a")})
	c.Amend(region, []Sold{sold("m5.large", "us-east-1z")})
	if !slices.Contains(c.Regions(), "xx-north-9") || !slices.IsSorted(c.Regions()) || !slices.Equal(c.Zones("xx-north-9"), []string{"xx-north-9a"}) {
		t.Errorf("regions %v", c.Regions())
	}
	if offer, ok := c.Offer("xx-north-9", Linux, "m5.large"); !ok || offer.Type.VCPUs != 2 || offer.OnDemand != 0 {
		t.Errorf("%+v, %v", offer, ok)
	}
	if zones := c.Zones(region); !slices.Contains(zones, "us-east-1z") || !slices.Contains(zones, "us-east-1a") {
		t.Errorf("zones %v", zones)
	}
}

func TestManyMayReadAndAmendAtOnce(t *testing.T) {
	c := AWS().Copy()
	var all sync.WaitGroup
	for _, name := range []string{"m97z.large", "m98z.large", "m99z.large"} {
		all.Go(func() { c.Amend("r-"+name, []Sold{sold(name, "r-"+name+"a")}) })
		all.Go(func() {
			for _, offer := range c.Offers("r-"+name, Linux) {
				if offer.Type.Name != name {
					t.Errorf("%s offers %s", "r-"+name, offer.Type.Name)
				}
			}
		})
	}
	all.Wait()
	if c.Edition() != 3 {
		t.Errorf("%d of 3 amendments were kept", c.Edition())
	}
}
