package trace

import (
	"io"

	"github.com/neap-cloud/neap/internal/money"
)

// ParsePrice is how the files' prices are read.
func ParsePrice(text []byte) (money.Price, error) { return parsePrice(text) }

// ReadPricesWithin reads with tighter limits, so that a test need not make a file of a quarter of a gigabyte.
func ReadPricesWithin(name string, r io.Reader, text int64, line, series int) (Prices, error) {
	return readPrices(name, r, limits{text: text, line: line, series: series})
}
