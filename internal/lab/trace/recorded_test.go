//go:build traces

package trace_test

import (
	"os"
	"testing"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

// The figures are those that the recordings were published with, except where a comment tells why.
func TestThePublicRecordingsAreReadWhole(t *testing.T) {
	folder := os.Getenv("NEAP_TRACES")
	if folder == "" {
		t.Fatal("NEAP_TRACES is to name the folder of the recorded traces")
	}
	for name, want := range map[string]struct{ series, points, skipped int }{
		"aws-us-east-1-2015-bid-era.csv.gz":             {15, 273_632, 0},
		"aws-us-east-1-2021-03_05.csv.gz":               {1241, 136_111, 0},
		"aws-regional-2025-03_2026-01-snapshots.csv.gz": {18_245, 128_444, 36}, // one more type is sold with Windows only
		"azure-regional-2026-04_05.csv.gz":              {4630, 9312, 0},
	} {
		p, err := trace.OpenPrices(trace.Resolve(name, folder))
		if err != nil {
			t.Error(err)
			continue
		}
		points, skipped := 0, 0
		for _, s := range p.Series {
			points += len(s.Points)
		}
		for _, s := range p.Skipped {
			skipped += s.Rows
		}
		if len(p.Series) != want.series || points != want.points || skipped != want.skipped || p.Simulated {
			t.Errorf("%s: %d series, %d points, %d rows skipped; want %+v", name, len(p.Series), points, skipped, want)
		}
	}
	const name = "skypilot-spot-availability.csv.gz"
	a, err := trace.OpenAvailability(trace.Resolve(name, folder))
	if err != nil {
		t.Fatal(err)
	}
	losses, priced, kept := 0, 0, 0
	for _, s := range a.Series {
		for _, p := range s.Points[1:] {
			if !p.Up {
				losses++
			}
		}
		if len(s.Prices) > 0 {
			priced++
		}
		if s.Kept {
			kept++
		}
	}
	if len(a.Series) != 20 || losses != 2313 || priced != 6 || kept != 11 || len(a.Skipped) != 0 {
		t.Errorf("%s: %d series, %d losses, %d with prices, %d kept, skipped %v", name, len(a.Series), losses, priced, kept, a.Skipped)
	}
}
