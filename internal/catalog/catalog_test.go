package catalog

import (
	"bytes"
	"compress/gzip"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

func price(t *testing.T, text string) money.Price {
	t.Helper()
	p, err := money.ParsePrice(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnOfferCarriesTheListPriceAndTypeFacts(t *testing.T) {
	offer, ok := AWS().Offer("us-east-1", Linux, "m5.large")
	if !ok {
		t.Fatal("m5.large is not offered in us-east-1")
	}
	if offer.OnDemand != price(t, "0.096") || offer.Spot != price(t, "0.04366") {
		t.Errorf("prices are %v on demand and %v spot", offer.OnDemand, offer.Spot)
	}
	want := Type{Name: "m5.large", Family: "m5", VCPUs: 2, MemoryMiB: 8192, Arch: "x86_64", Generation: 5, NetworkGbps: 10, MaxPods: 29}
	if offer.Type != want {
		t.Errorf("type is %+v, want %+v", offer.Type, want)
	}
	if !offer.Sells("us-east-1a") || offer.Sells("us-east-1z") || offer.Sells("us-west-2a") {
		t.Errorf("zones are %v", offer.Zones)
	}
}

func TestWindowsCostsMoreThanLinuxWhereItDoesInTheSource(t *testing.T) {
	windows, ok := AWS().Offer("af-south-1", Windows, "c5.12xlarge")
	if !ok || windows.OnDemand != price(t, "4.944") || windows.Spot != price(t, "2.472") {
		t.Errorf("got %v, %+v", ok, windows)
	}
	linux, _ := AWS().Offer("af-south-1", Linux, "c5.12xlarge")
	if linux.OnDemand != price(t, "2.736") || linux.Spot != price(t, "0.30096") || linux.Interruption != 4 {
		t.Errorf("got %+v", linux)
	}
}

func TestEveryRegionHasZonesAndEveryOfferIsBuyable(t *testing.T) {
	c := AWS()
	regions := c.Regions()
	if len(regions) < 12 || !slices.IsSorted(regions) {
		t.Fatalf("regions: %v", regions)
	}
	for _, region := range regions {
		if zones := c.Zones(region); len(zones) < 2 || !slices.IsSorted(zones) {
			t.Errorf("%s has zones %v", region, zones)
		}
		for _, product := range Products() {
			offers := c.Offers(region, product)
			if len(offers) < 100 {
				t.Errorf("%s sells only %d types for %s", region, len(offers), product)
			}
			for i, offer := range offers {
				checkOffer(t, c, region, product, offer)
				if i > 0 && offers[i-1].Type.Name >= offer.Type.Name {
					t.Errorf("%s %s: %s is out of order", region, product, offer.Type.Name)
				}
			}
		}
	}
}

func checkOffer(t *testing.T, c *Cloud, region, product string, offer Offer) {
	t.Helper()
	name := region + " " + product + " " + offer.Type.Name
	if offer.OnDemand <= 0 || offer.Spot < 0 || offer.Spot > offer.OnDemand*11/10 {
		t.Errorf("%s: on demand %v, spot %v", name, offer.OnDemand, offer.Spot)
	}
	if len(offer.Zones) == 0 || offer.Interruption < -1 || offer.Interruption > 4 {
		t.Errorf("%s: zones %v, interruption class %d", name, offer.Zones, offer.Interruption)
	}
	for _, zone := range offer.Zones {
		if !slices.Contains(c.Zones(region), zone) {
			t.Errorf("%s: zone %s is not one of the region's", name, zone)
		}
	}
	kind, ok := c.HasType(offer.Type.Name)
	if !ok || kind != offer.Type || kind.VCPUs < 1 || kind.MemoryMiB < 500 || (kind.Arch != "x86_64" && kind.Arch != "arm64") {
		t.Errorf("%s: type facts %+v", name, kind)
	}
}

func TestUnknownNamesAreFoundNowhere(t *testing.T) {
	c := AWS()
	if _, ok := c.HasType("m5.gigantic"); ok {
		t.Error("m5.gigantic is known")
	}
	if _, ok := c.Offer("us-east-1", Linux, "m5.gigantic"); ok {
		t.Error("m5.gigantic is offered")
	}
	if c.Offers("mars-north-1", Linux) != nil || c.Offers("us-east-1", "Plan 9") != nil || c.Zones("mars-north-1") != nil {
		t.Error("an unknown region or product has content")
	}
}

func TestEveryTableNamesItsSourceAndDate(t *testing.T) {
	for _, table := range []string{"prices", "interruption", "types", "zones"} {
		source := AWS().Sources()[table]
		if _, err := time.Parse(time.DateOnly, source.AsOf); err != nil || source.Name == "" {
			t.Errorf("%s: %+v", table, source)
		}
	}
	if AWS().PricesFrom() != AWS().Sources()["prices"] {
		t.Error("PricesFrom is not the source of the prices")
	}
}

func TestGenerationIsReadFromTheFamilyName(t *testing.T) {
	for family, want := range map[string]int{"m5dn": 5, "u7i-12tb": 7, "u-12tb1": 1, "mac-m4": 4, "p6-b200": 6, "x2idn": 2, "none": 0} {
		if got := generation(family); got != want {
			t.Errorf("generation(%q) = %d, want %d", family, got, want)
		}
	}
}

func TestBrokenDataAreRefusedAndNeverPanic(t *testing.T) {
	head := "neap-catalog\t1\n"
	region, kind := "R\tus-east-1\tab\n", "T\tm5.large\tm5\t2\t8192\tx\t0\t1\t0\t0\t0\t10.0\t29\n"
	for name, text := range map[string]string{
		"format":        "neap-catalog\t2\n",
		"source":        head + "S\tprices\n",
		"region":        head + "R\tus-east-1\n",
		"type":          head + "T\tm5.large\n",
		"type number":   head + "T\tm5.large\tm5\ttwo\t8192\tx\t0\t1\t0\t0\t0\t10.0\t29\n",
		"type gbps":     head + "T\tm5.large\tm5\t2\t8192\tx\t0\t1\t0\t0\t0\tfast\t29\n",
		"early offer":   head + region + "0\tab\t\t\t96000\t43660\n",
		"offer region":  head + region + kind + "7\tab\t\t\t96000\t43660\n",
		"offer fields":  head + region + kind + "0\tab\t\t\t96000\n",
		"offer price":   head + region + kind + "0\tab\t\t\tcheap\t43660\n",
		"offer windows": head + region + kind + "0\tab\t\t\t96000\t43660\t1\tcheap\n",
	} {
		if _, err := decode(VendorAWS, pack(t, text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := decode(VendorAWS, []byte("not gzip")); err == nil {
		t.Error("plain bytes were accepted")
	}
}

func TestAProductThatIsNotSoldIsLeftOut(t *testing.T) {
	embedded, err := decode(VendorAWS, pack(t, "neap-catalog\t1\nR\tus-east-1\tab\nT\tm5.large\tm5\t2\t8192\tx\t0\t1\t0\t0\t0\t10.0\t29\n0\tb\t3\t\t96000\t43660\t92000\t\t\t\t30000\t1000\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := hold(embedded)
	windows, _ := c.Offer("us-east-1", Windows, "m5.large")
	if windows.OnDemand != 188000 || windows.Spot != 0 || windows.Interruption != -1 {
		t.Errorf("windows: %+v", windows)
	}
	if _, sold := c.Offer("us-east-1", SUSE, "m5.large"); sold {
		t.Error("SUSE is sold")
	}
	rhel, _ := c.Offer("us-east-1", RHEL, "m5.large")
	if rhel.OnDemand != 126000 || rhel.Spot != 44660 || rhel.Interruption != 3 || !slices.Equal(rhel.Zones, []string{"us-east-1b"}) {
		t.Errorf("rhel: %+v", rhel)
	}
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		if _, err := decode(VendorAWS, awsPacked); err != nil {
			b.Fatal(err)
		}
	}
}
