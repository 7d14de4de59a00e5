package money_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/money"
)

func TestPricesAreReadExactlyToTheMicroDollar(t *testing.T) {
	for text, want := range map[string]money.Price{
		"0.04366": 43_660, "0.018451": 18_451, "1": 1_000_000, " 2.736 ": 2_736_000, "0.0000005": 1, "0.0000004": 0, "32.7726": 32_772_600,
	} {
		if got, err := money.ParsePrice(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "free", "1,5", "99999999999999999999"} {
		if got, err := money.ParsePrice(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestTextIsForPeople(t *testing.T) {
	for want, got := range map[string]string{
		"$0.04366/h": money.Price(43_660).String(),
		"$2.00/h":    money.Price(2_000_000).String(),
		"$0.00":      money.Amount(0).String(),
		"$1.00":      money.Dollar.String(),
		"-$1.50":     "-" + money.Amount(money.Dollar+money.Dollar/2).String(),
		"$0.0001":    (money.Dollar / 10_000).String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Whatever way a span is cut, the parts cost what the whole costs: no rounding hides anywhere.
func TestTheCostOfPartsIsTheCostOfTheWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		price := money.Price(rapid.Int64Range(0, 500_000_000).Draw(r, "price"))
		var whole time.Duration
		var sum money.Amount
		for n := range rapid.IntRange(1, 20).Draw(r, "parts") {
			part := time.Duration(rapid.Int64Range(0, 86_400).Draw(r, fmt.Sprint("seconds", n))) * time.Second
			whole += part
			sum += price.For(part)
		}
		if sum != price.For(whole) {
			r.Fatalf("%d for the parts, %d for the whole", sum, price.For(whole))
		}
	})
}

func TestAnHourCostsItsPrice(t *testing.T) {
	if got := money.Price(43_660).For(time.Hour).Dollars(); got != 0.04366 {
		t.Errorf("an hour costs %v", got)
	}
	if got := money.Price(1).For(1500 * time.Millisecond); got != 1 {
		t.Errorf("part of a second counts: %d", got)
	}
}

func TestAPercentageOfNothingIsNothing(t *testing.T) {
	if got := money.Percent(3, 0); got != 0 {
		t.Errorf("%v", got)
	}
	if got := money.Percent(money.Dollar, 4*money.Dollar); got != 25 {
		t.Errorf("%v", got)
	}
}
