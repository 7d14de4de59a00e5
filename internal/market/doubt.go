package market

import (
	"cmp"
	"fmt"

	"github.com/neap-cloud/neap/internal/cloud"
)

// A feed that tells absurd prices is not believed [all figures ours]. A single absurd price is left out; where many are, the whole feed is, the last good
// prices stay, and no voluntary move is made until the feed makes sense again. After freshFor without a believable word its prices are stale anyway, and whatever
// level it then tells is taken for the new one.
const (
	absurdTimes   = 10 // more than so many times the on-demand list price, or a change by so much at once
	absurdPercent = 20 // of the prices told: more than so many, and none is believed
)

// isAbsurd tells a price that no market has, by the catalogue, or else by what the feed told of on demand. The lock is held.
func (f *feed) isAbsurd(m *Market, p cloud.Price) bool {
	if p.Price <= 0 {
		return true
	}
	offer, _ := m.facts(f.key.provider).Offer(p.Market.Region, p.Market.Product, p.Market.Type)
	list := cmp.Or(offer.OnDemand, f.quotes[everywhere(p.Market)].Price)
	return list > 0 && p.Price > absurdTimes*list
}

// doubt says why a feed is not believed, "" when it is. The lock is held.
func (f *feed) doubt(m *Market, told []cloud.Price, isFresh bool) string {
	absurd, leaps := 0, 0
	for _, p := range told {
		if f.isAbsurd(m, p) {
			absurd++
			continue
		}
		before, known := f.quotes[p.Market]
		if known && isFresh && (p.Price > absurdTimes*before.Price || p.Price*absurdTimes < before.Price) {
			leaps++
		}
	}
	switch {
	case absurd*100 > len(told)*absurdPercent:
		return fmt.Sprintf("%d of %d prices are not above zero, or more than %d times the list price", absurd, len(told), absurdTimes)
	case leaps*100 > len(told)*absurdPercent:
		return fmt.Sprintf("%d of %d prices changed more than %d times at once", leaps, len(told), absurdTimes)
	}
	return ""
}

// believable is a feed without its absurd prices. The lock is held.
func (f *feed) believable(m *Market, told []cloud.Price) []cloud.Price {
	list := make([]cloud.Price, 0, len(told))
	for _, p := range told {
		if !f.isAbsurd(m, p) {
			list = append(list, p)
		}
	}
	return list
}
