package physics

import (
	"fmt"
	"math"
	"testing"

	"github.com/neap-cloud/neap/internal/money"
)

// tapes makes many price histories of one simulated type each.
func tapes(count int) []Tape {
	world := Dice(11)
	var all []Tape
	for n := range count {
		all = append(all, TapeOf(world, "us-east-1", "us-east-1a", fmt.Sprint("type", n)))
	}
	return all
}

func (t Tape) at(now Instant) float64 { return math.Log(t.Factor(t.Changed(now))) }

func TestPricesChangeAsOftenAsInTheTrace(t *testing.T) {
	var gaps []float64
	const span = 59 * Day
	changes := 0
	for _, tape := range tapes(200) {
		last := tape.Changed(start)
		for now := start; now < start+span; now += 10 * Minute {
			if moment := tape.Changed(now); moment != last {
				if moment < last || moment > now {
					t.Fatalf("the price changed at %d, then at %d, seen at %d", last, moment, now)
				}
				gaps = append(gaps, float64(moment-last)/float64(Hour))
				last = moment
				changes++
			}
		}
	}
	near(t, "changes a day", float64(changes)/200/59, 2.77, 0.15)
	near(t, "hours between changes: lower quartile", quantile(gaps, 0.25), 5.39, 0.6)
	near(t, "hours between changes: median", quantile(gaps, 0.5), 6.24, 0.6)
	near(t, "hours between changes: upper quartile", quantile(gaps, 0.75), 7.09, 0.8)
}

func TestChangesAreAllMomentsAtWhichThePriceBecomesAnother(t *testing.T) {
	for _, tape := range append(tapes(60), Tape{dice: 3, changes: leastChange / 5}) { // the last stands still for longer than is looked back
		last, found := tape.Changed(start), tape.Changes(start, start+30*Day)
		for now := start; now < start+30*Day; now += Minute {
			for len(found) > 0 && found[0] <= now {
				if last == tape.Changed(found[0]) || last != tape.Changed(found[0]-1) {
					t.Fatalf("no change at %d", found[0])
				}
				last, found = tape.Changed(found[0]), found[1:]
			}
			if last != tape.Changed(now) {
				t.Fatalf("a change before %d is missing", now)
			}
		}
		if len(found) > 0 {
			t.Fatalf("changes after the end: %v", found)
		}
	}
}

func TestPricesMoveAsFarAsInTheTrace(t *testing.T) {
	all := tapes(10_000)
	for _, c := range []struct{ days, stated, tolerance float64 }{
		{1, 0.0170, 0.2}, {2, 0.0289, 0.2}, {4, 0.0479, 0.2}, {7, 0.0695, 0.2}, {14, 0.0990, 0.2}, {28, 0.1285, 0.2},
	} {
		sum, lag := 0.0, Instant(c.days*float64(Day))
		for n, tape := range all {
			from := start + Instant(n%30)*Day
			move := tape.at(from+lag) - tape.at(from)
			sum += move * move
		}
		near(t, fmt.Sprintf("standard deviation of log price over %g days", c.days), math.Sqrt(sum/float64(len(all))), c.stated, c.tolerance*c.stated)
	}
}

func TestSeriesAreAsUnevenlyLivelyAsInTheTrace(t *testing.T) {
	var spreads []float64
	for _, tape := range tapes(400) {
		var sum, squares float64
		const samples = 236
		for n := range samples {
			x := tape.at(start + Instant(n)*6*Hour)
			sum += x
			squares += x * x
		}
		spreads = append(spreads, math.Sqrt(max(0, squares/samples-(sum/samples)*(sum/samples))))
	}
	near(t, "spread within a series: lower decile", quantile(spreads, 0.1), 0.0071, 0.004)
	near(t, "spread within a series: median", quantile(spreads, 0.5), 0.0314, 0.006)
	near(t, "spread within a series: upper decile", quantile(spreads, 0.9), 0.0953, 0.02)
}

func TestZonesDifferAsInTheTrace(t *testing.T) {
	world := Dice(12)
	var away []float64
	for n := range 1000 {
		var offsets [5]float64
		mean := 0.0
		for z := range offsets {
			offsets[z] = TapeOf(world, "us-east-1", fmt.Sprint("zone", z), fmt.Sprint("type", n)).offset
			mean += offsets[z] / 5
		}
		for _, offset := range offsets {
			away = append(away, math.Abs(offset-mean))
		}
	}
	near(t, "distance of a zone from its type's mean: median", quantile(away, 0.5), 0.049, 0.02)
	near(t, "distance of a zone from its type's mean: upper quartile", quantile(away, 0.75), 0.100, 0.02)
	near(t, "distance of a zone from its type's mean: upper decile", quantile(away, 0.9), 0.181, 0.02)
}

func TestAPriceIsRoundedAndBounded(t *testing.T) {
	for factor, want := range map[float64]money.Price{1: 43_700, 2: 87_300, 9: 96_000, 0.001: 4_400} {
		if got := Priced(43_660, 96_000, factor); got != want {
			t.Errorf("factor %v gives %v, want %v", factor, got, want)
		}
	}
	if got := Priced(30, 200, 1); got != priceStep {
		t.Errorf("the least price is %v", got)
	}
}
