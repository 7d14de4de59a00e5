package world

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

func sortByTime(points []trace.PricePoint) {
	slices.SortFunc(points, func(a, b trace.PricePoint) int { return a.At.Compare(b.At) })
}

// states are of a pool that is up on the days of every second given moment on.
func states(label, zone, kind string, days ...float64) trace.AvailabilitySeries {
	s := trace.AvailabilitySeries{Trace: label, Provider: "aws", Region: zone[:len(zone)-1], Zone: zone, Type: kind, Nodes: 1, Ends: day(days[len(days)-1])}
	for n, d := range days[:len(days)-1] {
		s.Points = append(s.Points, trace.StatePoint{At: day(d), Up: n%2 == 0})
	}
	return s
}

func TestRecordedAvailabilityIsGivenAndTakenAsRecorded(t *testing.T) {
	w, err := FromAvailability(trace.Availability{Name: "a", Series: []trace.AvailabilitySeries{states("availability/x", "us-east-1a", "m5.xlarge", 0, 2, 3, 10)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "a availability/x" || !w.Recorded || w.Simulated || !w.From.Equal(day(0)) || !w.Until.Equal(day(10)) {
		t.Errorf("world %+v", w)
	}
	for _, c := range []struct {
		at   float64
		isUp bool
		want Fate
	}{
		{0, true, Fate{Notice: day(2).Add(-2 * time.Minute), End: day(2)}},
		{1.9999, true, Fate{Notice: day(1.9999), End: day(2)}},
		{2, false, Fate{}},
		{3, true, Fate{}}, // up when the record ends
	} {
		fates := w.Pools[0].Fates
		if room := fates.Room(5, day(c.at)); room > 5 != c.isUp || room > 0 != c.isUp {
			t.Errorf("on day %v there is room for %d", c.at, room)
		}
		if got := fates.Fate(1, day(c.at)); !got.Notice.Equal(c.want.Notice) || !got.End.Equal(c.want.End) {
			t.Errorf("on day %v: %+v, want %+v", c.at, got, c.want)
		}
	}
}

func TestPricesComeFromTheBestSourceThatCoversTheTime(t *testing.T) {
	beside := states("availability/x", "us-east-1a", "m5.xlarge", 0, 2, 3, 10)
	beside.Prices = []trace.PricePoint{{At: day(0.5), Price: 1}}
	short := states("availability/x", "us-east-1b", "m5.xlarge", 0, 10)
	short.Prices = []trace.PricePoint{{At: day(2), Price: 1}, {At: day(9), Price: 2}}
	google := states("availability/x", "us-east-1x", "c3-highcpu-88", 0, 10)
	google.Provider, google.Region, google.Zone = "gcp", "us-central1", "us-central1-a"
	a := trace.Availability{Name: "a", Series: []trace.AvailabilitySeries{
		beside, short, states("availability/x", "us-east-1c", "m5.xlarge", 0, 10), states("availability/x", "us-east-1d", "p3.2xlarge", 0, 10), google,
		states("availability/x", "us-east-1d", "z9.gigantic", 0, 10), states("availability/x", "us-east-1c", "m5.xlarge", 0, 1, 10), states("availability/y", "us-east-1a", "m5.xlarge", 0, 10),
	}}
	p := trace.Prices{Name: "p", Simulated: true, Series: []trace.PriceSeries{series("us-east-1a", "m5.xlarge", 0, 10), series("us-east-1b", "m5.xlarge", 0, 10), series("us-east-1c", "m5.xlarge", 3, 10)}}
	w, err := FromBoth(p, a, Options{Trace: "availability/x", Region: AllRegions})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range w.Pools {
		got = append(got, p.Type+" "+p.Zone+" "+p.PriceAt(day(5)).String()+" "+string(p.Priced))
	}
	want := `c3-highcpu-88 us-central1-a $0.91696/h the usual price, constant
m5.xlarge us-east-1a $0.000001/h recorded beside the availability
m5.xlarge us-east-1b $0.05/h recorded
m5.xlarge us-east-1c $0.06986/h the usual price, constant
p3.2xlarge us-east-1d $0.918/h the usual price, constant`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if !w.Simulated || !w.Recorded || w.Notice != 30*time.Second || w.Pools[0].Fates.(Spells).Notice != 30*time.Second || w.Pools[1].Fates.(Spells).Notice != 2*time.Minute {
		t.Errorf("simulated %v, recorded %v, notice %s", w.Simulated, w.Recorded, w.Notice)
	}
	if len(w.LeftOut) != 2 || w.LeftOut[0] != (LeftOut{leftUnknown, 1, "z9.gigantic us-east-1d"}) || w.LeftOut[1] != (LeftOut{leftRepeated, 1, "m5.xlarge us-east-1c"}) {
		t.Errorf("left out: %+v", w.LeftOut)
	}
	wide, err := FromBoth(trace.Prices{Series: []trace.PriceSeries{series("", "m5.xlarge", 0, 1)}}, a, Options{Trace: "availability/y"})
	if err != nil || wide.Pools[0].Priced != PricedRecorded {
		t.Errorf("prices of the region: %+v, %v", wide.Pools, err)
	}
}

func TestAMeasurementHasToBeNamedWhereThereAreSeveral(t *testing.T) {
	a := trace.Availability{Name: "a", Series: []trace.AvailabilitySeries{
		states("availability/x", "us-east-1a", "m5.xlarge", 0, 10), states("availability/y", "us-east-1a", "m5.xlarge", 0, 10), states("availability/y", "us-east-1b", "m5.xlarge", 20, 30),
	}}
	for _, c := range []struct{ trace, wrong string }{
		{"", "a has more than one trace; name one of availability/x, availability/y"},
		{"availability/z", `a has no trace "availability/z", but availability/x, availability/y`},
		{AllRegions, `a has no trace "all"`},
		{"availability/y", "has to begin before it ends"}, // its pools were never measured at the same time
	} {
		if _, err := FromAvailability(a, Options{Trace: c.trace}); err == nil || !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%q: %v, want %q", c.trace, err, c.wrong)
		}
	}
	if w, err := FromAvailability(a, Options{Trace: "availability/y", Zones: []string{"us-east-1b"}}); err != nil || !w.From.Equal(day(20)) {
		t.Errorf("one zone: %+v, %v", w, err)
	}
}

func TestSpellsAreWhenTheSeriesIsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := rapid.SliceOfNDistinct(rapid.IntRange(0, 10_000), 1, 30, rapid.ID).Draw(t, "minutes")
		slices.Sort(minutes)
		moment := func(minute int) time.Time { return began.Add(time.Duration(minute) * time.Minute) }
		last := minutes[len(minutes)-1] + rapid.IntRange(0, 100).Draw(t, "rest")
		s := trace.AvailabilitySeries{Ends: moment(last)}
		up := rapid.Bool().Draw(t, "first")
		for _, m := range minutes {
			s.Points = append(s.Points, trace.StatePoint{At: moment(m), Up: up})
			up = !up
		}
		all := spells(s, 2*time.Minute)
		for minute := minutes[0]; minute < last; minute++ {
			n, _ := slices.BinarySearch(minutes, minute+1)
			if got := all.Room(0, moment(minute)) > 0; got != s.Points[n-1].Up {
				t.Fatalf("minute %d of %+v: up is %v", minute, s.Points, got)
			}
			if f := all.Fate(1, moment(minute)); !f.End.IsZero() && (all.Room(0, f.End) > 0 || !f.End.After(moment(minute)) || f.Notice.Before(moment(minute)) || f.Notice.After(f.End)) {
				t.Fatalf("minute %d: %+v", minute, f)
			}
		}
	})
}
