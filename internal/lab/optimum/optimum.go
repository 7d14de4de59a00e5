// Package optimum knows the future: what a workload would have cost at least in a world, had somebody known every price and every loss beforehand.
//
// It owns the yardstick that policies are measured against, and how exact it is. It must not know planners, models or what a policy sees. Everything is counted in
// whole seconds since the world began; parts of a second are cut off. Start reading at Fleet, then Job and Batch.
package optimum

import (
	"fmt"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
	"github.com/neap-cloud/neap/internal/lab/world"
	"github.com/neap-cloud/neap/internal/money"
)

// Result is an outcome, and what it is worth.
type Result struct {
	Outcome lab.Outcome
	Exact   bool   // a schedule exists that costs just this; otherwise none costs less
	Why     string // it is exact, or what was left out, for people
	Stays   []Stay // of one instance after the other, where one schedule stands for all: a steady fleet's, or that of one job
}

// Stay is one instance: what is bought, and when.
type Stay struct {
	Pool     int // place in World.Pools; OnDemand for on demand of the cheapest type
	Launched time.Time
	Until    time.Time
	Lost     bool // the cloud takes it at its end
}

// OnDemand stands for the pool of an instance that is not spot.
const OnDemand = -1

const (
	weighed  = "every schedule was weighed"
	drawnGap = "pools whose depth and losses are drawn are taken to be always open and never to take an instance back"
)

// judge says what a result is worth that leaves these things out.
func (r *Result) judge(gaps []string) {
	r.Exact, r.Why = len(gaps) == 0, weighed
	if !r.Exact {
		r.Why = "no schedule costs less, but the least may cost more: " + strings.Join(gaps, "; ")
	}
	r.Outcome.Bound = !r.Exact
}

// paid are the hours of stays.
func paid(stays []Stay) (spot, demand float64) {
	for _, s := range stays {
		if s.Pool == OnDemand {
			demand += s.Until.Sub(s.Launched).Hours()
		} else {
			spot += s.Until.Sub(s.Launched).Hours()
		}
	}
	return spot, demand
}

// list is the price on demand of the cheapest type.
func list(w *world.World) (money.Price, error) {
	var least money.Price
	for n := range w.Pools {
		if price := w.Pools[n].OnDemand; price > 0 && (least == 0 || price < least) {
			least = price
		}
	}
	if least == 0 {
		return 0, fmt.Errorf("the world %q has no pool with a price on demand: every yardstick needs one to fall back to", w.Name)
	}
	return least, nil
}

// moment is the time of a second.
func moment(w *world.World, second int64) time.Time {
	return w.From.Add(time.Duration(second) * time.Second)
}
