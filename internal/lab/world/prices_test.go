package world

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/money"
)

// day is a moment so many days after the worlds of the tests begin.
func day(days float64) time.Time {
	return began.Add(time.Duration(days * 24 * float64(time.Hour)))
}

// series are prices that begin and end on given days.
func series(zone, kind string, first, last float64) trace.PriceSeries {
	return trace.PriceSeries{Provider: "aws", Region: "us-east-1", Zone: zone, Type: kind, Points: []trace.PricePoint{{At: day(first), Price: 50_000}, {At: day(last), Price: 60_000}}}
}

func TestSeriesThatCannotServeTheWorldAreCountedWithTheReason(t *testing.T) {
	wide := series("", "m5.xlarge", 0, 3)
	w, err := FromPrices(trace.Prices{Name: "p", Series: []trace.PriceSeries{
		series("us-east-1a", "m5.xlarge", 0, 30), series("us-east-1b", "m5.xlarge", 0.9, 23.1), wide,
		series("us-east-1c", "m5.xlarge", 1.1, 30), series("us-east-1c", "m6i.xlarge", 2, 30),
		series("us-east-1d", "m5.xlarge", 0, 22.9), series("us-east-1d", "z9.gigantic", 0, 30),
	}}, Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var zones []string
	for _, p := range w.Pools {
		zones = append(zones, p.Zone)
		if p.Type != "m5.xlarge" || p.VCPUs != 4 || p.OnDemand != 192_000 || p.Usual != 69_860 || p.Class != 4 || p.Priced != PricedRecorded || p.Fates == nil {
			t.Errorf("pool %+v", p)
		}
	}
	if got := strings.Join(zones, " "); got != "us-east-1 us-east-1a us-east-1b" {
		t.Errorf("pools in %s", got)
	}
	for n, want := range []LeftOut{{leftLate, 2, "m5.xlarge us-east-1c"}, {leftEarly, 1, "m5.xlarge us-east-1d"}, {leftUnknown, 1, "z9.gigantic us-east-1d"}} {
		if w.LeftOut[n] != want {
			t.Errorf("left out: %+v, want %+v", w.LeftOut[n], want)
		}
	}
	if !w.From.Equal(day(0)) || !w.Until.Equal(day(30)) || w.Notice != 2*time.Minute || w.Boot != time.Minute || w.Recorded || w.Simulated {
		t.Errorf("world %+v", w)
	}
}

func TestAWorldIsTheAskedPartOfItsRecording(t *testing.T) {
	recording := trace.Prices{Name: "p", Simulated: true, Series: []trace.PriceSeries{
		series("us-east-1a", "m5.xlarge", 0, 30), series("us-east-1b", "m5.xlarge", 0, 30), series("us-east-1a", "c5.xlarge", 0, 30),
		{Provider: "aws", Region: "us-west-2", Zone: "us-west-2a", Type: "m5.xlarge", Points: series("", "", 0, 30).Points},
	}}
	for _, c := range []struct {
		name    string
		options Options
		pools   int
		wrong   string // part of the error
	}{
		{"several regions", Options{}, 0, "more than one region; name one of us-east-1, us-west-2"},
		{"one region", Options{Region: "us-east-1"}, 3, ""},
		{"all regions", Options{Region: AllRegions}, 4, ""},
		{"no such region", Options{Region: "mars-1"}, 0, `no region "mars-1", but us-east-1, us-west-2`},
		{"one type", Options{Region: "us-east-1", Types: []string{"m5.xlarge"}}, 2, ""},
		{"one type in one zone", Options{Region: "us-east-1", Types: []string{"m5.xlarge"}, Zones: []string{"us-east-1b"}}, 1, ""},
		{"a type elsewhere", Options{Region: "us-west-2", Types: []string{"c5.xlarge"}}, 0, `no type "c5.xlarge" in the region, but m5.xlarge`},
		{"no such zone", Options{Region: "us-west-2", Zones: []string{"us-east-1a"}}, 0, `no zone "us-east-1a"`},
		{"a part of the time", Options{Region: "us-east-1", From: day(1), Until: day(29.5)}, 3, ""},
		{"an early time", Options{Region: "us-east-1", From: day(-1)}, 0, "2026-05-12 00:00 to 2026-06-11 00:00, and a world from 2026-05-11 00:00"},
		{"a late time", Options{Region: "us-east-1", Until: day(31)}, 0, "has to begin before it ends, and to lie inside"},
		{"no time", Options{Region: "us-east-1", From: day(2), Until: day(2)}, 0, "has to begin before it ends"},
	} {
		w, err := FromPrices(recording, c.options)
		switch {
		case c.wrong == "" && (err != nil || len(w.Pools) != c.pools || !w.Simulated):
			t.Errorf("%s: %d pools, %v", c.name, len(w.Pools), err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v, want %q", c.name, err, c.wrong)
		}
	}
	if _, err := FromPrices(trace.Prices{Name: "p", Series: []trace.PriceSeries{series("us-east-1a", "z9.gigantic", 0, 30)}}, Options{}); err == nil || !strings.Contains(err.Error(), "1 are of a type that no catalogue here lists in the region (z9.gigantic us-east-1a)") {
		t.Errorf("a world without pools: %v", err)
	}
	if _, err := FromPrices(trace.Prices{Name: "p"}, Options{}); err == nil || !strings.Contains(err.Error(), "no series") {
		t.Errorf("an empty recording: %v", err)
	}
}

func TestAPriceHoldsUntilTheNextOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) trace.PricePoint {
			return trace.PricePoint{At: began.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "minute")) * time.Minute), Price: money.Price(rapid.IntRange(1, 4).Draw(t, "price"))}
		}), 1, 40, func(p trace.PricePoint) int64 { return p.At.Unix() }).Draw(t, "points")
		sortByTime(points)
		from := points[0].At.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "from")) * time.Minute)
		w := World{From: from, Until: from.Add(500 * time.Minute)}
		w.Pools = []Pool{{Prices: w.changes(points)}, {Prices: []Change{{At: from, Price: 7}}}}
		for at := from; at.Before(w.Until); at = at.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "step")) * time.Minute) {
			want := points[0].Price
			for _, p := range points {
				if !p.At.After(at) {
					want = p.Price
				}
			}
			if got := w.Pools[0].PriceAt(at); got != want || w.Pools[1].PriceAt(at) != 7 {
				t.Fatalf("at %s: %v, want %v", at, got, want)
			}
		}
		for n, c := range w.Pools[0].Prices {
			if n > 0 && c.Price == w.Pools[0].Prices[n-1].Price {
				t.Fatalf("change %d changes nothing", n)
			}
		}
	})
}
