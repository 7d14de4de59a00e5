//go:build traces

package job

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// recorded are the worlds of the recorded availability.
func recorded(t *testing.T) []*world.World {
	folder := os.Getenv("NEAP_TRACES")
	if folder == "" {
		t.Fatal("NEAP_TRACES is to name the folder of the recorded traces")
	}
	file, err := trace.OpenAvailability(filepath.Join(folder, "skypilot-spot-availability.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	worlds, err := Worlds(file)
	if err != nil {
		t.Fatal(err)
	}
	return worlds
}

func TestOnEveryRecordedSeriesNoDeadlineIsMissedAndTheCostIsAtMostThatOfUniformProgress(t *testing.T) {
	for _, w := range recorded(t) {
		work := 24 * time.Hour
		switch span := w.Until.Sub(w.From); {
		case span < 3*24*time.Hour:
			work = 6 * time.Hour
		case span < 10*24*time.Hour:
			work = 12 * time.Hour
		}
		var loads []lab.Workload
		for _, percent := range []time.Duration{110, 125, 150, 200} {
			for _, restart := range []time.Duration{6 * time.Minute, 18 * time.Minute} {
				loads = append(loads, lab.Workload{Kind: lab.Deadline, Work: work, Within: work * percent / 100, Restart: restart, Checkpoint: true})
			}
		}
		rows, err := Compare(context.Background(), w, loads, []string{lab.PolicyUniformProgress, lab.PolicyNeap, lab.PolicyLowestPrice}, 24, 1)
		if err != nil {
			t.Fatal(err)
		}
		var cost [2]map[string]float64
		for _, r := range rows {
			if r.Missed > 0 {
				t.Errorf("%s: %s missed %d deadlines of %s", w.Name, r.Policy, r.Missed, r.Load)
			}
			if cost[r.Half-1] == nil {
				cost[r.Half-1] = map[string]float64{}
			}
			cost[r.Half-1][r.Policy] += r.Ratio.Mean / float64(len(loads))
		}
		for half, c := range cost {
			t.Logf("%-55s half %d: uniform progress %.4f, greedy %.4f, neap %.4f (%+.1f %%)", w.Name, half+1, c[lab.PolicyUniformProgress], c[lab.PolicyLowestPrice],
				c[lab.PolicyNeap], 100*c[lab.PolicyNeap]/c[lab.PolicyUniformProgress]-100)
			if c[lab.PolicyNeap] > 1.005*c[lab.PolicyUniformProgress] {
				t.Errorf("%s half %d: %.4f of the cost on demand, Uniform Progress %.4f", w.Name, half+1, c[lab.PolicyNeap], c[lab.PolicyUniformProgress])
			}
		}
	}
}
