package plan

import (
	"math"
	"time"
)

// The score of a market, in points. Everything is computed in integers (thousandths of a point), so that a plan is the same on every machine.
//
//	score = price + safety + spread
//	price  = 100 × weight.price  × (price per unit of the cheapest open market ÷ price per unit here)
//	safety = 100 × weight.safety × (1 − risk ÷ 30 %), at least 0; risk is the chance of interruption within 30 days
//	spread = −100 × weight.spread × (⅔ × share of the target held in this pool + ⅓ × share held in its zone)
//
// spread is what keeps a fleet from standing on one leg: it is counted anew with every instance bought, so that a fleet fills the best pool until the next
// best, less what it holds, is better. A pool that is much better than all others may still take everything; a tie never does.
const (
	point     = int64(1000)
	full      = 100 * point
	worstRisk = 300_000 // millionths: from 30 % a month on, safety scores nothing

	// acceptableRisk is costOriented's threshold, in millionths: a market above it loses 100 points, so that it is used only when no other is left.
	acceptableRisk = 200_000
)

// weights are in thousandths.
type weights struct{ price, safety, spread int64 }

// weigh are the weights of a rule [ours]. A wished-for lifetime moves up to half of the price's weight to safety, fully at 24 hours.
func weigh(rule Rule, lifetime time.Duration) weights {
	var w weights
	switch rule {
	case CostOriented:
		w = weights{1000, 0, 100}
	case Cheapest:
		w = weights{1000, 0, 0}
	case AvailabilityOriented:
		w = weights{200, 800, 500}
	default: // Balanced, and inside a zone of EqualZones
		w = weights{500, 500, 300}
	}
	moved := w.price / 2 * int64(min(max(lifetime, 0), 24*time.Hour)/time.Minute) / (24 * 60)
	w.price -= moved
	w.safety += moved
	return w
}

// priceTerm is in thousandths of a point; perUnit and cheapest are in the same unit of money.
func (w weights) priceTerm(perUnit, cheapest int64) int64 {
	if perUnit <= 0 || cheapest <= 0 {
		return 0
	}
	return full / 1000 * w.price * min(cheapest, perUnit) / perUnit
}

func (w weights) safetyTerm(rule Rule, risk float64) int64 {
	millionths := int64(math.Round(min(max(risk, 0), 1) * 1e6))
	term := full / 1000 * w.safety * max(0, worstRisk-millionths) / worstRisk
	if rule == CostOriented && millionths > acceptableRisk {
		term -= full
	}
	return term
}

// spreadTerm is at most 0.
func (w weights) spreadTerm(inPool, inZone, target int) int64 {
	return -(full / 1000 * w.spread * int64(2*inPool+inZone) / int64(3*max(1, target)))
}
