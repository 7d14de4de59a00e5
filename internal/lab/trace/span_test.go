package trace_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

// holding looks from the first point to the last, as a reader of the file would; ok is false before the first.
func holding(points []trace.PricePoint, t time.Time) (p trace.PricePoint, ok bool) {
	for _, point := range points {
		if !point.At.After(t) {
			p, ok = point, true
		}
	}
	return p, ok
}

func holdingState(points []trace.StatePoint, t time.Time) (p trace.StatePoint, ok bool) {
	for _, point := range points {
		if !point.At.After(t) {
			p, ok = point, true
		}
	}
	return p, ok
}

func drawSpan(r *rapid.T, first, last time.Time) (from, until time.Time) {
	draw := func(name string) time.Time {
		return first.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(last.Sub(first)+time.Hour)).Draw(r, name)))
	}
	return draw("from"), draw("until")
}

func TestAPriceIsTheSameBeforeAndAfterCutting(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		whole := drawPrices(r)
		whole.Series = whole.Series[:1]
		points := whole.Series[0].Points
		from, until := drawSpan(r, points[0].At, points[len(points)-1].At)
		part := whole.Cut(from, until)
		if len(part.Series) == 0 {
			if from.Before(until) && points[0].At.Before(until) {
				r.Fatalf("nothing is left between %s and %s of %+v", from, until, points)
			}
			return
		}
		kept := part.Series[0].Points
		if kept[0].At.Before(from) || !kept[len(kept)-1].At.Before(until) {
			r.Fatalf("%+v reaches beyond %s to %s", kept, from, until)
		}
		moments := []time.Time{from, until.Add(-1)}
		for _, p := range append(slices.Clone(points), kept...) {
			if !p.At.Before(from) && p.At.Before(until) {
				moments = append(moments, p.At)
			}
		}
		for _, at := range moments {
			want, wantOK := holding(points, at)
			if got, ok := holding(kept, at); ok != wantOK || got.Price != want.Price {
				r.Fatalf("at %s: %v, whole %v", at, got, want)
			}
		}
	})
}

func TestAStateIsTheSameBeforeAndAfterCutting(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		whole := drawAvailability(r)
		whole.Series = whole.Series[:1]
		s := whole.Series[0]
		from, until := drawSpan(r, s.Points[0].At, s.Ends)
		part := whole.Cut(from, until)
		if len(part.Series) == 0 {
			if from.Before(until) && from.Before(s.Ends) && s.Points[0].At.Before(until) {
				r.Fatalf("nothing is left between %s and %s of %+v", from, until, s)
			}
			return
		}
		kept := part.Series[0]
		if kept.Points[0].At.Before(from) || kept.Ends.After(until) || kept.Ends.After(s.Ends) || !kept.Ends.After(from) {
			r.Fatalf("%+v reaches beyond %s to %s", kept, from, until)
		}
		for _, p := range append(slices.Clone(s.Points), kept.Points...) {
			if p.At.Before(from) || !p.At.Before(until) {
				continue
			}
			want, wantOK := holdingState(s.Points, p.At)
			if got, ok := holdingState(kept.Points, p.At); ok != wantOK || got.Up != want.Up {
				r.Fatalf("at %s: %v, whole %v", p.At, got, want)
			}
			costs, told := holding(s.Prices, p.At)
			if got, ok := holding(kept.Prices, p.At); ok != told || got.Price != costs.Price {
				r.Fatalf("at %s: %v, whole %v", p.At, got, costs)
			}
		}
	})
}

func TestCuttingLeavesTheWholeAsItWas(t *testing.T) {
	points := []trace.PricePoint{price("2026-03-01T00:00:00Z", 1), price("2026-03-02T00:00:00Z", 2)}
	whole := trace.Prices{Series: []trace.PriceSeries{{Points: points}}}
	part := whole.Cut(moment("2026-03-01T12:00:00Z"), moment("2026-03-02T00:00:00Z"))
	if want := []trace.PricePoint{price("2026-03-01T12:00:00Z", 1)}; !reflect.DeepEqual(part.Series[0].Points, want) {
		t.Errorf("%+v", part.Series[0].Points)
	}
	if points[0] != price("2026-03-01T00:00:00Z", 1) {
		t.Errorf("the whole has become %+v", points)
	}
}

func TestSeriesAreSelectedByTypeZoneAndRegion(t *testing.T) {
	p := trace.Prices{Series: []trace.PriceSeries{
		{Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large"}, {Region: "us-east-1", Zone: "us-east-1b", Type: "m5.large"},
		{Region: "us-west-2", Zone: "us-west-2a", Type: "c5.large"}, {Region: "us-east-1", Type: "m5.large"},
	}}
	a := trace.Availability{}
	for _, s := range p.Series {
		a.Series = append(a.Series, trace.AvailabilitySeries{Region: s.Region, Zone: s.Zone, Type: s.Type})
	}
	for _, c := range []struct {
		filter trace.Filter
		want   int
	}{
		{trace.Filter{}, 4},
		{trace.Filter{Types: []string{"m5.large", "c5.large"}}, 4},
		{trace.Filter{Types: []string{"c5.large"}}, 1},
		{trace.Filter{Zones: []string{"us-east-1a", "us-west-2a"}}, 2},
		{trace.Filter{Regions: []string{"us-east-1"}}, 3},
		{trace.Filter{Regions: []string{"us-east-1"}, Zones: []string{"us-east-1b"}, Types: []string{"m5.large"}}, 1},
		{trace.Filter{Types: []string{"c5.large"}, Zones: []string{"us-east-1a"}}, 0},
	} {
		if got := len(p.Select(c.filter).Series); got != c.want {
			t.Errorf("%+v selects %d price series, want %d", c.filter, got, c.want)
		}
		if got := len(a.Select(c.filter).Series); got != c.want {
			t.Errorf("%+v selects %d measurements, want %d", c.filter, got, c.want)
		}
	}
	if len(p.Series) != 4 || len(a.Series) != 4 {
		t.Error("selecting has changed the whole")
	}
}

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
