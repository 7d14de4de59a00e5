package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tables is a small catalogue: one type sold in two regions, one without a known zone, one without a Linux price.
func tables() map[string]string {
	return map[string]string{
		"aws-instance-types.csv": "type,family,vcpu,memory_mib,arch,gpu_count,local_nvme_gib,local_storage_nvme,network_gbps,bare_metal,current_generation,max_pods,burstable\n" +
			"g6f.large,g6f,2,8192,x86_64,0.125,109.9,required,10.0,0,1,29,0\n" +
			"m1.small,m1,1,1740,x86_64,0,150,unsupported,,0,0,8,0\n" +
			"t4g.nano,t4g,2,512,arm64,0,0,,5.0,0,1,4,1\n",
		"aws-zone-offerings.csv.gz": "region,type,zones\n" +
			"us-east-1,g6f.large,us-east-1c|us-east-1a\neu-west-1,g6f.large,eu-west-1b\nus-east-1,t4g.nano,us-east-1f\n",
		"aws-prices.csv": "region,zone,type,on_demand_usd_hour,spot_usd_hour,as_of\n" +
			"us-east-1,,g6f.large,0.2,0.08,2026-05-12\neu-west-1,,g6f.large,0.22,,2026-05-12\nus-east-1,,m1.small,0.044,0.01,2026-05-12\n",
		"aws-prices-other-os.csv.gz": "region,os,type,on_demand_usd_hour,spot_usd_hour,as_of\n" +
			"us-east-1,windows,g6f.large,0.292,0.172,2026-05-12\nus-east-1,rhel,g6f.large,0.229,,2026-05-12\nus-east-1,suse,t4g.nano,0.1,0.05,2026-05-12\n",
		"aws-spot-advisor.csv": "region,os,type,savings_percent,interruption_bucket\nus-east-1,linux,g6f.large,60,3\nus-east-1,windows,g6f.large,40,0\n",
	}
}

func folder(t *testing.T, tables map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range tables {
		path := filepath.Join(dir, name)
		if !strings.HasSuffix(name, ".gz") {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := writeGzip(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWhatCanBeBoughtIsWrittenAndNothingElse(t *testing.T) {
	text, err := buildAWS(folder(t, tables()))
	if err != nil {
		t.Fatal(err)
	}
	_, facts, _ := strings.Cut(string(text), "\nR\t")
	want := "eu-west-1\tb\nR\tus-east-1\tac\n" +
		"T\tg6f.large\tg6f\t2\t8192\tx\t1\t1\t0\t0\t110\t10.0\t29\n" +
		"0\tb\t\t\t220000\t0\n" +
		"1\tac\t3\t0\t200000\t80000\t92000\t92000\t\t\t29000\n"
	if facts != want {
		t.Errorf("wrote\n%s\nwant\n%s", facts, want)
	}
}

func TestTheSameTablesGiveTheSameBytes(t *testing.T) {
	dir := folder(t, tables())
	first, err := buildAWS(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := buildAWS(dir)
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("another run gave other bytes: %v", err)
		}
	}
}

func TestTablesThatCannotBeTrustedAreRefused(t *testing.T) {
	for name, change := range map[string][3]string{
		"zone of another region":   {"aws-zone-offerings.csv.gz", "us-east-1a", "us-west-2a"},
		"local zone":               {"aws-zone-offerings.csv.gz", "us-east-1a", "us-east-1-bos-1a"},
		"price that is no number":  {"aws-prices.csv", "0.22", "cheap"},
		"price with seven places":  {"aws-prices-other-os.csv.gz", "0.292", "0.2920001"},
		"unknown architecture":     {"aws-instance-types.csv", "8192,x86_64", "8192,vax"},
		"disk size that is no one": {"aws-instance-types.csv", "109.9", "large"},
		"broken line":              {"aws-spot-advisor.csv", "us-east-1,linux", "us-east-1"},
	} {
		changed := tables()
		changed[change[0]] = strings.ReplaceAll(changed[change[0]], change[1], change[2])
		if _, err := buildAWS(folder(t, changed)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	missing := tables()
	delete(missing, "aws-prices.csv")
	if _, err := buildAWS(folder(t, missing)); err == nil {
		t.Error("a missing table was accepted")
	}
}

func TestThePackedFileUnpacksToTheText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gz")
	if err := writeGzip(path, []byte("text")); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unzip); err != nil || string(text) != "text" {
		t.Errorf("got %q, %v", text, err)
	}
}
