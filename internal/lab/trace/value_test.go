package trace_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/lab/trace"
	"github.com/neap-cloud/neap/internal/money"
)

func TestPricesAreReadAsEverywhereElse(t *testing.T) {
	plain := rapid.StringMatching(`[0-9]{0,5}(\.[0-9]{0,12})?`)
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.OneOf(plain, rapid.String(), rapid.StringMatching(`[0-9.eE+\-]{0,9}`)).Draw(r, "text")
		got, err := trace.ParsePrice([]byte(text))
		want, wantErr := money.ParsePrice(text)
		if err == nil && (wantErr != nil || got != want || got <= 0) {
			r.Fatalf("%q: %d, elsewhere %d, %v", text, got, want, wantErr)
		}
		if err != nil && wantErr == nil && want > 0 && want <= 100_000_000_000 && strings.Trim(text, "0123456789.") == "" {
			r.Fatalf("%q: %v, elsewhere %d", text, err, want)
		}
	})
}

func TestRegionsAreToldByTheSpellingOfZones(t *testing.T) {
	for _, where := range places() {
		text := fmt.Sprintf("%s2026-03-01T00:00:00Z,%s,m5.large,1\n", byZone, where[2])
		got, err := trace.ReadPrices("x.csv", strings.NewReader(text))
		if err != nil {
			t.Error(err)
			continue
		}
		if s := got.Series[0]; s.Provider != where[0] || s.Region != where[1] || s.Zone != where[2] {
			t.Errorf("%v is taken for %+v", where, s)
		}
	}
}
