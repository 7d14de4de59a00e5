package trace_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/money"
)

const (
	byZone  = "time,zone,type,spot_usd_hour\n"
	byDate  = "date,region,type,spot_linux_usd_hour,spot_windows_usd_hour\n"
	byAzure = "time,region,size,spot_usd_hour\n"
)

func moment(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at.UTC()
}

func price(at string, p money.Price) trace.PricePoint {
	return trace.PricePoint{At: moment(at), Price: p}
}

func packed(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEveryFormatOfPricesIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []trace.PriceSeries
	}{
		"by zone": {
			byZone + "2026-03-01T00:00:00Z,us-east-1a,m5.large,0.0416\n2026-03-01T06:30:00Z,us-east-1a,m5.large,0.05\n2026-03-01T00:00:00Z,us-central1-a,n1-standard-4,0.067010\n",
			[]trace.PriceSeries{
				{Provider: "aws", Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Points: []trace.PricePoint{price("2026-03-01T00:00:00Z", 41_600), price("2026-03-01T06:30:00Z", 50_000)}},
				{Provider: "gcp", Region: "us-central1", Zone: "us-central1-a", Type: "n1-standard-4", Points: []trace.PricePoint{price("2026-03-01T00:00:00Z", 67_010)}},
			},
		},
		"by region and date, sorted by date": {
			byDate + "2026-01-18,us-east-1,m5.large,0.04,0.1\n2026-01-18,eu-west-1,m5.large,0.05,\n2026-01-19,us-east-1,m5.large,0.041,0.1\n",
			[]trace.PriceSeries{
				{Provider: "aws", Region: "us-east-1", Type: "m5.large", Points: []trace.PricePoint{price("2026-01-18T00:00:00Z", 40_000), price("2026-01-19T00:00:00Z", 41_000)}},
				{Provider: "aws", Region: "eu-west-1", Type: "m5.large", Points: []trace.PricePoint{price("2026-01-18T00:00:00Z", 50_000)}},
			},
		},
		"of Azure": {
			byAzure + "2026-04-02T16:17:42Z,westus3,Standard_NC80adis_H100_v5,7.7827\n",
			[]trace.PriceSeries{{Provider: "azure", Region: "westus3", Type: "Standard_NC80adis_H100_v5", Points: []trace.PricePoint{price("2026-04-02T16:17:42Z", 7_782_700)}}},
		},
		"as a spreadsheet or the vendor's command line spells it": {
			"\ufeff" + `"time","zone","type","spot_usd_hour"` + "\r\n\r\n" + `"2026-03-01T02:00:00+02:00","us-west-2-lax-1a","m5.large","0.041600"` + "\r\n2026-03-01T00:00:00.5Z,us-west-2-lax-1a,m5.large,1",
			[]trace.PriceSeries{{Provider: "aws", Region: "us-west-2", Zone: "us-west-2-lax-1a", Type: "m5.large", Points: []trace.PricePoint{price("2026-03-01T00:00:00Z", 41_600), price("2026-03-01T00:00:00.5Z", 1_000_000)}}},
		},
	} {
		sum := sha256.Sum256([]byte(c.text))
		want := trace.Prices{Name: "x.csv", Digest: hex.EncodeToString(sum[:]), Series: c.want}
		for how, file := range map[string][]byte{"plain": []byte(c.text), "gzip": packed(t, c.text)} {
			if got, err := trace.ReadPrices("x.csv", bytes.NewReader(file)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: %v\n got %+v\nwant %+v", name, how, err, got, want)
			}
		}
	}
}

func TestAFileSaysThatItIsSimulated(t *testing.T) {
	const row = "2026-03-01T00:00:00Z,us-east-1a,m5.large,0.0416\n"
	for comment, want := range map[string]bool{
		"":                                false,
		"# simulated\n":                   true,
		"#Simulated: 30 days, seed 7\n":   true,
		"# of 2026\n#\n# simulated\n":     true,
		"# recorded, nothing simulated\n": false,
	} {
		if got, err := trace.ReadPrices("x.csv", strings.NewReader(comment+byZone+row)); err != nil || got.Simulated != want {
			t.Errorf("%q: simulated %v, %v", comment, got.Simulated, err)
		}
	}
}

func TestWhatAFormatAllowsIsSkippedWithACount(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		points int
		want   []trace.Skip
	}{
		"a recording that overlaps an earlier one": {
			byZone + "2026-03-01T00:00:00Z,us-east-1a,m5.large,0.04\n2026-03-01T01:00:00Z,us-east-1a,m5.large,0.05\n2026-03-01T00:00:00Z,us-east-1b,m5.large,0.04\n" +
				"2026-03-01T00:00:00Z,us-east-1a,m5.large,0.040\n2026-03-01T01:00:00Z,us-east-1a,m5.large,0.05\n2026-03-01T02:00:00Z,us-east-1a,m5.large,0.05\n",
			3, []trace.Skip{{Why: "repeat an earlier row", Rows: 2, First: 5}},
		},
		"types without a price for Linux": {
			byDate + "2026-01-18,us-east-1,m5.large,0.04,\n2026-01-18,us-east-1,m5.xlarge,,0.1\n2026-01-19,us-east-1,m5.large,,0.1\n2026-01-19,us-east-1,m5.large,0.04,0.1\n2026-01-19,us-east-1,m5.large,0.04,0.2\n",
			2, []trace.Skip{{Why: "have no Linux price", Rows: 2, First: 3}, {Why: "repeat an earlier row", Rows: 1, First: 6}},
		},
	} {
		got, err := trace.ReadPrices("x.csv", strings.NewReader(c.text))
		if err != nil || !reflect.DeepEqual(got.Skipped, c.want) || len(got.Series) == 0 || len(got.Series[0].Points) != c.points {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}

func TestBadPricesAreRefusedWithFileAndLine(t *testing.T) {
	const (
		good    = "2026-03-01T00:00:00Z,us-east-1a,m5.large,0.0416\n"
		headers = "one of: time,zone,type,spot_usd_hour; date,region,type,spot_linux_usd_hour,spot_windows_usd_hour; time,region,size,spot_usd_hour; " +
			"trace,zone,type,time,nodes_requested,nodes_available,available,spot_usd_hour"
		row = "2026-03-01T01:00:00Z,us-east-1a,m5.large,"
	)
	for text, want := range map[string]string{
		"":                                            "x.csv: it has no header; expected " + headers + ".",
		"# simulated\n":                               "x.csv: it has no header; expected " + headers + ".",
		byZone:                                        "x.csv: it has a header but no prices.",
		"time,price\n":                                `x.csv, line 1: the header "time,price" is of no known format; expected ` + headers + ".",
		"# a\n\n" + upDown:                            "x.csv, line 3: this is a file of availability; hand it over with --availability.",
		byZone + "2026-03-01,a,0.1\n":                 "x.csv, line 2: the row has 3 fields; expected 4: time,zone,type,spot_usd_hour.",
		byZone + "\n# simulated\n" + good:             "x.csv, line 3: the row has 1 field; expected 4: time,zone,type,spot_usd_hour.",
		byZone + good + row + "abc\n":                 `x.csv, line 3: the price "abc" is no number; expected dollars per hour such as 0.0416.`,
		byZone + good + row + "0,05\n":                "x.csv, line 3: the row has 5 fields; expected 4: time,zone,type,spot_usd_hour.",
		byZone + row + "\n":                           `x.csv, line 2: the price "" is no number; expected dollars per hour such as 0.0416.`,
		byZone + row + "NaN\n":                        `x.csv, line 2: the price "NaN" is no number; expected dollars per hour such as 0.0416.`,
		byZone + row + "Inf\n":                        `x.csv, line 2: the price "Inf" is no number; expected dollars per hour such as 0.0416.`,
		byZone + row + "1e-3\n":                       `x.csv, line 2: the price "1e-3" is no number; expected dollars per hour such as 0.0416.`,
		byZone + row + "0.1.2\n":                      `x.csv, line 2: the price "0.1.2" is no number; expected dollars per hour such as 0.0416.`,
		byZone + row + ".\n":                          `x.csv, line 2: the price "." is no number; expected dollars per hour such as 0.0416.`,
		byZone + row + "-0.1\n":                       `x.csv, line 2: the price "-0.1" is not above zero; expected dollars per hour such as 0.0416.`,
		byZone + row + "0.0000004\n":                  `x.csv, line 2: the price "0.0000004" is not above zero; expected dollars per hour such as 0.0416.`,
		byZone + row + "100000.000001\n":              `x.csv, line 2: the price "100000.000001" is above 100000 dollars per hour; expected dollars per hour such as 0.0416.`,
		byZone + row + strings.Repeat("9", 60) + "\n": `x.csv, line 2: the price "` + strings.Repeat("9", 40) + `…" is above 100000 dollars per hour; expected dollars per hour such as 0.0416.`,
		byZone + "yesterday,us-east-1a,m5.large,1\n":  `x.csv, line 2: the time "yesterday" can't be read; expected such as 2026-04-02T16:17:42Z.`,
		byZone + "1970-01-01T00:00:00Z,us-east-1a,m5.large,1\n": `x.csv, line 2: the time "1970-01-01T00:00:00Z" is out of range; expected one from 2000 to 2099.`,
		byZone + "2026-03-01T00:00:00Z,use1-az1,m5.large,1\n":   `x.csv, line 2: the zone "use1-az1" is spelled like none of a known cloud; expected such as us-east-1a (AWS), us-central1-a (GCP) or eastus-1 (Azure).`,
		byZone + "2026-03-01T00:00:00Z,us-east-1a,m5 large,1\n": `x.csv, line 2: the type "m5 large" is no name; expected such as m5.large.`,
		byZone + "2026-03-01T00:00:00Z,us-east-1a,,1\n":         `x.csv, line 2: the type "" is no name; expected such as m5.large.`,
		byDate + "19/01/2026,us-east-1,m5.large,1,\n":           `x.csv, line 2: the date "19/01/2026" can't be read; expected such as 2026-01-19.`,
		byDate + "2026-01-19,US East,m5.large,1,\n":             `x.csv, line 2: the region "US East" is no name; expected such as us-east-1 (AWS) or eastus (Azure).`,
		byAzure + "2026-01-19T00:00:00Z,eastus,D2,\n":           `x.csv, line 2: the price "" is no number; expected dollars per hour such as 0.0416.`,
		byZone + row + "1\n" + good: "x.csv, line 3: the series us-east-1a m5.large goes back in time, from 2026-03-01T01:00:00Z to 2026-03-01T00:00:00Z; " +
			"sort the rows of each series by time.",
		byZone + row + "1\n2026-03-01T00:00:00Z,us-east-1b,m5.large,1\n" + good: "x.csv, line 4: the series us-east-1a m5.large goes back in time, from 2026-03-01T01:00:00Z to " +
			"2026-03-01T00:00:00Z; sort the rows of each series by time.",
		byZone + row + "1\n" + row + "1.5\n": "x.csv, line 3: the series us-east-1a m5.large has two prices at 2026-03-01T01:00:00Z, 1.000000 and 1.500000; keep one, that of Linux.",
		byDate + "2026-01-19,us-east-1,a,1,\n2026-01-18,us-east-1,a,1,\n": "x.csv, line 3: the series us-east-1 a goes back in time, from 2026-01-19T00:00:00Z to 2026-01-18T00:00:00Z; " +
			"sort the rows of each series by time.",
		byZone + strings.Repeat("x", 5000): "x.csv, line 2: the line is longer than 4096 characters; a row of a trace never is.",
		strings.Repeat("x", 1<<20):         "x.csv, line 1: the line is longer than 4096 characters; a row of a trace never is.",
		"\x1f\x8b":                         "x.csv, line 1: the gzip data end too early; copy the file again.",
		"\x1f\x8b no gzip at all":          "x.csv, line 1: the gzip data are damaged; copy the file again.",
	} {
		_, err := trace.ReadPrices("x.csv", strings.NewReader(text))
		if err == nil || err.Error() != want || !fault.Is(err, fault.Invalid) {
			t.Errorf("%.120q is refused with\n%v\nwant\n%s", text, err, want)
		}
	}
}

func TestDamagedGzipDataAreRefusedWithTheLineReached(t *testing.T) {
	whole := packed(t, byZone+"2026-03-01T00:00:00Z,us-east-1a,m5.large,0.0416\n")
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-5] ^= 1
	for want, file := range map[string][]byte{
		"x.csv.gz, line 3: the gzip data end too early; copy the file again.": whole[:len(whole)-1],
		"x.csv.gz, line 3: the gzip data are damaged; copy the file again.":   flipped,
	} {
		if _, err := trace.ReadPrices("x.csv.gz", bytes.NewReader(file)); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestAFileIsBoundedHoweverSmallItIsPacked(t *testing.T) {
	const text = 3 << 20
	bomb := packed(t, byZone+strings.Repeat("\n", text))
	if _, err := trace.ReadPricesWithin("x.csv.gz", bytes.NewReader(bomb), text, 100, 10); err == nil || !strings.HasSuffix(err.Error(), ": the file is larger than 3 MiB when unpacked; split it by zone or by time.") {
		t.Errorf("%d bytes that unpack to more than %d: %v", len(bomb), text, err)
	}
	two := byZone + "2026-03-01T00:00:00Z,us-east-1a,m5.large,1\n2026-03-01T00:00:00Z,us-east-1b,m5.large,1\n"
	if _, err := trace.ReadPricesWithin("x.csv", strings.NewReader(two), int64(len(two)), 100, 2); err != nil {
		t.Errorf("just within the limits: %v", err)
	}
	const want = "x.csv, line 3: the file has more than 1 series; split it by region."
	if _, err := trace.ReadPricesWithin("x.csv", strings.NewReader(two), text, 100, 1); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// failing is a disk that breaks.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAFileThatCannotBeReadOnIsRefused(t *testing.T) {
	const want = "x.csv, line 2: the file can't be read: io: read/write on closed pipe."
	if _, err := trace.ReadPrices("x.csv", io.MultiReader(strings.NewReader(byZone), failing{})); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
