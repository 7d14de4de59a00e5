package world

import (
	"embed"
	"errors"
	"io"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

//go:embed shipped/*.csv.gz
var shipped embed.FS

// The names of the shipped recordings.
const (
	ShippedPrices       = "simulated-prices.csv.gz"
	ShippedAvailability = "simulated-availability.csv.gz"
)

// Shipped are the recordings that come with the program: thirty days of a simulated world of six types in three zones, as Record writes it down. They are made
// anew by the test of Record, when told to -update.
func Shipped() (trace.Prices, trace.Availability, error) {
	prices, err := open(ShippedPrices, trace.ReadPrices)
	if err != nil {
		return trace.Prices{}, trace.Availability{}, err
	}
	availability, err := open(ShippedAvailability, trace.ReadAvailability)
	return prices, availability, err
}

func open[T any](name string, read func(string, io.Reader) (T, error)) (found T, err error) {
	file, err := shipped.Open("shipped/" + name)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return read(name, file)
}
