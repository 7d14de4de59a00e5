package survey

import (
	"regexp"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

func pageOf(t *testing.T, r Report) string {
	t.Helper()
	var out strings.Builder
	if err := r.Page(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestThePageTellsTheTotalsAndUnfoldsEveryGroup(t *testing.T) {
	a := newAccount()
	a.group("web", onDemandOnly, []string{"m5.large"}, twoZones, 4, 0)
	a.group("idle", onDemandOnly, []string{"m5.large"}, twoZones, 0, 0)
	a.instance("m5.large", "us-east-1a", cloud.Spot)
	a.Gaps = []Gap{{Region: region, Needs: []string{"ec2:DescribeSpotPriceHistory"}, Reason: "no", LeftOut: "Today's prices."}}
	r := a.survey(sold(catalogue))
	text := pageOf(t, r)
	for _, wanted := range []string{
		dollars(r.Total.SavingNow.Month, 2), dollars(r.Total.OnDemand.Month, 2), r.Groups[0].Why[0][:20], "1 instances in no group", "It takes ec2:DescribeSpotPriceHistory",
		"1 of the groups stand on the catalogue", "4 → 0", `<details class="group">`,
	} {
		if !strings.Contains(text, wanted) {
			t.Errorf("the page lacks %q", wanted)
		}
	}
}

func TestThePageNeedsNothingFromElsewhereAndRunsNothing(t *testing.T) {
	text := pageOf(t, newAccount().survey(sold(live)))
	if found := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|https?:|url\(|@import| on[a-z]+=`).FindString(text); found != "" {
		t.Errorf("the page has %q", found)
	}
	if !strings.Contains(text, "default-src 'none'") || !strings.Contains(text, "There is no scaling group here") {
		t.Error(text)
	}
}

func TestNamesCannotBreakOutOfThePage(t *testing.T) {
	const nasty = `"><script>alert(1)</script>{{.}}`
	a := newAccount()
	g := a.group(nasty, onDemandOnly, []string{"m5.large", nasty}, append(twoZones, nasty), 2, 0)
	g.Mix.Strategy = nasty
	g.Suspended = []string{nasty}
	g.Members = append(g.Members, cloud.ScalingMember{Instance: nasty})
	a.instance("m5.large", "us-east-1a", cloud.OnDemand)
	a.Instances[len(a.Instances)-1].Tags = map[string]string{"Name": nasty}
	a.Gaps = []Gap{{Region: nasty, Needs: []string{nasty}, Reason: nasty, LeftOut: nasty}}
	if text := pageOf(t, a.survey(sold(live))); strings.Contains(text, "<script") || strings.Count(text, "&lt;script&gt;") < 8 {
		t.Errorf("%d times escaped", strings.Count(text, "&lt;script&gt;"))
	}
}

func TestDollarsAreRoundedAndSetApart(t *testing.T) {
	for p, want := range map[money.Price]string{0: "$0.00", 4_999: "$0.00", 5_000: "$0.01", 1_234_567_890: "$1,234.57", 999_995_000: "$1,000.00", -2_500_000: "−$2.50", 12_345_678_000_000: "$12,345,678.00"} {
		if got := dollars(p, 2); got != want {
			t.Errorf("%d: %s, not %s", p, got, want)
		}
	}
	if got := dollars(70_622, 4); got != "$0.0706" {
		t.Error(got)
	}
}
