// Package money counts in exact integers, so that sums reconcile to the last unit.
//
// It owns prices, amounts and their text. It must not know what is being paid for. Start reading at Price and Amount.
package money

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Price is micro-dollars per hour.
type Price int64

// Amount is in ticks of 1/3600 micro-dollar: a price held for whole seconds is always a whole number of ticks.
// The range is about ±2.5 billion dollars.
type Amount int64

const (
	ticksPerMicro  = 3600
	microPerDollar = 1_000_000
	// Dollar is one US dollar.
	Dollar Amount = ticksPerMicro * microPerDollar
)

// For is the cost of holding the price for d, which counts whole seconds only.
func (p Price) For(d time.Duration) Amount { return Amount(int64(p) * int64(d/time.Second)) }

// Dollars is for display and for wire formats that carry floating point.
func (p Price) Dollars() float64 { return float64(p) / microPerDollar }

func (p Price) String() string { return "$" + decimal(int64(p), microPerDollar, 6) + "/h" }

// ParsePrice reads dollars per hour in decimal ("0.04366"), rounding half up beyond six places.
func ParsePrice(text string) (Price, error) {
	value, ok := new(big.Rat).SetString(strings.TrimSpace(text))
	if !ok {
		return 0, fmt.Errorf("price %q is not a decimal number", text)
	}
	value.Mul(value, big.NewRat(microPerDollar, 1))
	value.Add(value, big.NewRat(1, 2))
	whole := new(big.Int).Div(value.Num(), value.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("price %q is out of range", text)
	}
	return Price(whole.Int64()), nil
}

// Dollars is for display and for wire formats that carry floating point; sums are made on Amounts.
func (a Amount) Dollars() float64 { return float64(a) / float64(Dollar) }

// String shows dollars with four places, rounded half away from zero.
func (a Amount) String() string {
	per := int64(Dollar) / 10_000
	rounded := int64(math.Round(float64(a) / float64(per)))
	return "$" + decimal(rounded, 10_000, 4)
}

// Percent is 100 × part ÷ whole, 0 when whole is 0.
func Percent(part, whole Amount) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

func decimal(value, unit int64, places int) string {
	sign := ""
	if value < 0 {
		sign, value = "-", -value
	}
	fraction := strconv.FormatInt(value%unit, 10)
	fraction = strings.Repeat("0", places-len(fraction)) + fraction
	if trimmed := strings.TrimRight(fraction, "0"); len(trimmed) >= 2 {
		fraction = trimmed
	} else {
		fraction = fraction[:2]
	}
	return sign + strconv.FormatInt(value/unit, 10) + "." + fraction
}
