package world

import (
	"math"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/money"
)

// usualShare is the usual spot price as a share of the list price where none is known: an assumption of ours, near the medians of AWS (0.30) and of Google
// Cloud (0.35).
const usualShare = 0.35

// fact is what is known of a type in a region that the catalogue does not sell, but that was recorded.
type fact struct {
	region, kind    string
	vcpus, class    int
	onDemand, usual money.Price
}

// facts are of types in the recorded traces of 2023.
//
// p3.2xlarge: its zones are no longer told, so that the catalogue leaves it out. List prices as of 2026-05-12, classes as of 2025-06-28. The usual price is not
// today's but that of the traces: it was $0.918 in every zone where it was recorded, in March 2021 and in April 2023.
//
// c3-highcpu-88, of Google Cloud: prices as of 2026-08-03. Google publishes no interruption classes.
func facts() []fact {
	return []fact{
		{"us-east-1", "p3.2xlarge", 8, 4, 3_060_000, 918_000},
		{"us-east-2", "p3.2xlarge", 8, 4, 3_060_000, 918_000},
		{"us-west-2", "p3.2xlarge", 8, 4, 3_060_000, 918_000},
		{"us-central1", "c3-highcpu-88", 88, -1, 3_742_288, 916_960},
		{"us-east1", "c3-highcpu-88", 88, -1, 3_742_288, 916_960},
	}
}

// known is what is known of a type in a region, and where its usual price comes from.
func known(region, kind string) (f fact, from Priced, ok bool) {
	if offer, sold := catalog.AWS().Offer(region, catalog.Linux, kind); sold {
		f = fact{region, kind, offer.Type.VCPUs, offer.Interruption, offer.OnDemand, offer.Spot}
	} else {
		for _, other := range facts() {
			if other.region == region && other.kind == kind {
				f = other
			}
		}
	}
	if f.onDemand == 0 {
		return f, "", false
	}
	if f.usual == 0 {
		f.usual = money.Price(math.Round(float64(f.onDemand) * usualShare))
		return f, PricedShare, true
	}
	return f, PricedUsual, true
}

// pool is one without prices and fates.
func (f fact) pool(p place) Pool {
	return Pool{Type: p.kind, Zone: p.zone, Region: p.region, Provider: p.provider, VCPUs: f.vcpus, OnDemand: f.onDemand, Usual: f.usual, Class: f.class}
}
