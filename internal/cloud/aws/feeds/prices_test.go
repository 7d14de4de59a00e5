package feeds_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

// historyPage is a page of spot prices: type, product, price, time, zone.
func historyPage(token string, rows ...[5]string) string {
	var items strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&items, `<item><instanceType>%s</instanceType><productDescription>%s</productDescription><spotPrice>%s</spotPrice><timestamp>%s</timestamp>`+
			`<availabilityZone>%s</availabilityZone></item>`, row[0], row[1], row[2], row[3], row[4])
	}
	return `<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><spotPriceHistorySet>` + items.String() +
		`</spotPriceHistorySet><nextToken>` + token + `</nextToken></DescribeSpotPriceHistoryResponse>`
}

// listedProduct is one product of the price list, in the shape that it has, prices of reservations left out.
func listedProduct(typ, system, region, price, from string) string {
	return `{"product":{"productFamily":"Compute Instance","attributes":{"enhancedNetworkingSupported":"Yes","memory":"8 GiB","vcpu":"2","capacitystatus":"Used",` +
		`"locationType":"AWS Region","storage":"EBS only","instanceFamily":"General purpose","operatingSystem":"` + system + `","regionCode":"` + region + `","tenancy":"Shared",` +
		`"marketoption":"OnDemand","preInstalledSw":"NA","licenseModel":"No License required","instanceType":"` + typ + `","operation":"RunInstances"},"sku":"ABC"},"serviceCode":"AmazonEC2",` +
		`"terms":{"OnDemand":{"ABC.JRTCKXETXF":{"priceDimensions":{"ABC.JRTCKXETXF.6YS6EN2CT7":{"unit":"Hrs","endRange":"Inf","description":"an hour","appliesTo":[],` +
		`"rateCode":"ABC.JRTCKXETXF.6YS6EN2CT7","beginRange":"0","pricePerUnit":{"USD":"` + price + `"}}},"sku":"ABC","effectiveDate":"` + from + `","offerTermCode":"JRTCKXETXF","termAttributes":{}}}},` +
		`"version":"20261101000000","publicationDate":"2026-11-01T00:00:00Z"}`
}

func listPage(token string, products ...string) string {
	var list []string
	for _, p := range products {
		list = append(list, quoted(p))
	}
	next := ""
	if token != "" {
		next = `,"NextToken":` + quoted(token)
	}
	return `{"FormatVersion":"aws_v1","PriceList":[` + strings.Join(list, ",") + `]` + next + `}`
}

func (r *recorded) prices(t *testing.T, region string) map[cloud.Market]cloud.Price {
	t.Helper()
	list, err := r.Prices(t.Context(), region)
	if err != nil {
		t.Fatal(err)
	}
	by := map[cloud.Market]cloud.Price{}
	for _, p := range list {
		if _, twice := by[p.Market]; twice {
			t.Errorf("told twice: %+v", p)
		}
		by[p.Market] = p
	}
	return by
}

func market(typ, zone, product string, lifecycle cloud.Lifecycle) cloud.Market {
	return cloud.Market{Region: "eu-west-1", Zone: zone, Type: typ, Product: product, Lifecycle: lifecycle}
}

func TestSpotPricesComeFromAllPagesInBothSpellingsAndTheNewestCounts(t *testing.T) {
	r := record(t)
	r.says("GetProducts", denied)
	r.says("DescribeSpotPriceHistory",
		historyPage("more", [5]string{"m5.large", "Linux/UNIX", "0.0381", "2026-11-22T08:00:00.000Z", "eu-west-1a"}, [5]string{"m5.large", "Linux/UNIX (Amazon VPC)", "0.0399", "2026-11-22T09:00:00.000Z", "eu-west-1a"}),
		historyPage("", [5]string{"m99z.large", "Linux/UNIX", "0.02", "2026-11-22T12:00:07.000Z", "eu-west-1b"},
			[5]string{"m5.large", "Linux/UNIX", "free", "2026-11-22T08:00:00.000Z", "eu-west-1b"}, [5]string{"m5.large", "Linux/UNIX", "0.0000001", "2026-11-22T08:00:00.000Z", "eu-west-1c"},
			[5]string{"m5.large", "Linux/UNIX", "0.0381", "2026-11-22T08:00:00.000Z", "eu-west-1-dub-1a"}, [5]string{"m5.large", "Plan 9", "0.0381", "2026-11-22T08:00:00.000Z", "eu-west-1a"}),
		historyPage("", [5]string{"m5.large", "Windows", "0.13", "2026-11-22T08:00:00.000Z", "eu-west-1a"}),
		historyPage(""))
	got := r.prices(t, "eu-west-1")
	want := map[cloud.Market]cloud.Price{
		market("m5.large", "eu-west-1a", catalog.Linux, cloud.Spot):   {Price: 39_900, From: noon.Add(-3 * time.Hour)},
		market("m99z.large", "eu-west-1b", catalog.Linux, cloud.Spot): {Price: 20_000, From: noon}, // AWS's clock is seven seconds ahead
		market("m5.large", "eu-west-1a", catalog.Windows, cloud.Spot): {Price: 130_000, From: noon.Add(-4 * time.Hour)},
		market("m5.large", "eu-west-1b", catalog.Linux, cloud.Spot):   {From: noon.Add(-4 * time.Hour)}, // no number
		market("m5.large", "eu-west-1c", catalog.Linux, cloud.Spot):   {From: noon.Add(-4 * time.Hour)}, // nothing
	}
	for in, p := range want {
		if got[in].Price != p.Price || !got[in].From.Equal(p.From) {
			t.Errorf("%s: %+v, want %+v", in.PoolKey(), got[in], p)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%+v", got)
	}
}

func TestSpotPricesAreRememberedAndAFailureLosesNothing(t *testing.T) {
	r := record(t)
	r.says("GetProducts", denied)
	page := historyPage("", [5]string{"m5.large", "Linux/UNIX", "0.0381", "2026-11-22T08:00:00.000Z", "eu-west-1a"})
	r.says("DescribeSpotPriceHistory", page, historyPage(""), "!UnauthorizedOperation")
	_, err := r.Prices(t.Context(), "eu-west-1")
	if refusal, is := errors.AsType[*cloud.Refusal](err); !is || refusal.Kind != cloud.Denied || r.count("DescribeSpotPriceHistory") != 3 {
		t.Fatalf("%v after %d calls", err, r.count("DescribeSpotPriceHistory"))
	}
	r.says("DescribeSpotPriceHistory", historyPage(""))
	if got := r.prices(t, "eu-west-1"); len(got) != 1 || r.count("DescribeSpotPriceHistory") != 5 {
		t.Errorf("%d prices after %d calls: the products that were read are read again", len(got), r.count("DescribeSpotPriceHistory"))
	}
	r.clock.Advance(4 * time.Minute)
	r.prices(t, "eu-west-1")
	if calls := r.count("DescribeSpotPriceHistory"); calls != 5 {
		t.Errorf("%d calls within five minutes", calls)
	}
	r.clock.Advance(time.Minute)
	if got := r.prices(t, "eu-west-1"); len(got) != 0 || r.count("DescribeSpotPriceHistory") != 9 {
		t.Errorf("%d prices after %d calls: what AWS does not tell any more is still told", len(got), r.count("DescribeSpotPriceHistory"))
	}
}

func TestThePriceListIsReadAFewPagesAtATimeOnceADay(t *testing.T) {
	r := record(t)
	r.says("DescribeSpotPriceHistory", historyPage(""))
	old, future := "2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z"
	r.says("GetProducts",
		listPage("2", listedProduct("m5.large", "Linux", "eu-west-1", "0.1070000000", old), listedProduct("m6.large", "Linux", "eu-west-1", "0.2", future), "no JSON"),
		listPage("3", listedProduct("m99z.large", "Linux", "eu-west-1", "0.1", "2026-11-01T00:00:00Z"), listedProduct("m5.large", "Linux", "us-east-1", "0.9", old)),
		listPage("", listedProduct("c5.large", "Linux", "eu-west-1", "0.0000000000", old), listedProduct("m5.large", "RHEL", "eu-west-1", "0.9", old)),
		listPage("5", listedProduct("m5.large", "Windows", "eu-west-1", "0.199", old)),
		listPage("", listedProduct("c5.large", "Windows", "eu-west-1", "0.2", old)),
		listPage(""), listPage("", listedProduct("m5.large", "RHEL", "eu-west-1", "0.15", old)))
	first := r.prices(t, "eu-west-1")
	if len(first) != 2 || r.count("GetProducts") != 4 {
		t.Errorf("%d pages gave %+v", r.count("GetProducts"), first)
	}
	if p := first[market("m99z.large", "", catalog.Linux, cloud.OnDemand)]; p.Price != 100_000 || p.From.Format(time.DateOnly) != "2026-11-01" {
		t.Errorf("%+v", p)
	}
	second := r.prices(t, "eu-west-1")
	for in, price := range map[cloud.Market]money.Price{
		market("m5.large", "", catalog.Linux, cloud.OnDemand): 107_000, market("m5.large", "", catalog.Windows, cloud.OnDemand): 199_000,
		market("c5.large", "", catalog.Windows, cloud.OnDemand): 200_000, market("m5.large", "", catalog.RHEL, cloud.OnDemand): 150_000,
	} {
		if second[in].Price != price {
			t.Errorf("%s: %+v, want %s", in.PoolKey(), second[in], price)
		}
	}
	if len(second) != 5 || r.count("GetProducts") != 7 {
		t.Errorf("%d pages gave %d prices", r.count("GetProducts"), len(second))
	}
	r.clock.Advance(23 * time.Hour)
	if r.prices(t, "eu-west-1"); r.count("GetProducts") != 7 {
		t.Error("the list is read again within a day")
	}
	r.clock.Advance(time.Hour)
	if again := r.prices(t, "eu-west-1"); r.count("GetProducts") != 11 || len(again) != 1 {
		t.Errorf("on the next day %d pages gave %+v", r.count("GetProducts"), again)
	}
	if ask := r.asked["GetProducts"][1]; !strings.Contains(ask, `"NextToken":"2"`) || !strings.Contains(ask, "regionCode") || !strings.Contains(ask, `"Linux"`) {
		t.Errorf("asked %s", ask)
	}
}

func TestWithoutAPriceListTheSpotPricesAreToldAllTheSame(t *testing.T) {
	r := record(t)
	r.says("DescribeSpotPriceHistory", historyPage("", [5]string{"m5.large", "Linux/UNIX", "0.0381", "2026-11-22T08:00:00.000Z", "eu-west-1a"}), historyPage(""))
	r.says("GetProducts", "!com.amazonaws.pricing#ExpiredNextTokenException", denied)
	for range 3 {
		if got := r.prices(t, "eu-west-1"); len(got) != 1 {
			t.Fatalf("%+v", got)
		}
		r.clock.Advance(time.Minute)
		r.says("DescribeSpotPriceHistory", historyPage("", [5]string{"m5.large", "Linux/UNIX", "0.0381", "2026-11-22T08:00:00.000Z", "eu-west-1a"}), historyPage(""))
	}
	if calls := r.count("GetProducts"); calls != 1 {
		t.Errorf("a list that fails is asked %d times within three minutes", calls)
	}
	r.clock.Advance(5 * time.Minute)
	r.prices(t, "eu-west-1")
	r.clock.Advance(12 * time.Hour)
	r.prices(t, "eu-west-1")
	if calls := r.count("GetProducts"); calls != 2 {
		t.Errorf("a list that is denied is asked %d times within half a day", calls)
	}
	if complaints := strings.Count(r.log.String(), "pricing:GetProducts"); complaints != 1 {
		t.Errorf("%d complaints: %s", complaints, r.log)
	}
	r.prices(t, "cn-north-1")
	if r.count("GetProducts") != 2 {
		t.Error("China's prices are asked for in another partition")
	}
}
