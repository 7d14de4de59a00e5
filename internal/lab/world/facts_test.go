package world

import (
	"testing"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/money"
)

func TestEveryTypeWithAListPriceHasAUsualSpotPrice(t *testing.T) {
	byPriced := map[Priced]int{}
	for _, offer := range catalog.AWS().Offers("us-east-1", catalog.Linux) {
		f, from, ok := known("us-east-1", offer.Type.Name)
		byPriced[from]++
		want := offer.Spot
		if from == PricedShare {
			want = money.Price(float64(offer.OnDemand)*usualShare + 0.5)
		}
		if !ok || f.usual != want || f.usual <= 0 || f.onDemand != offer.OnDemand || f.vcpus != offer.Type.VCPUs {
			t.Errorf("%s: %+v, %s", offer.Type.Name, f, from)
		}
	}
	if byPriced[PricedUsual] < 100 || byPriced[PricedShare] == 0 {
		t.Errorf("pools by what their usual price is: %v", byPriced)
	}
}

func TestFactsAreOfTypesThatTheCatalogueLacks(t *testing.T) {
	for _, f := range facts() {
		if _, sold := catalog.AWS().Offer(f.region, catalog.Linux, f.kind); sold {
			t.Errorf("%s in %s is in the catalogue; its facts here are never used", f.kind, f.region)
		}
		if got, from, ok := known(f.region, f.kind); !ok || from != PricedUsual || got != f {
			t.Errorf("%s in %s: %+v, %s", f.kind, f.region, got, from)
		}
	}
	if _, _, ok := known("us-east-1", "z9.gigantic"); ok {
		t.Error("z9.gigantic is known")
	}
}
