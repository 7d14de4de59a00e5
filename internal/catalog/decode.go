package catalog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/neap-cloud/neap/internal/money"
)

// The packed text has one fact a line, fields separated by tabs. The first line is "neap-catalog 1"; then
//
//	S table name asOf                        a source
//	R region letters                         a region and the letters, or digits, of its zones; regions are numbered from 0
//	T name family vcpus memory arch gpus current metal burstable nvme gbps pods
//	n letters linuxClass windowsClass onDemand spot  (onDemand spot)×3
//
// A line that starts with a number offers the latest T in region n. Prices are micro-dollars; those of Windows, SUSE and RHEL are
// differences to Linux, empty where not sold. Trailing empty fields are left out.

// row is an offer in its compact form.
type row struct {
	kind  *Type
	zones string
	class [2]int8 // Linux and its kin, Windows; -1 unknown
	sold  [4]bool
	costs [4]struct{ onDemand, spot money.Price }
}

func decode(vendor string, packed []byte) (*facts, error) {
	unzip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(unzip)
	if err != nil {
		return nil, err
	}
	d := decoder{cloud: &facts{
		vendors: map[string]string{}, sources: map[string]Source{}, zones: map[string][]string{}, types: map[string]Type{}, offers: map[shelf]func() []Offer{},
	}}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if lines[0] != "neap-catalog\t1" {
		return nil, fmt.Errorf("unknown format %q", lines[0])
	}
	for number, line := range lines[1:] {
		if err := d.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+2, err)
		}
	}
	for _, region := range d.cloud.regions {
		d.cloud.vendors[region] = vendor
	}
	return d.finish(), nil
}

type decoder struct {
	cloud  *facts
	fields []string
	kind   *Type
	rows   [][]row // by region
}

var errShort = errors.New("too few fields")

func (d *decoder) line(line string) error {
	d.fields = d.fields[:0]
	for field := range strings.SplitSeq(line, "\t") {
		d.fields = append(d.fields, field)
	}
	switch tag := d.fields[0]; tag {
	case "S":
		return d.source()
	case "R":
		return d.region()
	case "T":
		return d.typeFacts()
	default:
		return d.offer(tag)
	}
}

func (d *decoder) source() error {
	if len(d.fields) < 4 {
		return errShort
	}
	d.cloud.sources[d.fields[1]] = Source{Name: d.fields[2], AsOf: d.fields[3]}
	return nil
}

func (d *decoder) region() error {
	if len(d.fields) < 3 {
		return errShort
	}
	region := d.fields[1]
	d.cloud.regions = append(d.cloud.regions, region)
	d.cloud.zones[region] = spell(region, d.fields[2])
	d.rows = append(d.rows, nil)
	return nil
}

// spell turns zone letters and digits into zone names: "us-east-1a", "eastus-1".
func spell(region, letters string) []string {
	zones := make([]string, len(letters))
	for i := range zones {
		if zones[i] = region + letters[i:i+1]; letters[i] <= '9' {
			zones[i] = region + "-" + letters[i:i+1]
		}
	}
	return zones
}

func (d *decoder) typeFacts() error {
	f := d.fields
	if len(f) < 13 {
		return errShort
	}
	gbps, err := strconv.ParseFloat(orZero(f[11]), 64)
	if err != nil {
		return err
	}
	numbers := map[string]int{}
	for i, name := range map[int]string{3: "vcpus", 4: "memory", 6: "gpus", 10: "nvme", 12: "pods"} {
		if numbers[name], err = strconv.Atoi(orZero(f[i])); err != nil {
			return err
		}
	}
	kind := Type{
		Name: f[1], Family: f[2], VCPUs: numbers["vcpus"], MemoryMiB: numbers["memory"],
		Arch: map[string]string{"x": "x86_64", "a": "arm64"}[f[5]], GPUs: numbers["gpus"], Generation: generation(f[2]),
		Current: f[7] == "1", BareMetal: f[8] == "1", Burstable: f[9] == "1",
		LocalNVMeGiB: numbers["nvme"], NetworkGbps: gbps, MaxPods: numbers["pods"],
	}
	d.kind = &kind
	d.cloud.types[kind.Name] = kind
	return nil
}

func orZero(text string) string {
	if text == "" {
		return "0"
	}
	return text
}

// generation is the number that follows the letters of a family name: 5 for m5dn, 7 for u7i-12tb, 4 for mac-m4.
func generation(family string) int {
	from := strings.IndexAny(family, "0123456789")
	if strings.HasPrefix(family, "u-") { // u-12tb1: the leading number is the memory
		from = len(family) - 1
	}
	if from < 0 {
		return 0
	}
	return int(family[from] - '0')
}

func (d *decoder) offer(tag string) error {
	number, err := strconv.Atoi(tag)
	if err != nil || number < 0 || number >= len(d.rows) || d.kind == nil {
		return fmt.Errorf("unknown line %q", tag)
	}
	if len(d.fields) < 6 {
		return errShort
	}
	parsed := row{kind: d.kind, zones: d.fields[1], class: [2]int8{-1, -1}}
	for i, text := range d.fields[2:4] {
		if text != "" {
			parsed.class[i] = int8(text[0] - '0')
		}
	}
	for product := range parsed.costs {
		at := 4 + 2*product
		if at >= len(d.fields) || d.fields[at] == "" {
			continue
		}
		if err := parsed.price(product, d.fields[at:]); err != nil {
			return err
		}
	}
	d.rows[number] = append(d.rows[number], parsed)
	return nil
}

func (r *row) price(product int, fields []string) error {
	linux := r.costs[0] // zero while Linux itself is read
	onDemand, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return err
	}
	r.sold[product] = true
	r.costs[product].onDemand = linux.onDemand + money.Price(onDemand)
	if len(fields) < 2 || fields[1] == "" {
		return nil
	}
	spot, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return err
	}
	r.costs[product].spot = linux.spot + money.Price(spot)
	return nil
}

func (d *decoder) finish() *facts {
	for number, region := range d.cloud.regions {
		for product, name := range Products() {
			d.cloud.offers[shelf{region, name}] = sync.OnceValue(func() []Offer {
				return unpack(region, product, d.rows[number])
			})
		}
	}
	return d.cloud
}

func unpack(region string, product int, rows []row) []Offer {
	offers := make([]Offer, 0, len(rows))
	zones := map[string][]string{} // one slice for each set of zones
	for _, r := range rows {
		if !r.sold[product] {
			continue
		}
		if zones[r.zones] == nil {
			zones[r.zones] = spell(region, r.zones)
		}
		class := r.class[0]
		if product == slices.Index(Products(), Windows) {
			class = r.class[1]
		}
		offers = append(offers, Offer{
			Type: *r.kind, Zones: zones[r.zones], OnDemand: r.costs[product].onDemand, Spot: r.costs[product].spot, Interruption: int(class),
		})
	}
	return offers
}
