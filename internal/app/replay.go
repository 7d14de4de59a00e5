package app

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/neap-cloud/neap/internal/lab/study"
	"github.com/neap-cloud/neap/internal/lab/world"
)

// ReplayConfig says which market to replay, and what is to run in it. No server and no data folder are needed for it.
type ReplayConfig struct {
	Prices, Availability string // files; both "" = the simulated recording that comes with the program
	Folder               string // where files without a folder are looked for, too; "" = nowhere else
	Trace                string // the measurement of an availability file; "" = the only one
	Region               string // "" = the only one
	Types, Zones         []string
	From, To             time.Time // zero = as recorded
	Workload             string
	Policies             []string // none = the usual ones
	Rule                 string
	Floor                int
	Step                 time.Duration
	Seed                 uint64
	Seeds                int
	Progress             func(part float64, what string) // nil = nobody wants to know
}

// Replayed is what came of it: a report as JSON, as lines of CSV, as a page of HTML, and as a table.
type Replayed struct {
	Report json.RawMessage
	Page   func(w io.Writer) error
	CSV    func(w io.Writer) error
	Table  func(w io.Writer, wide bool) error
}

// Replay compares what policies make of a workload in a recorded market. What is asked for wrongly is fault.Invalid.
func Replay(ctx context.Context, c ReplayConfig) (Replayed, error) {
	recording, err := study.Open(c.Prices, c.Availability, c.Folder)
	if err != nil {
		return Replayed{}, err
	}
	report, err := study.Run(ctx, study.Study{
		Recording: recording, Part: world.Options{Region: c.Region, Trace: c.Trace, Types: c.Types, Zones: c.Zones, From: c.From, Until: c.To},
		Workload: c.Workload, Policies: c.Policies, Rule: c.Rule, Floor: c.Floor, Step: c.Step, Seed: c.Seed, Seeds: c.Seeds, Progress: c.Progress,
	})
	if err != nil {
		return Replayed{}, err
	}
	raw, err := report.JSON()
	return Replayed{Report: raw, Page: report.Page, CSV: report.CSV, Table: report.Table}, err
}
