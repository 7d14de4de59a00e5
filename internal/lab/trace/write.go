package trace

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// WritePrices writes prices by zone in the format "time,zone,type,spot_usd_hour". What it writes reads back equal; what would not (a series without a zone or
// without points, a price that is not above zero) is refused, and nothing is written.
func WritePrices(w io.Writer, p Prices) error {
	text := begin(p.Simulated, priceFormats()[0].header)
	for _, s := range p.Series {
		for _, point := range s.Points {
			fmt.Fprintf(text, "%s,%s,%s,%s\n", writeTime(point.At), s.Zone, s.Type, writePrice(point.Price))
		}
	}
	back, err := ReadPrices(p.Name, bytes.NewReader(text.Bytes()))
	if err != nil {
		return unwritable(err.Error())
	}
	for n, s := range p.Series {
		if n >= len(back.Series) || !s.equal(back.Series[n]) {
			return unwritable(fmt.Sprintf("the series %s would not read back as it is.", s.name()))
		}
	}
	return flush(w, text)
}

// WriteAvailability writes measurements, with a row for every change and one for the end. What it writes reads back equal; what would not (a series without
// points, points that change nothing, prices beyond the measurement) is refused, and nothing is written.
func WriteAvailability(w io.Writer, a Availability) error {
	text := begin(a.Simulated, availabilityHeader)
	for _, s := range a.Series {
		for _, at := range s.moments() {
			nodes, up, price := 0, 0, ""
			if n := holding(s.Points, stateTime, at); n >= 0 && s.Points[n].Up {
				nodes, up = s.Nodes, 1
			}
			if n := holding(s.Prices, priceTime, at); n >= 0 {
				price = writePrice(s.Prices[n].Price)
			}
			fmt.Fprintf(text, "%s,%s,%s,%s,%d,%d,%d,%s\n", s.Trace, s.Zone, s.Type, writeTime(at), s.Nodes, nodes, up, price)
		}
	}
	back, err := ReadAvailability(a.Name, bytes.NewReader(text.Bytes()))
	if err != nil {
		return unwritable(err.Error())
	}
	for n, s := range a.Series {
		if n >= len(back.Series) || !s.equal(back.Series[n]) {
			return unwritable(fmt.Sprintf("the series %s would not read back as it is.", s.name()))
		}
	}
	return flush(w, text)
}

func begin(simulated bool, header string) *bytes.Buffer {
	text := new(bytes.Buffer)
	if simulated {
		text.WriteString("# simulated\n")
	}
	text.WriteString(header + "\n")
	return text
}

func flush(w io.Writer, text *bytes.Buffer) error {
	if _, err := text.WriteTo(w); err != nil {
		return fmt.Errorf("write a trace: %w", err)
	}
	return nil
}

func unwritable(why string) error {
	return fault.Of(fault.Invalid, "trace", "The trace can't be written: %s", why)
}

// moments are the times at which something changes, and the end.
func (s *AvailabilitySeries) moments() []time.Time {
	all := []time.Time{s.Ends}
	for _, p := range s.Points {
		all = append(all, p.At)
	}
	for _, p := range s.Prices {
		all = append(all, p.At)
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}
