package cli

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// text is a JSON string, or any other scalar as it was written.
type text string

// UnmarshalJSON takes a number or a boolean as readily as a string.
func (t *text) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(t))
	}
	if string(raw) != "null" {
		*t = text(raw)
	}
	return nil
}

// age says how long ago t was, in one or two units; "" when t is not known.
func age(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d)
}

// span is a duration in the largest unit that is whole, with the next one where it still matters.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// dollars shows an amount of money with four places.
func dollars(amount json.Number) string { return "$" + decimal(amount, 4) }

// decimal rounds a number for people; what is no number is shown as 0.
func decimal(n json.Number, places int) string {
	value, ok := new(big.Rat).SetString(n.String())
	if !ok {
		value = new(big.Rat)
	}
	return value.FloatString(places)
}

// sum adds decimals without rounding.
func sum(amounts []json.Number) json.Number {
	total := new(big.Rat)
	for _, amount := range amounts {
		if value, ok := new(big.Rat).SetString(amount.String()); ok {
			total.Add(total, value)
		}
	}
	return json.Number(total.FloatString(9))
}

// saved is 100 × (1 − part ÷ whole): what was saved, "" when there is nothing to compare with.
func saved(actual, potential json.Number) string {
	a, okActual := new(big.Rat).SetString(actual.String())
	p, okPotential := new(big.Rat).SetString(potential.String())
	if !okActual || !okPotential || p.Sign() == 0 {
		return ""
	}
	part := new(big.Rat).Sub(p, a)
	return part.Mul(part.Quo(part, p), big.NewRat(100, 1)).FloatString(1) + "%"
}

func number(n int) string { return strconv.Itoa(n) }

// several lists words, cutting a long list short.
func several(words []string, most int) string {
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}
