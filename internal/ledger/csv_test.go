package ledger

import (
	"encoding/csv"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/money"
)

func TestASavingCanBeRecomputedFromTheExport(t *testing.T) {
	prices := bookOf(noon,
		market.Segment{From: noon.AddDate(-1, 0, 0), Price: 37_700, OnDemand: 96_000, Source: "feed"},
		market.Segment{From: noon.Add(17*time.Minute + 300*time.Millisecond), Price: 41_300, OnDemand: 96_000, Source: "feed"},
	)
	b := newBench(t, prices)
	b.open(meter("i-1", noon))
	b.clock.Advance(7 * time.Hour)
	b.post()
	lines, err := b.Lines(t.Context(), "act-1", "sig-1", noon, noon.Add(6*time.Hour+time.Second))
	b.must(err)
	var text strings.Builder
	b.must(WriteCSV(&text, lines))
	rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	b.must(err)

	column := map[string]int{}
	for n, name := range rows[0] {
		column[name] = n
	}
	number := func(row []string, name string) *big.Rat {
		value, ok := new(big.Rat).SetString(row[column[name]])
		if !ok {
			t.Fatalf("%s is %q", name, row[column[name]])
		}
		return value
	}
	saved, ticks := new(big.Rat), new(big.Rat)
	for _, row := range rows[1:] {
		perHour := new(big.Rat).Sub(number(row, "on_demand_usd_per_hour"), number(row, "price_usd_per_hour"))
		saved.Add(saved, perHour.Mul(perHour, number(row, "seconds")))
		ticks.Add(ticks, number(row, "potential_ticks")).Sub(ticks, number(row, "actual_ticks"))
		shown := new(big.Rat).Mul(number(row, "price_usd_per_hour"), number(row, "seconds"))
		shown.Quo(shown, big.NewRat(3600, 1))
		check(t, "actual_usd", row[column["actual_usd"]], shown.FloatString(10))
	}
	saved.Mul(saved, big.NewRat(int64(money.Dollar), 3600))
	want := big.NewRat(int64(Sum(lines).Saved()), 1)
	check(t, "saving by prices and seconds", saved.RatString(), want.RatString())
	check(t, "saving by ticks", ticks.RatString(), want.RatString())
}

func TestTheExportNamesEachThing(t *testing.T) {
	line := priced(Line{Meter: meter("i-1", noon), From: noon, To: noon.Add(90 * time.Second), Price: 30_000, OnDemand: 96_000, Source: "feed"})
	var text strings.Builder
	if err := WriteCSV(&text, []Line{line}); err != nil {
		t.Fatal(err)
	}
	check(t, "export", text.String(), strings.Join(columns, ",")+"\n"+
		"act-1,sig-1,i-1,sir-i-1,sim,us-east-1,us-east-1a,m5.large,Linux/UNIX,spot,"+
		"2026-03-01T12:00:00Z,2026-03-01T12:01:30Z,90,0.03,feed,0.096,0.0007500000,0.0024000000,0.0016500000,2700000,8640000\n")
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAnExportThatCannotBeWrittenSaysSo(t *testing.T) {
	if err := WriteCSV(full{}, nil); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}
