package survey

import (
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
)

func tableOf(t *testing.T, r Report, wide, why bool) string {
	t.Helper()
	var out strings.Builder
	if err := r.Table(&out, wide, why); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheTableTellsItsBaselineAndWhatItDoesNotCover(t *testing.T) {
	a := newAccount()
	g := a.group("web\n\tb", onDemandOnly, []string{"m5.large"}, twoZones, 4, 0)
	g.Members = append(g.Members, cloud.ScalingMember{Instance: "i-unseen"})
	a.instance("m5.large", "us-east-1a", cloud.Spot)
	a.Managed = 2
	a.Instances = append(a.Instances, cloud.Instance{ID: "i-stopped", State: cloud.Stopped})
	a.Gaps = []Gap{{Region: region, Needs: []string{"ec2:DescribeSpotPriceHistory"}, Reason: "Denied.", LeftOut: "Today's prices."}}
	r := a.survey(sold(catalogue))
	text := tableOf(t, r, false, false)
	for _, wanted := range []string{
		"web b  us-east-1  4          4 -> 0", "  catalogue    ", "against the same instances all on demand at list price, " + r.Total.OnDemand.aMonth(), "1 of the groups stand on the catalogue's spot prices",
		"Not in these figures: 1 instances in no group", "Not in these figures: 1 members", "Not in these figures: 2 instances that a Neap", "Not in these figures: 1 instances that are stopped",
		"Left out in us-east-1: Today's prices.\n  Denied. It takes ec2:DescribeSpotPriceHistory.",
	} {
		if !strings.Contains(text, wanted) {
			t.Errorf("%q is missing in\n%s", wanted, text)
		}
	}
	text = tableOf(t, r, true, true)
	for _, wanted := range []string{"BASELINE/MONTH", "why: In place of", "note: ", "left out: i-unseen", "LIST-PRICE", "with Neap:"} {
		if !strings.Contains(text, wanted) {
			t.Errorf("%q is missing in\n%s", wanted, text)
		}
	}
}

func TestTheTableOfNothingSaysSo(t *testing.T) {
	if text := tableOf(t, newAccount().survey(sold(live)), false, false); text != "No scaling group was found in us-east-1.\n" {
		t.Errorf("%q", text)
	}
}
