package trace_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/lab/trace"
)

const upDown = "trace,zone,type,time,nodes_requested,nodes_available,available,spot_usd_hour\n"

func state(at string, up bool) trace.StatePoint { return trace.StatePoint{At: moment(at), Up: up} }

func TestAMeasurementIsReadUntilItsEnd(t *testing.T) {
	const text = "# simulated\n" + upDown +
		"preemption/4-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T00:00:00Z,4,0,0,\n" +
		"preemption/4-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T01:00:00Z,4,3,0,0.9\n" +
		"preemption/4-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T02:00:00Z,4,4,1,0.9\n" +
		"preemption/4-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T03:00:00Z,4,4,1,1.1\n" +
		"preemption/4-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T04:00:00Z,4,4,1,\n" +
		"availability/mine,us-central1-b,c3-highcpu-88,2023-02-15T00:00:00Z,1,1,1,\n" +
		"availability/mine,us-central1-b,c3-highcpu-88,2023-02-15T09:00:00Z,1,0,0,\n" +
		"availability/mine,us-central1-b,c3-highcpu-88,2023-02-15T09:00:00Z,1,0,0,\n"
	got, err := trace.ReadAvailability("x.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := trace.Availability{
		Name: "x.csv", Digest: got.Digest, Simulated: true,
		Series: []trace.AvailabilitySeries{
			{
				Trace: "preemption/4-node/aws-1", Provider: "aws", Region: "us-east-1", Zone: "us-east-1a", Type: "p3.2xlarge", Nodes: 4, Kept: true,
				Points: []trace.StatePoint{state("2023-02-15T00:00:00Z", false), state("2023-02-15T02:00:00Z", true)},
				Prices: []trace.PricePoint{price("2023-02-15T01:00:00Z", 900_000), price("2023-02-15T03:00:00Z", 1_100_000)},
				Ends:   moment("2023-02-15T04:00:00Z"),
			},
			{
				Trace: "availability/mine", Provider: "gcp", Region: "us-central1", Zone: "us-central1-b", Type: "c3-highcpu-88", Nodes: 1,
				Points: []trace.StatePoint{state("2023-02-15T00:00:00Z", true), state("2023-02-15T09:00:00Z", false)},
				Ends:   moment("2023-02-15T09:00:00Z"),
			},
		},
		Skipped: []trace.Skip{{Why: "repeat an earlier row", Rows: 1, First: 10}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestBadAvailabilityIsRefusedWithFileAndLine(t *testing.T) {
	const (
		series = "availability/1-node/aws-1,us-east-1a,p3.2xlarge,"
		at     = series + "2023-02-15T00:00:00Z,"
		after  = series + "2023-02-15T01:00:00Z,"
	)
	for text, want := range map[string]string{
		upDown:                        "x.csv: it has a header but no states.",
		byZone:                        "x.csv, line 1: this is a file of prices; hand it over with --prices.",
		byDate:                        "x.csv, line 1: this is a file of prices; hand it over with --prices.",
		byAzure:                       "x.csv, line 1: this is a file of prices; hand it over with --prices.",
		upDown + at + "1,1,1\n":       "x.csv, line 2: the row has 7 fields; expected 8: trace,zone,type,time,nodes_requested,nodes_available,available,spot_usd_hour.",
		upDown + at + "1,2,1,\n":      "x.csv, line 2: nodes_available is 2, more than the 1 requested.",
		upDown + at + "2,1,1,\n":      "x.csv, line 2: available is 1, but 1 of 2 nodes were available; expected 1 when all were, else 0.",
		upDown + at + "2,2,0,\n":      "x.csv, line 2: available is 0, but 2 of 2 nodes were available; expected 1 when all were, else 0.",
		upDown + at + "1,1,yes,\n":    `x.csv, line 2: available is "yes"; expected 1 (all requested nodes) or 0.`,
		upDown + at + "0,0,1,\n":      "x.csv, line 2: nodes_requested is 0; expected at least 1.",
		upDown + at + "-1,0,1,\n":     `x.csv, line 2: nodes_requested is "-1"; expected a whole number from 0 to 1000000.`,
		upDown + at + "1,0.5,1,\n":    `x.csv, line 2: nodes_available is "0.5"; expected a whole number from 0 to 1000000.`,
		upDown + at + "1,1,1,abc\n":   `x.csv, line 2: the price "abc" is no number; expected dollars per hour such as 0.0416.`,
		upDown + at + "1,1,1,\n":      "x.csv, line 2: the series availability/1-node/aws-1 us-east-1a p3.2xlarge has this one moment only; expected a further row that marks its end.",
		upDown + series + ",1,1,1,\n": `x.csv, line 2: the time "" can't be read; expected such as 2026-04-02T16:17:42Z.`,
		upDown + at + "1,1,1,\n" + after + "2,2,1,\n": "x.csv, line 3: the series availability/1-node/aws-1 us-east-1a p3.2xlarge requests 2 nodes here and 1 before; give it a trace of its own.",
		upDown + at + "1,1,1,\n" + at + "1,0,0,\n":    "x.csv, line 3: the series availability/1-node/aws-1 us-east-1a p3.2xlarge has two rows for 2023-02-15T00:00:00Z that differ; keep one.",
		upDown + after + "1,1,1,\n" + at + "1,1,1,\n": "x.csv, line 3: the series availability/1-node/aws-1 us-east-1a p3.2xlarge goes back in time, from 2023-02-15T01:00:00Z to " +
			"2023-02-15T00:00:00Z; sort the rows of each series by time.",
		upDown + "aws-1,us-east-1a,p3.2xlarge,2023-02-15T00:00:00Z,1,1,1,\n": `x.csv, line 2: the trace "aws-1" is of no known kind; expected a name that begins with availability/ (could it be had?) ` +
			"or preemption/ (was it kept?).",
		upDown + "availability/gcp-1,us-east-1a,p3.2xlarge,2023-02-15T00:00:00Z,1,1,1,\n": `x.csv, line 2: the trace "availability/gcp-1" is of gcp, but the zone "us-east-1a" is spelled as aws does.`,
		upDown + "availability/1,us-east-1,p3.2xlarge,2023-02-15T00:00:00Z,1,1,1,\n": `x.csv, line 2: the zone "us-east-1" is spelled like none of a known cloud; expected such as us-east-1a (AWS), ` +
			"us-central1-a (GCP) or eastus-1 (Azure).",
	} {
		_, err := trace.ReadAvailability("x.csv", strings.NewReader(text))
		if err == nil || err.Error() != want || !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is refused with\n%v\nwant\n%s", strings.TrimPrefix(text, upDown), err, want)
		}
	}
}
