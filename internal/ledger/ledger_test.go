package ledger

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/market"
)

func TestADaySumsItsLinesAlsoWhenThereAreNone(t *testing.T) {
	b := newBench(t, steady())
	b.open(meter("i-1", noon.Add(11*time.Hour)))
	b.clock.Advance(72 * time.Hour)
	b.close("i-1", noon.Add(14*time.Hour))
	b.post()
	from, to := noon.AddDate(0, 0, -1), noon.AddDate(0, 0, 3)
	lines, err := b.Lines(t.Context(), "act-1", "sig-1", from, to)
	b.must(err)
	text := ""
	for _, day := range Daily(lines, from, to) {
		text += fmt.Sprintf("%s %v, ", day.Date.Format(time.DateOnly), day.Running)
	}
	check(t, "days", text, "2026-02-28 0s, 2026-03-01 1h0m0s, 2026-03-02 2h0m0s, 2026-03-03 0s, 2026-03-04 0s, ")
	check(t, "days of an empty range", len(Daily(lines, to, from)), 0)
}

func TestDaysAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prices := drawBook(t)
		var lines []Line
		for range rapid.IntRange(0, 5).Draw(t, "instances") {
			from := floor(drawInstant(t, "began", 40*time.Hour))
			to := from.Add(time.Duration(rapid.IntRange(0, 60*3600).Draw(t, "seconds")) * time.Second)
			held, _ := prices.Prices(t.Context(), "sim", spot, from, to)
			one, err := cut(meter("i-1", from), from, to, held)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, one...)
		}
		from, to := drawInstant(t, "from", 50*time.Hour), drawInstant(t, "to", 100*time.Hour)
		var days, whole Cost
		for _, day := range Daily(lines, from, to) {
			days.Running, days.Actual, days.Potential = days.Running+day.Running, days.Actual+day.Actual, days.Potential+day.Potential
		}
		for _, line := range lines {
			if part, ok := line.within(from, to); ok {
				whole.add(part)
			}
		}
		if days != whole {
			t.Fatalf("days make %v, the range %v", days, whole)
		}
	})
}

func TestASavingMayBeNegative(t *testing.T) {
	dear := bookOf(noon, market.Segment{From: noon.AddDate(-1, 0, 0), Price: 100, OnDemand: 90})
	b := newBench(t, dear)
	b.open(meter("i-1", noon))
	b.clock.Advance(time.Hour)
	check(t, "saved", b.cost(noon, noon.Add(time.Hour)).Saved(), -10*3600)
}

func BenchmarkAWeekOfFiftyInstances(b *testing.B) {
	bench := newBench(b, steady())
	for n := range 50 {
		bench.open(meter(fmt.Sprint("i-", n), noon))
	}
	bench.clock.Advance(7*24*time.Hour + Settle)
	bench.post()
	from, to := noon, noon.AddDate(0, 0, 7)
	count := 0
	for b.Loop() {
		lines, err := bench.Lines(b.Context(), "act-1", "sig-1", from, to)
		bench.must(err)
		count = len(lines)
		Daily(lines, from, to)
	}
	b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "lines/s")
}
