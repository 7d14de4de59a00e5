//go:build traces

package world

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

// TestTheRecordedTracesGiveTheirOwnSummary compares worlds of the public availability traces with the summary that came with them.
func TestTheRecordedTracesGiveTheirOwnSummary(t *testing.T) {
	folder := os.Getenv("NEAP_TRACES")
	if folder == "" {
		t.Fatal("NEAP_TRACES is to name the folder of the recorded traces")
	}
	a, err := trace.OpenAvailability(filepath.Join(folder, "skypilot-spot-availability.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(folder, "skypilot-summary.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	pools := 0
	for _, row := range rows[1:] { // trace,zone,type,nodes_requested,days,available_fraction,losses,…
		w, err := FromAvailability(a, Options{Trace: row[0], Region: AllRegions, Zones: row[1:2]})
		if err != nil || len(w.Pools) != 1 || len(w.LeftOut) > 0 || !w.Recorded || w.Simulated {
			t.Fatalf("%v: %+v, %v", row, w, err)
		}
		var up time.Duration
		losses := 0
		for _, s := range w.Pools[0].Fates.(Spells).Ups {
			up += s.Until.Sub(s.From)
			if f := w.Pools[0].Fates.Fate(1, s.From); f.End.Equal(s.Until) {
				losses++
			}
		}
		length := w.Until.Sub(w.From)
		if share := float64(up) / float64(length); math.Abs(share-number(row[5])) > 0.001 || math.Abs(length.Hours()/24-number(row[4])) > 0.01 || losses != int(number(row[6])) {
			t.Errorf("%s %s: available %.3f of %.2f days with %d losses; the summary says %s, %s, %s", row[0], row[1], share, length.Hours()/24, losses, row[5], row[4], row[6])
		}
		pools++
	}
	if pools != len(a.Series) {
		t.Errorf("%d of %d series are in the summary", pools, len(a.Series))
	}
}
