package trace

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// ReadAvailability reads a file of availability, plain or gzip, that errors and figures are to call by name.
//
// A state holds until the next row of its series, and the last row ends the measurement: what holds from there on is not known. A pause in the measurement
// can't be seen, because only changes are written down. Points and Prices hold changes only; a last row that changes the state is a point too, at Ends. Rows
// that say again what an earlier one said are skipped; everything else that is wrong refuses the whole file, as in ReadPrices, and so do a state that
// contradicts the counts, counts that change within a series, and a series of one moment, which measures nothing.
func ReadAvailability(name string, r io.Reader) (Availability, error) {
	return readAvailability(name, r, usual())
}

func readAvailability(name string, r io.Reader, within limits) (Availability, error) {
	l, err := open(name, r, within)
	if err != nil {
		return Availability{}, err
	}
	header, err := l.header()
	if err != nil {
		return Availability{}, err
	}
	isPrices := slices.ContainsFunc(priceFormats(), func(f priceFormat) bool { return f.header == header })
	switch {
	case isPrices:
		return Availability{}, l.refuse(fmt.Errorf("this is a file of prices; hand it over with --prices"))
	case header != availabilityHeader:
		return Availability{}, l.refuse(fmt.Errorf("the header %s is of no known format; expected %s", shown([]byte(header)), knownHeaders()))
	}
	b := stateBook{lines: l, byKey: map[string]*measurement{}}
	if err := l.each(header, b.row); err != nil {
		return Availability{}, err
	}
	a := Availability{Name: name, Digest: l.sum(), Simulated: l.simulated, Skipped: l.skipped}
	for _, m := range b.all {
		if len(m.rows) == 1 {
			return Availability{}, l.refuseAt(m.line, fmt.Errorf("the series %s has this one moment only; expected a further row that marks its end", m.name()))
		}
		a.Series = append(a.Series, m.finish())
	}
	if len(a.Series) == 0 {
		return Availability{}, l.empty("it has a header but no states")
	}
	return a, nil
}

// stateBook gathers rows by series, in the order in which the file first names them.
type stateBook struct {
	lines *lines
	all   []*measurement
	byKey map[string]*measurement
	key   []byte
}

// measurement is a series as its rows tell it.
type measurement struct {
	AvailabilitySeries
	line int // of its first row
	rows []state
}

// state is one row.
type state struct {
	at    time.Time
	nodes int         // available
	price money.Price // 0 = not told
}

func (b *stateBook) row(fields [][]byte) (skip string, err error) {
	at, err := parseTime(fields[3])
	if err != nil {
		return "", err
	}
	requested, available, err := parseState(fields[4], fields[5], fields[6])
	if err != nil {
		return "", err
	}
	row := state{at: at, nodes: available}
	if len(fields[7]) > 0 {
		if row.price, err = parsePrice(fields[7]); err != nil {
			return "", err
		}
	}
	m, err := b.find(fields[0], fields[1], fields[2], requested)
	if err != nil {
		return "", err
	}
	return m.add(row)
}

// parseState reads the counts, and holds the state against them.
func parseState(requested, available, up []byte) (wanted, had int, err error) {
	if wanted, err = parseNodes("nodes_requested", requested); err != nil {
		return 0, 0, err
	}
	if had, err = parseNodes("nodes_available", available); err != nil {
		return 0, 0, err
	}
	isUp := string(up) == "1"
	switch {
	case wanted == 0:
		return 0, 0, fmt.Errorf("nodes_requested is 0; expected at least 1")
	case had > wanted:
		return 0, 0, fmt.Errorf("nodes_available is %d, more than the %d requested", had, wanted)
	case !isUp && string(up) != "0":
		return 0, 0, fmt.Errorf("available is %s; expected 1 (all requested nodes) or 0", shown(up))
	case isUp != (had == wanted):
		return 0, 0, fmt.Errorf("available is %s, but %d of %d nodes were available; expected 1 when all were, else 0", up, had, wanted)
	}
	return wanted, had, nil
}

// find is the series of a row, a new one where there is none yet.
func (b *stateBook) find(trace, zone, kind []byte, nodes int) (*measurement, error) {
	b.key = b.key[:0]
	for _, part := range [][]byte{trace, zone, kind} {
		b.key = append(append(b.key, part...), ',')
	}
	if m, known := b.byKey[string(b.key)]; known {
		if m.Nodes != nodes {
			return nil, fmt.Errorf("the series %s requests %d nodes here and %d before; give it a trace of its own", m.name(), nodes, m.Nodes)
		}
		return m, nil
	}
	kept, err := parseTrace(trace)
	if err != nil {
		return nil, err
	}
	where, err := zonePlace(zone)
	if err != nil {
		return nil, err
	}
	for _, s := range spellings {
		if strings.Contains(string(trace), "/"+s.provider+"-") && where.provider != s.provider {
			return nil, fmt.Errorf("the trace %s is of %s, but the zone %s is spelled as %s does", shown(trace), s.provider, shown(zone), where.provider)
		}
	}
	if err := checkType(kind); err != nil {
		return nil, err
	}
	if len(b.all) == b.lines.limits.series {
		return nil, tooManySeries(len(b.all))
	}
	m := &measurement{line: b.lines.number, AvailabilitySeries: AvailabilitySeries{
		Trace: string(trace), Provider: where.provider, Region: where.region, Zone: where.zone, Type: string(kind), Nodes: nodes, Kept: kept,
	}}
	b.byKey[string(b.key)] = m
	b.all = append(b.all, m)
	return m, nil
}

// parseTrace tells by the prefix whether a running instance was kept.
func parseTrace(name []byte) (kept bool, err error) {
	kind, rest, _ := strings.Cut(string(name), "/")
	if !plainName.Match(name) || rest == "" || kind != "availability" && kind != "preemption" {
		return false, fmt.Errorf("the trace %s is of no known kind; expected a name that begins with availability/ (could it be had?) or preemption/ (was it kept?)", shown(name))
	}
	return kind == "preemption", nil
}

// add appends a row that is later than the others; one that is there already is to be skipped.
func (m *measurement) add(row state) (skip string, err error) {
	last := len(m.rows) - 1
	if last < 0 || row.at.After(m.rows[last].at) {
		m.rows = append(m.rows, row)
		return "", nil
	}
	at, found := slices.BinarySearchFunc(m.rows, row.at, func(s state, at time.Time) int { return s.at.Compare(at) })
	switch {
	case !found:
		return "", backwards(m.name(), m.rows[last].at, row.at)
	case m.rows[at] != row:
		return "", fmt.Errorf("the series %s has two rows for %s that differ; keep one", m.name(), writeTime(row.at))
	}
	return skipRepeated, nil
}

// name is what a person calls the series.
func (s *AvailabilitySeries) name() string { return s.Trace + " " + s.Zone + " " + s.Type }

// finish keeps what changes.
func (m *measurement) finish() AvailabilitySeries {
	s := m.AvailabilitySeries
	for n, row := range m.rows {
		if up := row.nodes == s.Nodes; n == 0 || up != s.Points[len(s.Points)-1].Up {
			s.Points = append(s.Points, StatePoint{At: row.at, Up: up})
		}
		if row.price != 0 && (len(s.Prices) == 0 || row.price != s.Prices[len(s.Prices)-1].Price) {
			s.Prices = append(s.Prices, PricePoint{At: row.at, Price: row.price})
		}
	}
	s.Ends = m.rows[len(m.rows)-1].at
	return s
}
