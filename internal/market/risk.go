package market

import (
	"math"
	"time"
)

// Risk is a chance of interruption within 30 days. Inside, it is a hazard: interruptions per instance and 30 days, so that risk = 1 − e^−hazard and hazards
// can be added. The vendor's class gives the prior. Own losses move it as in a gamma–Poisson estimate whose prior is worth priorMonths instance-months:
//
//	hazard = prior + losses ÷ priorMonths
//
// losses fade with lossHalfLife, and losses of one pool within oneEvent count once, because they come together. What the own instances survived is not counted,
// so the estimate errs on the careful side and forgets with time.
const (
	priorMonths  = 20.0
	lossHalfLife = 7 * 24 * time.Hour
	oneEvent     = 3 * time.Minute

	unknownRisk = 0.10 // for types that the vendor gives no class for [ours]
)

// classRisk are the mid-points of the vendor's classes; the last one is open, 25 % is its stand-in.
func classRisk() [5]float64 { return [5]float64{0.025, 0.075, 0.125, 0.175, 0.25} }

// classHazard turns a class into a hazard; classes that are not known get unknownRisk.
func classHazard(class int) float64 {
	risk := unknownRisk
	if known := classRisk(); class >= 0 && class < len(known) {
		risk = known[class]
	}
	return hazardOf(risk)
}

func hazardOf(risk float64) float64 { return -math.Log1p(-risk) }

func riskOf(hazard float64) float64 { return -math.Expm1(-hazard) }

// losses is a fading count.
type losses struct {
	count float64
	at    time.Time // of the last event
}

// add counts an event.
func (l *losses) add(at time.Time) (counts bool) {
	if l.count > 0 && at.Sub(l.at) < oneEvent {
		return false
	}
	l.count, l.at = l.now(at)+1, at
	return true
}

// now is the count as it has faded.
func (l *losses) now(at time.Time) float64 {
	if l.count == 0 || !at.After(l.at) {
		return l.count
	}
	return l.count * math.Exp2(-float64(at.Sub(l.at))/float64(lossHalfLife))
}

// after is a risk with own losses taken into account.
func (l *losses) after(risk float64, at time.Time) float64 {
	return riskOf(hazardOf(risk) + l.now(at)/priorMonths)
}
