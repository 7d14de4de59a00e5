package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

func TestAzureSellsItsUsualSizesInAllRegions(t *testing.T) {
	offer, ok := Azure().Offer("eastus", Linux, "Standard_D2s_v3")
	if !ok {
		t.Fatal("Standard_D2s_v3 is not offered in eastus")
	}
	if offer.OnDemand != price(t, "0.096") || offer.Spot != price(t, "0.018451") || offer.Interruption != -1 || !slices.Equal(offer.Zones, []string{"eastus-1"}) {
		t.Errorf("it is %+v", offer)
	}
	if want := (Type{Name: "Standard_D2s_v3", Family: "Dsv3", VCPUs: 2, MemoryMiB: 8192, Arch: "x86_64", Generation: 3, Current: true}); offer.Type != want {
		t.Errorf("the size is %+v, want %+v", offer.Type, want)
	}
	regions := Azure().Regions()
	if len(regions) != 59 || !slices.IsSorted(regions) {
		t.Fatalf("regions: %v", regions)
	}
	spot := 0
	for _, region := range regions {
		if zones := Azure().Zones(region); !slices.Equal(zones, []string{region + "-1"}) || Azure().Vendor(region) != VendorAzure {
			t.Errorf("%s is %s's, with zones %v", region, Azure().Vendor(region), zones)
		}
		offers := Azure().Offers(region, Linux)
		if len(offers) < 100 {
			t.Errorf("%s sells only %d sizes", region, len(offers))
		}
		for _, offer := range offers {
			checkOffer(t, Azure(), region, Linux, offer)
			if offer.Spot > 0 {
				spot++
			}
			if !strings.ContainsAny(offer.Type.Family[:1], "BDEF") || offer.Type.GPUs != 0 {
				t.Errorf("%s is not among the usual sizes", offer.Type.Name)
			}
		}
		if len(Azure().Offers(region, Windows)) != 0 {
			t.Errorf("%s sells Windows, whose prices nobody told", region)
		}
	}
	if spot < 15_000 {
		t.Errorf("only %d offers are sold on spot", spot)
	}
	for _, table := range []string{"prices", "interruption", "types", "zones"} {
		if source := Azure().Sources()[table]; source.Name == "" || !dated(source) {
			t.Errorf("%s: %+v", table, source)
		}
	}
}

func dated(s Source) bool {
	_, err := time.Parse(time.DateOnly, s.AsOf)
	return err == nil
}

func TestAJoinedCatalogueIsBoth(t *testing.T) {
	both := Joined(AWS(), Azure())
	if got, want := len(both.Regions()), len(AWS().Regions())+len(Azure().Regions()); got != want || !slices.IsSorted(both.Regions()) {
		t.Fatalf("%d regions, want %d in order", got, want)
	}
	for _, one := range []*Cloud{AWS(), Azure()} {
		for _, region := range one.Regions() {
			if !slices.Equal(both.Zones(region), one.Zones(region)) || both.Vendor(region) != one.Vendor(region) {
				t.Errorf("%s has zones %v of %q", region, both.Zones(region), both.Vendor(region))
			}
			for _, product := range Products() {
				if got, want := both.Offers(region, product), one.Offers(region, product); len(got) != len(want) || len(want) > 0 && got[0].Type != want[0].Type {
					t.Errorf("%s sells %d types for %s, want %d", region, len(got), product, len(want))
				}
			}
		}
	}
	for _, name := range []string{"m5.large", "Standard_E8as_v5"} {
		if _, ok := both.HasType(name); !ok {
			t.Errorf("%s is unknown", name)
		}
	}
	if from := both.PricesFrom(); !strings.Contains(from.Name, "AWS") || !strings.Contains(from.Name, "Azure") || from.AsOf != min(AWS().PricesFrom().AsOf, Azure().PricesFrom().AsOf) {
		t.Errorf("prices are from %+v", from)
	}
	if both.Vendor("mars-north-1") != "" {
		t.Error("an unknown region is somebody's")
	}
}

func TestAmendingAJoinedCatalogueLeavesItsPartsAsTheyAre(t *testing.T) {
	both := Joined(AWS(), Azure())
	both.Amend("eastus", []Sold{{Type: Type{Name: "Standard_D2s_v3"}, Zones: []string{"eastus-1", "eastus-2"}, Spot: true}})
	offer, _ := both.Offer("eastus", Linux, "Standard_D2s_v3")
	if !slices.Equal(offer.Zones, []string{"eastus-1", "eastus-2"}) || offer.OnDemand == money.Price(0) || both.Vendor("eastus") != VendorAzure {
		t.Errorf("it is %+v", offer)
	}
	if offer, _ := Azure().Offer("eastus", Linux, "Standard_D2s_v3"); !slices.Equal(offer.Zones, []string{"eastus-1"}) || both.Edition() == Azure().Edition() {
		t.Errorf("Azure's own is %+v", offer)
	}
}
