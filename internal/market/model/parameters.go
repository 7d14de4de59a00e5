package model

import (
	"math"
	"time"
)

// Parameters are all that can be tuned. docs/market.md tells the experiment that set each.
type Parameters struct {
	Youth   float64       // hours that are added to a pool's age: the shorter, the likelier a pool that has just come back is lost again
	Trust   float64       // troubles that the vendor's class is worth against own experience: the fewer, the faster is learned
	Memory  time.Duration // half-life of evidence
	Strange float64       // hours: as old a pool is taken to be at most while nothing of ours runs in it
	Type    float64       // what evidence on the same type in another zone is worth, 0–1
	Family  float64       // what evidence on another type of the family in the same zone is worth, 0–1
	Signal  float64       // troubles that a rebalance signal is worth
	Price   float64       // how much faster a pool is lost whose price is e times the usual: hazard × (price ÷ usual)^Price
}

// Usual are the parameters that the engine works with.
func Usual() Parameters {
	return Parameters{Youth: 0.1, Trust: 0.2, Memory: 7 * 24 * time.Hour, Strange: 1, Type: 0.25, Family: 0.1, Signal: 0.5, Price: 0.5}
}

// unknownRisk stands for types that the vendor gives no class for [ours].
const unknownRisk = 0.10

// classRisks are the mid-points of the vendor's classes of monthly interruption; the last one is open, 25 % is its stand-in.
func classRisks() [5]float64 { return [5]float64{0.025, 0.075, 0.125, 0.175, 0.25} }

// Prior is the law of a pool that nobody has any experience with.
func (p Parameters) Prior(f Facts) Law { return Law{Base: base(f.Class) * p.pressure(f), Age: month} }

func base(class int) float64 {
	risk := unknownRisk
	if known := classRisks(); class >= 0 && class < len(known) {
		risk = known[class]
	}
	return -math.Log1p(-risk) / month
}

// calm is the time, on the scale on which troubles come at a constant rate, that a class stands for before there is a first trouble.
func (p Parameters) calm(class int) float64 {
	perMonth := base(class) * month / math.Log1p(month/p.Youth)
	return p.Trust / perMonth
}

// mostPressure bounds what a price can do to a hazard, either way.
const mostPressure = 10

// pressure is what a price says of a pool, against the usual one; without a usual one nothing.
func (p Parameters) pressure(f Facts) float64 {
	if f.Price <= 0 || f.Usual <= 0 || f.Price == f.Usual || p.Price == 0 {
		return 1
	}
	return min(mostPressure, max(1.0/mostPressure, math.Pow(f.Price/f.Usual, p.Price)))
}
