package trace

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

const (
	dearest       = 100_000 // dollars per hour; above it a price is taken for a mistake, as the dearest instances cost some hundred
	microOfDollar = 1_000_000
)

// likePrice ends what is said about a wrong price.
const likePrice = "expected dollars per hour such as 0.0416"

// parsePrice reads plain decimals exactly as money.ParsePrice does, rounding half up beyond six places, but without rational numbers: files have hundreds of
// thousands of prices. What money.ParsePrice would read beside decimals (fractions, exponents, signs, spaces) is refused.
func parsePrice(text []byte) (money.Price, error) {
	unsigned, negative := bytes.CutPrefix(text, []byte("-"))
	whole, fraction, _ := bytes.Cut(unsigned, []byte("."))
	if len(whole)+len(fraction) == 0 || !areDigits(whole) || !areDigits(fraction) {
		return 0, fmt.Errorf("the price %s is no number; %s", shown(text), likePrice)
	}
	var value int64
	for _, digit := range whole {
		value = min(value*10+int64(digit-'0'), dearest+1)
	}
	for n := range 6 {
		value *= 10
		if n < len(fraction) {
			value += int64(fraction[n] - '0')
		}
	}
	if len(fraction) > 6 && fraction[6] >= '5' {
		value++
	}
	switch {
	case negative || value == 0:
		return 0, fmt.Errorf("the price %s is not above zero; %s", shown(text), likePrice)
	case value > dearest*microOfDollar:
		return 0, fmt.Errorf("the price %s is above %d dollars per hour; %s", shown(text), dearest, likePrice)
	}
	return money.Price(value), nil
}

func areDigits(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c < '0' || c > '9' })
}

// writePrice is what parsePrice reads.
func writePrice(p money.Price) string {
	return fmt.Sprintf("%d.%06d", p/microOfDollar, p%microOfDollar)
}

// parseTime reads a moment as RFC 3339 spells it; offsets other than Z are turned into UTC.
func parseTime(text []byte) (time.Time, error) {
	var at time.Time
	if err := at.UnmarshalText(text); err != nil {
		return at, fmt.Errorf("the time %s can't be read; expected such as 2026-04-02T16:17:42Z", shown(text))
	}
	return sane(at.UTC(), text)
}

// parseDate reads a day, which stands for its first moment in UTC.
func parseDate(text []byte) (time.Time, error) {
	at, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return at, fmt.Errorf("the date %s can't be read; expected such as 2026-01-19", shown(text))
	}
	return sane(at, text)
}

// sane refuses times that no spot market has seen: a replay would run for centuries.
func sane(at time.Time, text []byte) (time.Time, error) {
	if year := at.Year(); year < 2000 || year >= 2100 {
		return at, fmt.Errorf("the time %s is out of range; expected one from 2000 to 2099", shown(text))
	}
	return at, nil
}

func writeTime(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// mostNodes bounds nodes_requested.
const mostNodes = 1_000_000

// parseNodes reads a count of nodes.
func parseNodes(column string, text []byte) (int, error) {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || n > mostNodes {
		return 0, fmt.Errorf("%s is %s; expected a whole number from 0 to %d", column, shown(text), mostNodes)
	}
	return int(n), nil
}

// plainName is what a type, a region or a trace may be called: nothing that needs quoting anywhere.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)

// checkType says nothing of whether the type exists: that is the catalogue's business.
func checkType(text []byte) error {
	if !plainName.Match(text) || bytes.IndexByte(text, '/') >= 0 {
		return fmt.Errorf("the type %s is no name; expected such as m5.large", shown(text))
	}
	return nil
}

// place is where capacity lies.
type place struct{ provider, region, zone string }

// spelling is how a provider spells its zones; the region is the first group.
type spelling struct {
	provider string
	zone     *regexp.Regexp
}

var spellings = []spelling{
	{"aws", regexp.MustCompile(`^([a-z]+(?:-[a-z]+)+-[0-9]+)(?:-[a-z]+-[0-9]+)?[a-z]$`)}, // us-east-1a, and us-west-2-lax-1a, a local zone of us-west-2
	{"gcp", regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`)},                         // us-central1-a
	{"azure", regexp.MustCompile(`^([a-z]+[0-9]*)-[0-9]$`)},                              // eastus2-1
}

// zonePlace finds provider and region of a zone by its spelling.
func zonePlace(zone []byte) (place, error) {
	if len(zone) <= 64 {
		for _, s := range spellings {
			if found := s.zone.FindSubmatch(zone); found != nil {
				return place{s.provider, string(found[1]), string(zone)}, nil
			}
		}
	}
	return place{}, fmt.Errorf("the zone %s is spelled like none of a known cloud; expected such as us-east-1a (AWS), us-central1-a (GCP) or eastus-1 (Azure)", shown(zone))
}

var regionName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// regionPlace takes a region as the provider names it. On AWS's price page a local zone is a region of its own ("us-west-2-lax-1"), and stays one here.
func regionPlace(provider string) func([]byte) (place, error) {
	return func(region []byte) (place, error) {
		if !regionName.Match(region) {
			return place{}, fmt.Errorf("the region %s is no name; expected such as us-east-1 (AWS) or eastus (Azure)", shown(region))
		}
		return place{provider: provider, region: string(region)}, nil
	}
}

// shown quotes a value for a sentence, and cuts it where it is long.
func shown(text []byte) string {
	if len(text) > 40 {
		text = append(text[:40:40], "…"...)
	}
	return strconv.Quote(string(text))
}
