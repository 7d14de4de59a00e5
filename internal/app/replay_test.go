package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/fault"
)

func TestTheShippedRecordingIsReplayedForAFewDays(t *testing.T) {
	from := time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC)
	found, err := app.Replay(t.Context(), app.ReplayConfig{Workload: "steady:10", From: from, To: from.Add(4 * 24 * time.Hour), Seed: 1, Seeds: 1})
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Policies []struct {
			Policy        string
			Cost          float64
			Ratio         float64 `json:"cost_over_hindsight"`
			CapacityHours float64 `json:"capacity_hours"`
		}
		Simulated bool
	}
	if err := json.Unmarshal(found.Report, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Policies) != 5 || !report.Simulated {
		t.Fatalf("%s", found.Report)
	}
	for _, p := range report.Policies {
		// Ten instances for four days serve at most 960 hours, and all but the first minutes and the time lost to interruptions.
		if p.Cost <= 0 || p.Ratio < 0.95 || p.CapacityHours > 965 || p.Policy != "hindsight" && p.CapacityHours < 900 {
			t.Errorf("%+v", p)
		}
	}
	for want, write := range map[string]func(out *strings.Builder) error{
		"Simulated: ":     func(out *strings.Builder) error { return found.Table(out, false) },
		"policy,cost,":    func(out *strings.Builder) error { return found.CSV(out) },
		"<!doctype html>": func(out *strings.Builder) error { return found.Page(out) },
	} {
		var out strings.Builder
		if err := write(&out); err != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: %v, %.80q", want, err, out.String())
		}
	}
}

func TestARecordingIsFoundInTheFolderOfTraces(t *testing.T) {
	folder := t.TempDir()
	const text = "time,zone,type,spot_usd_hour\n2021-03-02T00:00:00Z,us-east-1a,m5.large,0.04\n2021-03-04T00:00:00Z,us-east-1a,m5.large,0.05\n"
	if err := os.WriteFile(filepath.Join(folder, "own.csv"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := app.ReplayConfig{Prices: "own.csv", Folder: folder, Workload: "steady:2", Policies: []string{"neap"}, Seed: 1, Seeds: 1}
	if found, err := app.Replay(t.Context(), c); err != nil || !strings.Contains(string(found.Report), `"simulated":false`) {
		t.Errorf("%v %s", err, found.Report)
	}
	c.Folder = ""
	if _, err := app.Replay(t.Context(), c); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}
