package world

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

var update = flag.Bool("update", false, "write the shipped recordings anew")

// shippedWorld is the world that the shipped recordings were made of: six types that can stand in for each other, of classes from 5–10 % to above 20 %.
func shippedWorld(t *testing.T) World {
	t.Helper()
	w, err := Simulated(Options{
		Types: []string{"c6i.xlarge", "c7i.xlarge", "m5.xlarge", "m6i.xlarge", "m7i.xlarge", "r6i.xlarge"},
		Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"},
		Seed:  6,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTheShippedRecordingsAreWhatRecordWrites(t *testing.T) {
	prices, availability := Record(shippedWorld(t))
	prices.Name, availability.Name = ShippedPrices, ShippedAvailability
	var texts [2]bytes.Buffer
	if err := trace.WritePrices(&texts[0], prices); err != nil {
		t.Fatal(err)
	}
	if err := trace.WriteAvailability(&texts[1], availability); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for n, name := range []string{ShippedPrices, ShippedAvailability} {
		path := filepath.Join("shipped", name)
		if *update {
			if err := os.WriteFile(path, zipped(t, texts[n].Bytes()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(unzipped(t, path), texts[n].Bytes()) {
			t.Errorf("%s is not what the simulated world gives; if that was meant, run this test with -update", path)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 150<<10 {
		t.Errorf("the recordings take %d bytes", size)
	}
}

func zipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = zip.Write(text)
	}
	if err == nil {
		err = zip.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func unzipped(t *testing.T, path string) []byte {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheShippedWorldIsTheSimulatedOneAsAProberSeesIt(t *testing.T) {
	prices, availability, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if !prices.Simulated || !availability.Simulated || len(prices.Skipped) > 0 || len(availability.Skipped) > 0 {
		t.Errorf("prices simulated %v, skipped %v; availability simulated %v, skipped %v", prices.Simulated, prices.Skipped, availability.Simulated, availability.Skipped)
	}
	made := shippedWorld(t)
	read, err := FromBoth(prices, availability, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Pools) != 18 || len(made.Pools) != 18 || !read.From.Equal(made.From) || !read.Until.Equal(made.Until) || !read.Simulated || !read.Recorded {
		t.Fatalf("%d pools from %s to %s, simulated %v, recorded %v", len(read.Pools), read.From, read.Until, read.Simulated, read.Recorded)
	}
	for n := range made.Pools {
		want, got := &made.Pools[n], &read.Pools[n]
		if got.Type != want.Type || got.Zone != want.Zone || got.Priced != PricedRecorded || len(got.Prices) != len(want.Prices) || len(want.Prices) < 4 {
			t.Fatalf("%s %s: %d prices, %s; want %s %s with %d", got.Type, got.Zone, len(got.Prices), got.Priced, want.Type, want.Zone, len(want.Prices))
		}
		for _, c := range want.Prices {
			for _, at := range []time.Time{c.At, c.At.Add(-time.Millisecond)} {
				if got.PriceAt(at) != want.PriceAt(at) {
					t.Fatalf("%s %s at %s: %v, want %v", want.Type, want.Zone, at, got.PriceAt(at), want.PriceAt(at))
				}
			}
		}
		up, probes := 0.0, 0.0
		for at := made.From; at.Before(made.Until); at = at.Add(probeEvery) {
			isUp := want.Fates.Room(0, at) > 0
			if isUp != (got.Fates.Room(0, at) > 0) {
				t.Fatalf("%s %s at %s: up is %v in the world", want.Type, want.Zone, at, isUp)
			}
			if probes++; isUp {
				up++
			}
		}
		if dry := 1 - up/probes; dry == 0 || math.Abs(dry-[]float64{0.01, 0.03, 0.06, 0.10, 0.20}[want.Class]) > 0.13 {
			t.Errorf("%s %s of class %d is dry %.3f of the time", want.Type, want.Zone, want.Class, dry)
		}
	}
}
