package trace_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/money"
)

// places are zones of every cloud with their provider and region.
func places() [][3]string {
	return [][3]string{
		{"aws", "us-east-1", "us-east-1a"}, {"aws", "us-gov-west-1", "us-gov-west-1b"}, {"aws", "us-west-2", "us-west-2-lax-1a"},
		{"gcp", "us-central1", "us-central1-a"}, {"gcp", "northamerica-northeast2", "northamerica-northeast2-c"},
		{"azure", "eastus", "eastus-1"}, {"azure", "westus3", "westus3-3"},
	}
}

func drawPrice(r *rapid.T) money.Price {
	return money.Price(rapid.Int64Range(1, 100_000_000_000).Draw(r, "price"))
}

// drawTimes are moments that go on, some of them within a second.
func drawTimes(r *rapid.T, least int) []time.Time {
	at := time.Unix(rapid.Int64Range(946_684_800, 4_000_000_000).Draw(r, "start"), 0).UTC()
	var times []time.Time
	for _, step := range rapid.SliceOfN(rapid.Int64Range(1, int64(90*24*time.Hour)), least, 12).Draw(r, "steps") {
		if step > int64(time.Hour) {
			step -= step % int64(time.Second)
		}
		at = at.Add(time.Duration(step))
		times = append(times, at)
	}
	return times
}

func drawPoints(r *rapid.T) (points []trace.PricePoint) {
	for _, at := range drawTimes(r, 1) {
		points = append(points, trace.PricePoint{At: at, Price: drawPrice(r)})
	}
	return points
}

func drawPrices(r *rapid.T) trace.Prices {
	p := trace.Prices{Name: "x.csv", Simulated: rapid.Bool().Draw(r, "simulated")}
	for n := range rapid.IntRange(1, 6).Draw(r, "series") {
		where := rapid.SampledFrom(places()).Draw(r, "place")
		p.Series = append(p.Series, trace.PriceSeries{Provider: where[0], Region: where[1], Zone: where[2], Type: fmt.Sprintf("m%d.large", n), Points: drawPoints(r)})
	}
	return p
}

func drawAvailability(r *rapid.T) trace.Availability {
	a := trace.Availability{Name: "x.csv", Simulated: rapid.Bool().Draw(r, "simulated")}
	for n := range rapid.IntRange(1, 6).Draw(r, "series") {
		where := rapid.SampledFrom(places()).Draw(r, "place")
		s := trace.AvailabilitySeries{
			Trace: fmt.Sprintf("availability/%d-node/%s-%d", n, where[0], n), Provider: where[0], Region: where[1], Zone: where[2], Type: "m5.large",
			Nodes: rapid.IntRange(1, 9).Draw(r, "nodes"),
		}
		if s.Kept = rapid.Bool().Draw(r, "kept"); s.Kept {
			s.Trace = strings.Replace(s.Trace, "availability", "preemption", 1)
		}
		times := drawTimes(r, 2)
		up := rapid.Bool().Draw(r, "up")
		for i, at := range times {
			if i == 0 || rapid.Bool().Draw(r, "changes") {
				s.Points = append(s.Points, trace.StatePoint{At: at, Up: up})
				up = !up
			}
			if p := drawPrice(r); rapid.Bool().Draw(r, "tells a price") && (len(s.Prices) == 0 || s.Prices[len(s.Prices)-1].Price != p) {
				s.Prices = append(s.Prices, trace.PricePoint{At: at, Price: p})
			}
		}
		s.Ends = times[len(times)-1]
		a.Series = append(a.Series, s)
	}
	return a
}

func TestPricesThatAreWrittenReadBackEqual(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := drawPrices(r)
		var text bytes.Buffer
		if err := trace.WritePrices(&text, want); err != nil {
			r.Fatal(err)
		}
		got, err := trace.ReadPrices(want.Name, bytes.NewReader(text.Bytes()))
		want.Digest = got.Digest
		if err != nil || !reflect.DeepEqual(got, want) {
			r.Fatalf("%v\n got %+v\nwant %+v\n%s", err, got, want, text.String())
		}
	})
}

func TestAvailabilityThatIsWrittenReadsBackEqual(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := drawAvailability(r)
		var text bytes.Buffer
		if err := trace.WriteAvailability(&text, want); err != nil {
			r.Fatal(err)
		}
		got, err := trace.ReadAvailability(want.Name, bytes.NewReader(text.Bytes()))
		want.Digest = got.Digest
		if err != nil || !reflect.DeepEqual(got, want) {
			r.Fatalf("%v\n got %+v\nwant %+v\n%s", err, got, want, text.String())
		}
	})
}

func TestWrittenFilesLookAsDescribed(t *testing.T) {
	p := trace.Prices{Name: "x.csv", Simulated: true, Series: []trace.PriceSeries{{
		Provider: "aws", Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large",
		Points: []trace.PricePoint{{At: moment("2026-03-01T02:00:00+02:00").In(time.FixedZone("", 7200)), Price: 41_600}},
	}}}
	var text strings.Builder
	if err := trace.WritePrices(&text, p); err != nil || text.String() != "# simulated\ntime,zone,type,spot_usd_hour\n2026-03-01T00:00:00Z,us-east-1a,m5.large,0.041600\n" {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestWhatWouldNotReadBackIsNotWritten(t *testing.T) {
	aws := trace.PriceSeries{Provider: "aws", Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Points: []trace.PricePoint{price("2026-03-01T00:00:00Z", 1)}}
	for why, change := range map[string]func(*trace.PriceSeries){
		"no zone":              func(s *trace.PriceSeries) { s.Zone = "" },
		"another region":       func(s *trace.PriceSeries) { s.Region = "us-east-2" },
		"another cloud":        func(s *trace.PriceSeries) { s.Provider = "gcp" },
		"a type with a comma":  func(s *trace.PriceSeries) { s.Type = "m5,large" },
		"no points":            func(s *trace.PriceSeries) { s.Points = nil },
		"a price of nothing":   func(s *trace.PriceSeries) { s.Points = []trace.PricePoint{{At: s.Points[0].At}} },
		"two prices at a time": func(s *trace.PriceSeries) { s.Points = append(s.Points, price("2026-03-01T00:00:00Z", 2)) },
		"a series twice": func(s *trace.PriceSeries) {
			s.Zone, s.Points = "us-east-1b", []trace.PricePoint{price("2026-03-02T00:00:00Z", 1)}
		},
	} {
		wrong := aws
		change(&wrong)
		right := aws
		right.Zone = "us-east-1b"
		var text bytes.Buffer
		if err := trace.WritePrices(&text, trace.Prices{Name: "x.csv", Series: []trace.PriceSeries{right, wrong}}); err == nil || text.Len() > 0 {
			t.Errorf("%s: %v, written %q", why, err, text.String())
		}
	}
	up := trace.AvailabilitySeries{
		Trace: "availability/aws-1", Provider: "aws", Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Nodes: 1,
		Points: []trace.StatePoint{state("2026-03-01T00:00:00Z", true)}, Ends: moment("2026-03-02T00:00:00Z"),
	}
	for why, change := range map[string]func(*trace.AvailabilitySeries){
		"another kind":              func(s *trace.AvailabilitySeries) { s.Kept = true },
		"no points":                 func(s *trace.AvailabilitySeries) { s.Points = nil },
		"a point without a change":  func(s *trace.AvailabilitySeries) { s.Points = append(s.Points, state("2026-03-01T01:00:00Z", true)) },
		"an end before the start":   func(s *trace.AvailabilitySeries) { s.Ends = moment("2026-02-01T00:00:00Z") },
		"a price before the start":  func(s *trace.AvailabilitySeries) { s.Prices = []trace.PricePoint{price("2026-02-01T00:00:00Z", 1)} },
		"nothing that is requested": func(s *trace.AvailabilitySeries) { s.Nodes = 0 },
	} {
		wrong := up
		change(&wrong)
		var text bytes.Buffer
		if err := trace.WriteAvailability(&text, trace.Availability{Name: "x.csv", Series: []trace.AvailabilitySeries{wrong}}); err == nil || text.Len() > 0 {
			t.Errorf("%s: %v, written %q", why, err, text.String())
		}
	}
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAWriterThatFailsIsReported(t *testing.T) {
	p := trace.Prices{Name: "x.csv", Series: []trace.PriceSeries{{
		Provider: "aws", Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Points: []trace.PricePoint{price("2026-03-01T00:00:00Z", 1)},
	}}}
	if err := trace.WritePrices(full{}, p); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}
