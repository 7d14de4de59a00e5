package trace_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/lab/trace"
)

// refused holds every refusal to naming the file.
func refused(t *testing.T, err error) {
	t.Helper()
	if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "x.csv") || !strings.HasSuffix(err.Error(), ".") {
		t.Errorf("refused with %q", err)
	}
}

func ordered(t *testing.T, points []trace.PricePoint) {
	t.Helper()
	for n, p := range points {
		if p.Price <= 0 || n > 0 && !p.At.After(points[n-1].At) {
			t.Errorf("point %d of %+v", n, points)
		}
	}
}

func FuzzReadPrices(f *testing.F) {
	for _, header := range []string{byZone, byDate, byAzure, "# simulated\n" + byZone, upDown, ""} {
		for _, row := range []string{
			"2026-03-01T00:00:00Z,us-east-1a,m5.large,0.0416\n2026-03-01T00:00:01Z,us-east-1a,m5.large,7\n", "2026-01-19,us-east-1,m5.large,0.04,\n2026-01-19,us-east-1,m5.xlarge,,1\n",
			"\"2026-03-01T00:00:00Z\",\"eastus\",D2,.5\r\n", "2026-03-01T00:00:00Z,us-central1-a,n1,NaN\n",
		} {
			f.Add([]byte(header + row))
			f.Add(packed(f, header+row))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := trace.ReadPrices("x.csv", bytes.NewReader(file))
		if err != nil {
			refused(t, err)
			return
		}
		isByZone := true
		seen := map[[2]string]bool{}
		for _, s := range got.Series {
			key := [2]string{s.Region + "/" + s.Zone, s.Type}
			if len(s.Points) == 0 || seen[key] || s.Region == "" || s.Type == "" || s.Provider == "" {
				t.Errorf("series %+v", s)
			}
			seen[key] = true
			ordered(t, s.Points)
			isByZone = isByZone && s.Zone != ""
		}
		if !isByZone {
			return
		}
		var text bytes.Buffer
		if err := trace.WritePrices(&text, got); err != nil {
			t.Fatal(err)
		}
		back, err := trace.ReadPrices("x.csv", &text)
		if err != nil || !reflect.DeepEqual(back.Series, got.Series) || back.Simulated != got.Simulated {
			t.Errorf("%v\nwritten %+v\nread %+v", err, got, back)
		}
	})
}

func FuzzReadAvailability(f *testing.F) {
	const row = "preemption/1-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T00:00:00Z,1,0,0,\n"
	for _, text := range []string{
		upDown + row, upDown + row + row, byZone + row,
		upDown + row + "preemption/1-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T00:30:00Z,1,1,1,0.9\npreemption/1-node/aws-1,us-east-1a,p3.2xlarge,2023-02-15T01:00:00Z,1,1,1,\n",
		upDown + "availability/x,us-central1-a,n1,2023-02-15T00:00:00Z,4,4,1,.9\navailability/x,us-central1-a,n1,2023-02-15T00:00:09Z,4,3,0,\n",
	} {
		f.Add([]byte(text))
		f.Add(packed(f, text))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := trace.ReadAvailability("x.csv", bytes.NewReader(file))
		if err != nil {
			refused(t, err)
			return
		}
		for _, s := range got.Series {
			if s.Nodes < 1 || len(s.Points) == 0 || !s.Ends.After(s.Points[0].At) || s.Points[len(s.Points)-1].At.After(s.Ends) {
				t.Errorf("series %+v", s)
			}
			ordered(t, s.Prices)
			for n, p := range s.Points {
				if n > 0 && (p.Up == s.Points[n-1].Up || !p.At.After(s.Points[n-1].At)) {
					t.Errorf("point %d of %+v", n, s.Points)
				}
			}
		}
		var text bytes.Buffer
		if err := trace.WriteAvailability(&text, got); err != nil {
			t.Fatal(err)
		}
		back, err := trace.ReadAvailability("x.csv", &text)
		if err != nil || !reflect.DeepEqual(back.Series, got.Series) || back.Simulated != got.Simulated {
			t.Errorf("%v\nwritten %+v\nread %+v", err, got, back)
		}
	})
}
