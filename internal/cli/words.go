package cli

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
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
