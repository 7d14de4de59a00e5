package ledger

import (
	"encoding/csv"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// columns of the export. To recompute a saving by hand: actual_usd = price_usd_per_hour × seconds ÷ 3600, potential_usd = on_demand_usd_per_hour × seconds ÷ 3600,
// and the saving is the difference of their sums. Ticks are the same amounts as exact integers: 3,600,000,000 ticks are one dollar.
var columns = []string{
	"account", "group", "instance", "spot_request", "provider", "region", "zone", "type", "product", "lifecycle",
	"from", "to", "seconds", "price_usd_per_hour", "price_source", "on_demand_usd_per_hour",
	"actual_usd", "potential_usd", "saved_usd", "actual_ticks", "potential_ticks",
}

// WriteCSV writes a header and one row per line, with UTC times and dollar amounts rounded to ten places beside their exact ticks.
func WriteCSV(w io.Writer, lines []Line) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for _, line := range lines {
		if err := out.Write(row(line)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func row(line Line) []string {
	m, in := line.Meter, line.Meter.Market
	return []string{
		m.Account, m.Group, m.Instance, m.Request, m.Provider, in.Region, in.Zone, in.Type, in.Product, string(in.Lifecycle),
		line.From.UTC().Format(time.RFC3339), line.To.UTC().Format(time.RFC3339), strconv.FormatInt(int64(line.To.Sub(line.From)/time.Second), 10),
		perHour(line.Price), line.Source, perHour(line.OnDemand),
		dollars(line.Actual), dollars(line.Potential), dollars(line.Potential - line.Actual),
		strconv.FormatInt(int64(line.Actual), 10), strconv.FormatInt(int64(line.Potential), 10),
	}
}

func perHour(p money.Price) string {
	return strings.TrimSuffix(strings.TrimPrefix(p.String(), "$"), "/h")
}

func dollars(a money.Amount) string {
	return new(big.Rat).SetFrac64(int64(a), int64(money.Dollar)).FloatString(10)
}
