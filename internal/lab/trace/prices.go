package trace

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// priceFormat is one way to write prices down. The first four columns are always time, place, type and price.
type priceFormat struct {
	header   string
	time     func([]byte) (time.Time, error)
	place    func([]byte) (place, error)
	optional bool // the price may be empty: such rows are skipped
}

// priceFormats are told apart by their headers.
func priceFormats() []priceFormat {
	return []priceFormat{
		{header: "time,zone,type,spot_usd_hour", time: parseTime, place: zonePlace},
		{header: "date,region,type,spot_linux_usd_hour,spot_windows_usd_hour", time: parseDate, place: regionPlace("aws"), optional: true},
		{header: "time,region,size,spot_usd_hour", time: parseTime, place: regionPlace("azure")},
	}
}

const availabilityHeader = "trace,zone,type,time,nodes_requested,nodes_available,available,spot_usd_hour"

// knownHeaders lists every header there is, for who has brought another.
func knownHeaders() string {
	var all []string
	for _, f := range priceFormats() {
		all = append(all, f.header)
	}
	return "one of: " + strings.Join(append(all, availabilityHeader), "; ")
}

// Why rows are skipped.
const (
	skipRepeated = "repeat an earlier row"
	skipNoPrice  = "have no Linux price"
)

// ReadPrices reads a file of prices, plain or gzip, that errors and figures are to call by name. Which format it has is told by its header.
//
// A price holds until the next one of its series, however long that takes, and the last one holds on: silence is no gap. Rows that say again what an earlier
// one said are skipped, and so are those without a price where the format has prices for two systems. Anything else that is wrong refuses the whole file, with
// the line: a row that can't be read, a series that goes back in time or has two prices at one moment, damaged gzip data, and a file beyond the limits. Whether
// a type or a zone exists is not known here.
func ReadPrices(name string, r io.Reader) (Prices, error) { return readPrices(name, r, usual()) }

func readPrices(name string, r io.Reader, within limits) (Prices, error) {
	l, err := open(name, r, within)
	if err != nil {
		return Prices{}, err
	}
	header, err := l.header()
	if err != nil {
		return Prices{}, err
	}
	known := priceFormats()
	at := slices.IndexFunc(known, func(f priceFormat) bool { return f.header == header })
	switch {
	case header == availabilityHeader:
		return Prices{}, l.refuse(fmt.Errorf("this is a file of availability; hand it over with --availability"))
	case at < 0:
		return Prices{}, l.refuse(fmt.Errorf("the header %s is of no known format; expected %s", shown([]byte(header)), knownHeaders()))
	}
	b := priceBook{format: known[at], most: within.series, byKey: map[string]*PriceSeries{}}
	if err := l.each(header, b.row); err != nil {
		return Prices{}, err
	}
	series := b.priced()
	if len(series) == 0 {
		return Prices{}, l.empty("it has a header but no prices")
	}
	return Prices{Name: name, Digest: l.sum(), Simulated: l.simulated, Series: series, Skipped: l.skipped}, nil
}

// priceBook gathers rows by series, in the order in which the file first names them.
type priceBook struct {
	format priceFormat
	most   int
	all    []*PriceSeries
	byKey  map[string]*PriceSeries
	key    []byte
}

func (b *priceBook) row(fields [][]byte) (skip string, err error) {
	at, err := b.format.time(fields[0])
	if err != nil {
		return "", err
	}
	s, err := b.find(fields[1], fields[2])
	if err != nil {
		return "", err
	}
	if b.format.optional && len(fields[3]) == 0 {
		return skipNoPrice, nil
	}
	price, err := parsePrice(fields[3])
	if err != nil {
		return "", err
	}
	return s.add(PricePoint{At: at, Price: price})
}

// find is the series of a row, a new one where there is none yet.
func (b *priceBook) find(where, kind []byte) (*PriceSeries, error) {
	b.key = append(append(append(b.key[:0], where...), ','), kind...)
	if s, known := b.byKey[string(b.key)]; known {
		return s, nil
	}
	place, err := b.format.place(where)
	if err != nil {
		return nil, err
	}
	if err := checkType(kind); err != nil {
		return nil, err
	}
	if len(b.all) == b.most {
		return nil, tooManySeries(b.most)
	}
	s := &PriceSeries{Provider: place.provider, Region: place.region, Zone: place.zone, Type: string(kind)}
	b.byKey[string(b.key)] = s
	b.all = append(b.all, s)
	return s, nil
}

// priced are the series that have prices; where prices are optional, some may have none.
func (b *priceBook) priced() (series []PriceSeries) {
	for _, s := range b.all {
		if len(s.Points) > 0 {
			series = append(series, *s)
		}
	}
	return series
}

func tooManySeries(most int) error {
	return fmt.Errorf("the file has more than %d series; split it by region", most)
}

// add appends a point that is later than the others; one that is there already is to be skipped.
func (s *PriceSeries) add(p PricePoint) (skip string, err error) {
	last := len(s.Points) - 1
	if last < 0 || p.At.After(s.Points[last].At) {
		s.Points = append(s.Points, p)
		return "", nil
	}
	at, found := slices.BinarySearchFunc(s.Points, p.At, func(p PricePoint, at time.Time) int { return p.At.Compare(at) })
	switch {
	case !found:
		return "", backwards(s.name(), s.Points[last].At, p.At)
	case s.Points[at].Price != p.Price:
		return "", fmt.Errorf("the series %s has two prices at %s, %s and %s; keep one, that of Linux", s.name(), writeTime(p.At), writePrice(s.Points[at].Price), writePrice(p.Price))
	}
	return skipRepeated, nil
}

// name is what a person calls the series.
func (s *PriceSeries) name() string {
	if s.Zone == "" {
		return s.Region + " " + s.Type
	}
	return s.Zone + " " + s.Type
}

func backwards(series string, last, at time.Time) error {
	return fmt.Errorf("the series %s goes back in time, from %s to %s; sort the rows of each series by time", series, writeTime(last), writeTime(at))
}
