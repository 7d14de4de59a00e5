// Command generate builds the embedded catalogues from a folder of catalogue CSV files.
//
// It owns the reading of those files; the text format it writes is described in ../decode.go, which reads it back. Run from the
// module's root with: go run ./internal/catalog/generate [-cloud aws|azure] [-o FILE] DIR
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"flag"
	"fmt"
	"log"
	"maps"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	cloud := flag.String("cloud", "aws", "whose catalogue")
	out := flag.String("o", "", "the file to write; none = internal/catalog/CLOUD.txt.gz")
	flag.Parse()
	build := map[string]func(string) ([]byte, error){"aws": buildAWS, "azure": buildAzure}[*cloud]
	if flag.NArg() != 1 || build == nil {
		log.Fatal("usage: generate [-cloud aws|azure] [-o FILE] DIR, where DIR holds aws-prices.csv and its siblings")
	}
	text, err := build(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	if err := writeGzip(cmp.Or(*out, "internal/catalog/"+*cloud+".txt.gz"), text); err != nil {
		log.Fatal(err)
	}
}

// products are the operating systems in the order of the columns of an offer; Linux leads, the others are written as differences to it.
var products = []string{"linux", "windows", "suse", "rhel"}

type place struct{ region, name string }

// price is in micro-dollars per hour; 0 means not sold that way.
type price struct{ onDemand, spot int64 }

// table is one CSV file and what is done with each of its lines.
type table struct {
	file string
	take func(record) error
}

// source says where a table of the catalogue comes from; the dates are those in the CSV files' own as_of columns and description.
type source struct{ table, name, asOf string }

type facts struct {
	types   map[string]record
	zones   map[place][]string
	prices  map[place]map[string]price
	advisor map[place]map[string]string
}

func newFacts() facts {
	return facts{
		types: map[string]record{}, zones: map[place][]string{}, prices: map[place]map[string]price{},
		advisor: map[place]map[string]string{},
	}
}

func buildAWS(dir string) ([]byte, error) {
	f := newFacts()
	return f.build(dir, []table{
		{"aws-instance-types.csv", f.takeType},
		{"aws-zone-offerings.csv.gz", f.takeZones},
		{"aws-prices.csv", f.takePrice},
		{"aws-prices-other-os.csv.gz", f.takePrice},
		{"aws-spot-advisor.csv", f.takeAdvisor},
	}, []source{
		{"prices", "AWS price list with spot averages over zones, as carried by instances.vantage.sh", "2026-05-12"},
		{"interruption", "AWS Spot Instance Advisor, as carried by alexei-led/spotinfo", "2025-06-28"},
		{"types", "AWS instance type descriptions, as carried by getmoto/moto and aws/karpenter-provider-aws", "2026-08-02"},
		{"zones", "AWS instance type offerings by zone, as carried by getmoto/moto", "2026-08-01"},
	})
}

func (f *facts) build(dir string, tables []table, sources []source) ([]byte, error) {
	for _, table := range tables {
		if err := eachRecord(filepath.Join(dir, table.file), table.take); err != nil {
			return nil, err
		}
	}
	return f.encode(sources)
}

func (f *facts) takeType(r record) error {
	f.types[r["type"]] = r
	return nil
}

func (f *facts) takeZones(r record) error {
	zones := strings.Split(r["zones"], "|")
	for _, zone := range zones {
		if len(zone) != len(r["region"])+1 || !strings.HasPrefix(zone, r["region"]) {
			return fmt.Errorf("zone %q is not region %q plus one letter", zone, r["region"])
		}
	}
	slices.Sort(zones)
	f.zones[place{r["region"], r["type"]}] = zones
	return nil
}

func (f *facts) takePrice(r record) error {
	at := place{r["region"], r["type"]}
	onDemand, err := micros(r["on_demand_usd_hour"])
	if err != nil {
		return err
	}
	spot, err := micros(r["spot_usd_hour"])
	if err != nil {
		return err
	}
	if f.prices[at] == nil {
		f.prices[at] = map[string]price{}
	}
	f.prices[at][cmp.Or(r["os"], products[0])] = price{onDemand, spot}
	return nil
}

func (f *facts) takeAdvisor(r record) error {
	at := place{r["region"], r["type"]}
	if f.advisor[at] == nil {
		f.advisor[at] = map[string]string{}
	}
	f.advisor[at][r["os"]] = r["interruption_bucket"]
	return nil
}

// encode keeps what can be bought: a type in a region with a Linux price and at least one known zone.
func (f *facts) encode(sources []source) ([]byte, error) {
	byType := map[string][]string{}
	letters := map[string]map[byte]bool{}
	for at, prices := range f.prices {
		zones := f.zones[at]
		if _, sold := prices[products[0]]; !sold || len(zones) == 0 || f.types[at.name] == nil {
			continue
		}
		byType[at.name] = append(byType[at.name], at.region)
		if letters[at.region] == nil {
			letters[at.region] = map[byte]bool{}
		}
		for _, zone := range zones {
			letters[at.region][zone[len(zone)-1]] = true
		}
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, "neap-catalog\t1")
	for _, source := range sources {
		fmt.Fprintf(&out, "S\t%s\t%s\t%s\n", source.table, source.name, source.asOf)
	}
	regions := slices.Sorted(maps.Keys(letters))
	number := map[string]int{}
	for i, region := range regions {
		number[region] = i
		fmt.Fprintf(&out, "R\t%s\t%s\n", region, string(slices.Sorted(maps.Keys(letters[region]))))
	}
	for _, name := range slices.Sorted(maps.Keys(byType)) {
		if err := f.encodeType(&out, name); err != nil {
			return nil, err
		}
		slices.Sort(byType[name])
		for _, region := range byType[name] {
			f.encodeOffer(&out, number[region], place{region, name})
		}
	}
	return out.Bytes(), nil
}

func (f *facts) encodeType(out *bytes.Buffer, name string) error {
	r := f.types[name]
	nvme := 0.0
	if r["local_storage_nvme"] == "required" {
		var err error
		if nvme, err = strconv.ParseFloat(r["local_nvme_gib"], 64); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	gpus, err := wholeUp(r["gpu_count"])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	arch := map[string]string{"x86_64": "x", "arm64": "a"}[r["arch"]]
	if arch == "" {
		return fmt.Errorf("%s: unknown architecture %q", name, r["arch"])
	}
	fields := []string{"T", name, r["family"], r["vcpu"], r["memory_mib"], arch, gpus, r["current_generation"], r["bare_metal"],
		r["burstable"], strconv.Itoa(int(math.Round(nvme))), r["network_gbps"], r["max_pods"]}
	fmt.Fprintln(out, strings.Join(fields, "\t"))
	return nil
}

func (f *facts) encodeOffer(out *bytes.Buffer, region int, at place) {
	zones := ""
	for _, zone := range f.zones[at] {
		zones += zone[len(zone)-1:]
	}
	linux := f.prices[at][products[0]]
	fields := []string{strconv.Itoa(region), zones, f.advisor[at]["linux"], f.advisor[at]["windows"],
		strconv.FormatInt(linux.onDemand, 10), strconv.FormatInt(linux.spot, 10)}
	for _, product := range products[1:] {
		p, sold := f.prices[at][product]
		if !sold {
			fields = append(fields, "", "")
			continue
		}
		spot := ""
		if p.spot > 0 {
			spot = strconv.FormatInt(p.spot-linux.spot, 10)
		}
		fields = append(fields, strconv.FormatInt(p.onDemand-linux.onDemand, 10), spot)
	}
	fmt.Fprintln(out, strings.TrimRight(strings.Join(fields, "\t"), "\t"))
}

// micros turns decimal dollars into micro-dollars; the files have at most six places, so nothing is lost.
func micros(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, fmt.Errorf("price %q is not a number", text)
	}
	value.Mul(value, big.NewRat(1_000_000, 1))
	if !value.IsInt() {
		return 0, fmt.Errorf("price %q has more than six places", text)
	}
	return value.Num().Int64(), nil
}

// wholeUp rounds a share of a GPU up to one.
func wholeUp(text string) (string, error) {
	value, err := strconv.ParseFloat(cmp.Or(text, "0"), 64)
	if err != nil {
		return "", err
	}
	if whole := int(value); float64(whole) == value {
		return strconv.Itoa(whole), nil
	}
	return strconv.Itoa(int(value) + 1), nil
}

func writeGzip(path string, text []byte) error {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := zip.Write(text); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes of text, %d packed\n", path, len(text), packed.Len())
	return os.WriteFile(path, packed.Bytes(), 0o644)
}
