// Package trace reads recordings of spot markets: prices, and availability.
//
// It owns the file formats and what is refused or skipped in them. It must not know what a recording is used for. Start reading at ReadPrices and ReadAvailability.
package trace

import (
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Prices is one file of spot prices: change points, each holding until the next of the same series.
type Prices struct {
	Name      string // of the file, without its folder
	Digest    string // SHA-256 of its uncompressed text, so that a figure names its data
	Simulated bool   // the file says that it was not recorded from a real cloud
	Series    []PriceSeries
	Skipped   []Skip
}

// PriceSeries are the prices of one type in one zone ("" where the file is of a whole region), by time.
type PriceSeries struct {
	Provider           string // "aws", "azure", "gcp"
	Region, Zone, Type string
	Points             []PricePoint
}

// PricePoint is a price from a moment on.
type PricePoint struct {
	At    time.Time
	Price money.Price
}

// Availability is one file of what could be had, or was kept, when.
type Availability struct {
	Name      string
	Digest    string
	Simulated bool
	Series    []AvailabilitySeries
	Skipped   []Skip
}

// AvailabilitySeries is one measurement: whether all requested nodes of a type could be had in a zone (Kept false), or whether a running one was kept (Kept true).
type AvailabilitySeries struct {
	Trace              string // as the file names it
	Provider           string
	Region, Zone, Type string
	Nodes              int
	Kept               bool
	Points             []StatePoint
	Prices             []PricePoint // where the file tells them too
	Ends               time.Time    // of the measurement
}

// StatePoint is a state from a moment on.
type StatePoint struct {
	At time.Time
	Up bool
}

// Skip is how many rows were left out, and why.
type Skip struct {
	Why   string
	Rows  int
	First int // line of the first one
}
