package feeds_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
)

func offeringsPage(token string, rows ...[2]string) string {
	var items strings.Builder
	for _, row := range rows {
		items.WriteString(`<item><instanceType>` + row[0] + `</instanceType><locationType>availability-zone</locationType><location>` + row[1] + `</location></item>`)
	}
	return `<DescribeInstanceTypeOfferingsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><instanceTypeOfferingSet>` + items.String() +
		`</instanceTypeOfferingSet><nextToken>` + token + `</nextToken></DescribeInstanceTypeOfferingsResponse>`
}

func typesPage(token string, items ...string) string {
	return `<DescribeInstanceTypesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><instanceTypeSet>` + strings.Join(items, "") +
		`</instanceTypeSet><nextToken>` + token + `</nextToken></DescribeInstanceTypesResponse>`
}

// theType is a type with everything that Neap reads of one.
func theType(name, arch, usage string) string {
	return `<item><instanceType>` + name + `</instanceType><currentGeneration>true</currentGeneration><bareMetal>false</bareMetal><burstablePerformanceSupported>true</burstablePerformanceSupported>` +
		`<supportedUsageClasses><item>on-demand</item>` + usage + `</supportedUsageClasses><processorInfo><supportedArchitectures><item>` + arch + `</item></supportedArchitectures></processorInfo>` +
		`<vCpuInfo><defaultVCpus>4</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>16384</sizeInMiB></memoryInfo><instanceStorageInfo><totalSizeInGB>150</totalSizeInGB></instanceStorageInfo>` +
		`<gpuInfo><gpus><item><name>T4</name><count>2</count></item></gpus></gpuInfo><networkInfo><networkCards><item><peakBandwidthInGbps>12.5</peakBandwidthInGbps></item></networkCards>` +
		`<maximumNetworkInterfaces>4</maximumNetworkInterfaces><ipv4AddressesPerInterface>15</ipv4AddressesPerInterface></networkInfo></item>`
}

const forSpot = `<item>spot</item>`

func TestOfferingsSayWhatATypeIsAndInWhichZonesItIsSold(t *testing.T) {
	r := record(t)
	r.says("DescribeInstanceTypeOfferings", offeringsPage("more", [2]string{"g99z.xlarge", "eu-west-1b"}, [2]string{"m5.large", "eu-west-1a"}),
		offeringsPage("", [2]string{"g99z.xlarge", "eu-west-1a"}, [2]string{"g99z.xlarge", "eu-west-1-dub-1a"}, [2]string{"t9g.nano", "eu-west-1-dub-1a"}))
	r.says("DescribeInstanceTypes", typesPage("more", theType("g99z.xlarge", "x86_64", forSpot)), typesPage("", theType("m5.large", "arm64", ""), theType("t9g.nano", "arm64", forSpot)))
	list, err := r.Offerings(t.Context(), "eu-west-1")
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	want := catalog.Type{Name: "g99z.xlarge", VCPUs: 4, MemoryMiB: 16384, Arch: "x86_64", GPUs: 2, Current: true, Burstable: true, LocalNVMeGiB: 150, NetworkGbps: 12.5, MaxPods: 58}
	if list[0].Type != want || !slices.Equal(list[0].Zones, []string{"eu-west-1a", "eu-west-1b"}) || !list[0].Spot {
		t.Errorf("%+v", list[0])
	}
	if list[1].Arch != "arm64" || list[1].Spot || !slices.Equal(list[1].Zones, []string{"eu-west-1a"}) {
		t.Errorf("%+v", list[1])
	}
	r.clock.Advance(23 * time.Hour)
	if _, err := r.Offerings(t.Context(), "eu-west-1"); err != nil || r.count("DescribeInstanceTypes") != 2 {
		t.Errorf("%v, asked %d times within a day", err, r.count("DescribeInstanceTypes"))
	}
	r.clock.Advance(time.Hour)
	if _, err := r.Offerings(t.Context(), "eu-west-1"); err != nil || r.count("DescribeInstanceTypes") != 3 {
		t.Errorf("%v, asked %d times after a day", err, r.count("DescribeInstanceTypes"))
	}
}

func TestHalfAListOfOfferingsIsNoneAndTheCatalogueStaysAsItIs(t *testing.T) {
	r := record(t)
	facts := catalog.AWS().Copy()
	r.says("DescribeInstanceTypeOfferings", offeringsPage("", [2]string{"m5.large", "eu-west-1a"}))
	r.says("DescribeInstanceTypes", typesPage("more", theType("m5.large", "x86_64", forSpot)), "!UnauthorizedOperation")
	err := cloud.Learn(t.Context(), facts, r.Account, "eu-west-1")
	if refusal, is := errors.AsType[*cloud.Refusal](err); !is || refusal.Kind != cloud.Denied || facts.Edition() != 0 {
		t.Errorf("%v, edition %d", err, facts.Edition())
	}
}

func TestACatalogueLearnsWhatARegionSells(t *testing.T) {
	const small = "me-south-1" // of the server's regions one that sells little
	s := standOn(t)
	facts := catalog.AWS().Copy()
	if err := cloud.Learn(t.Context(), facts, s.Account, small); err != nil {
		t.Fatal(err)
	}
	sold, gone := 0, 0
	for _, offer := range facts.Offers(small, catalog.Linux) {
		embedded, known := catalog.AWS().Offer(small, catalog.Linux, offer.Type.Name)
		if len(offer.Zones) == 0 {
			gone++
		} else {
			sold++
		}
		if known && offer.Type != embedded.Type {
			t.Errorf("%+v was %+v", offer.Type, embedded.Type)
		}
	}
	if sold < 100 || gone > sold {
		t.Errorf("%d types are sold, %d are not", sold, gone)
	}
	if err := cloud.Learn(t.Context(), facts, nil, small); err != nil || facts.Edition() != 1 {
		t.Errorf("a provider that can't tell: %v", err)
	}
}
