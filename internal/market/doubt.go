package market

import (
	"cmp"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

// A feed that tells absurd prices is not believed [all figures ours]. A single absurd price is left out; where many are, the whole feed is, the last good
// prices stay, and no voluntary move is made until the feed makes sense again. After freshFor without a believable word its prices are stale anyway, and whatever
// level it then tells is taken for the new one.
const (
	absurdTimes   = 10 // more than so many times the on-demand list price; or a change by so much at once, or in small steps within a day
	absurdPart    = 50 // less than this part of the list price: clouds give discounts of up to 90 %, a tenth
	absurdPercent = 20 // of the prices told: more than so many, and none is believed
)

// suspicion is what is wrong with what a feed told last. It stands in the region's head, so that every replica knows.
type suspicion struct {
	Doubt   string `json:"doubt,omitempty"`   // why nothing of it was believed
	LeftOut string `json:"leftOut,omitempty"` // how many single prices were not believed, and one of them
}

// anchors are the prices from which a feed may move, slowly or at once, by less than absurdTimes within a day. Each process has its own.
type anchors struct {
	since  time.Time
	prices map[cloud.Market]money.Price
}

// judge tells which of a feed's prices are believed: none, when there is a doubt. The lock is held.
func (f *feed) judge(m *Market, told []cloud.Price, now time.Time) (believed []cloud.Price, s suspicion) {
	isFresh := !f.isStale(now)
	if !isFresh || now.Sub(f.anchors.since) > freshFor || now.Before(f.anchors.since) {
		f.anchors = anchors{since: now, prices: make(map[cloud.Market]money.Price, len(told))}
	}
	believed = make([]cloud.Price, 0, len(told))
	var absurd cloud.Price // the first of them by its pool
	leaps := 0
	for _, p := range told {
		if f.isAbsurd(m, p) {
			if absurd.Market.Type == "" || p.Market.PoolKey() < absurd.Market.PoolKey() {
				absurd = p
			}
			continue
		}
		if isFresh && f.leaps(p) {
			leaps++
		}
		if p.From.After(now.Add(freshFor)) {
			p.From = now // a date far ahead would keep out every price before it
		}
		believed = append(believed, p)
	}
	out := len(told) - len(believed)
	switch {
	case out*100 > len(told)*absurdPercent:
		return nil, suspicion{Doubt: fmt.Sprintf("%d of %d prices are not above zero, more than %d times the list price, or less than a %dth of it", out, len(told), absurdTimes, absurdPart)}
	case leaps*100 > len(told)*absurdPercent:
		return nil, suspicion{Doubt: fmt.Sprintf("%d of %d prices changed more than %d times, at once or within a day", leaps, len(told), absurdTimes)}
	case out > 0:
		s.LeftOut = fmt.Sprintf("%d of %d prices, such as %s for %s", out, len(told), absurd.Price, absurd.Market.PoolKey())
	}
	f.anchor(believed)
	return believed, s
}

// isAbsurd tells a price that no market has, by the catalogue, or else by what the feed told of on demand. The lock is held.
func (f *feed) isAbsurd(m *Market, p cloud.Price) bool {
	if p.Price <= 0 {
		return true
	}
	offer, _ := m.facts(f.key.provider).Offer(p.Market.Region, p.Market.Product, p.Market.Type)
	list := cmp.Or(offer.OnDemand, f.quotes[everywhere(p.Market)].Price)
	return list > 0 && (p.Price/absurdTimes > list || p.Price < list/absurdPart)
}

// leaps reports whether a price is too far from the last one, or from where it was when the day began. The lock is held.
func (f *feed) leaps(p cloud.Price) bool {
	for _, before := range []money.Price{f.quotes[p.Market].Price, f.anchors.prices[p.Market]} {
		if before > 0 && (p.Price/absurdTimes > before || p.Price < before/absurdTimes) {
			return true
		}
	}
	return false
}

// anchor notes where the prices that are new today began. The lock is held.
func (f *feed) anchor(believed []cloud.Price) {
	for _, p := range believed {
		if _, known := f.anchors.prices[p.Market]; !known {
			f.anchors.prices[p.Market] = p.Price
		}
	}
}
