package job

import (
	"slices"
	"testing"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

// measured is recorded availability of one type in zones, up all the time.
func measured(label string, zones ...string) []trace.AvailabilitySeries {
	var list []trace.AvailabilitySeries
	for _, zone := range zones {
		list = append(list, trace.AvailabilitySeries{
			Trace: label, Provider: "aws", Region: zone[:len(zone)-1], Zone: zone, Type: "m5.large", Nodes: 1,
			Points: []trace.StatePoint{{At: midnight, Up: true}}, Ends: in(48),
		})
	}
	return list
}

func TestARecordingOffersItsSeriesAndTheirCombinations(t *testing.T) {
	worlds, err := Worlds(trace.Availability{Name: "file", Series: slices.Concat(
		measured("wide", "us-east-1a", "us-east-1b", "us-west-2a"), measured("narrow", "us-east-1a", "us-east-1c"), measured("single", "us-west-2b"),
	)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range worlds {
		names = append(names, w.Name)
	}
	want := []string{
		"wide us-east-1a", "wide us-east-1b", "wide us-west-2a", "narrow us-east-1a", "narrow us-east-1c", "single us-west-2b",
		"wide us-east-1", "wide all zones", "narrow all zones",
	}
	if !slices.Equal(names, want) || len(worlds[0].Pools) != 1 || len(worlds[6].Pools) != 2 || len(worlds[7].Pools) != 3 || len(worlds[8].Pools) != 2 {
		t.Errorf("%q", names)
	}
}

func TestARecordingThatIsNoWorldIsRefused(t *testing.T) {
	series := measured("short", "us-east-1a")
	series[0].Ends = midnight
	if _, err := Worlds(trace.Availability{Name: "file", Series: series}); err == nil {
		t.Error("a record without a span became a world")
	}
}
