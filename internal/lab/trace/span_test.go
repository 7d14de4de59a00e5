package trace_test

import (
	"testing"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

func TestTheSpanReachesFromTheFirstSeriesToTheLast(t *testing.T) {
	p := trace.Prices{Series: []trace.PriceSeries{
		{Points: []trace.PricePoint{price("2026-03-02T00:00:00Z", 1), price("2026-03-05T00:00:00Z", 1)}},
		{Points: []trace.PricePoint{price("2026-03-01T00:00:00Z", 1), price("2026-03-03T00:00:00Z", 1)}},
	}}
	if from, until := p.Span(); from != moment("2026-03-01T00:00:00Z") || until != moment("2026-03-05T00:00:00Z") {
		t.Errorf("%s to %s", from, until)
	}
	a := trace.Availability{Series: []trace.AvailabilitySeries{
		{Points: []trace.StatePoint{state("2026-03-02T00:00:00Z", true)}, Ends: moment("2026-03-03T00:00:00Z")},
		{Points: []trace.StatePoint{state("2026-03-01T00:00:00Z", true)}, Ends: moment("2026-03-02T00:00:00Z")},
	}}
	if from, until := a.Span(); from != moment("2026-03-01T00:00:00Z") || until != moment("2026-03-03T00:00:00Z") {
		t.Errorf("%s to %s", from, until)
	}
}
