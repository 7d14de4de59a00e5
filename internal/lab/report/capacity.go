package report

import (
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/lab"
)

// columnsDrawn is how many steps a small chart shows; more would not be seen.
const columnsDrawn = 240

// capacities draws one chart for each policy that has a timeline: what was wanted, what served and what was paid for. With several seeds it is the first one's.
func (r Report) capacities() (all []chart) {
	most := 1
	for _, p := range r.Policies {
		for _, s := range p.Runs[0].Timeline {
			most = max(most, s.Target, s.Serving, s.Spot+s.Demand)
		}
	}
	for i, p := range r.Policies {
		if samples := p.Runs[0].Timeline; len(samples) > 1 {
			all = append(all, r.capacity(i, p, worst(samples, columnsDrawn), most))
		}
	}
	return all
}

func (r Report) capacity(number int, p Policy, samples []lab.Sample, most int) chart {
	c := chart{ID: fmt.Sprintf("capacity-%d", number), Width: 400, Height: 170, Title: "Capacity of " + p.Name}
	b := box{left: 36, top: 8, right: 392, bottom: 146}
	x := scale{float64(r.World.From.Unix()), float64(r.World.Until.Unix()), b.left, b.right}
	y := scale{0, 1.08 * float64(most), b.bottom, b.top}
	c.grid(b, y, wholes(y.low, y.high, 4), places(0))
	c.days(b, x, r.World.From, r.World.Until, 6)
	along := func(of func(s lab.Sample) int) (steps []step) {
		for _, s := range samples {
			steps = append(steps, step{x.at(float64(s.At.Unix())), y.at(float64(of(s)))})
		}
		return steps
	}
	area := func(class string, of func(s lab.Sample) int) {
		steps := along(of)
		c.draw(class, stairs(steps, b.right)+"V"+short(b.bottom)+"H"+short(steps[0].x)+"Z")
	}
	area("area spot", func(s lab.Sample) int { return s.Spot + s.Demand })
	area("area demand", func(s lab.Sample) int { return s.Demand })
	c.draw("target", stairs(along(func(s lab.Sample) int { return s.Target }), b.right))
	c.draw("serving", stairs(along(func(s lab.Sample) int { return s.Serving }), b.right))
	lowest := samples[0]
	for _, s := range samples {
		if s.Serving-s.Target < lowest.Serving-lowest.Target {
			lowest = s
		}
	}
	c.Desc = fmt.Sprintf("%s of the paid hours were on demand. At the worst moment, %s, %d of %d instances served.",
		percent(1)(p.Runs[0].DemandShare()), lowest.At.UTC().Format(time.DateTime), lowest.Serving, lowest.Target)
	return c
}

// worst keeps of every stretch of the timeline the moment when most was missing, and where nothing was missing the one furthest from the target.
func worst(samples []lab.Sample, columns int) []lab.Sample {
	if len(samples) <= columns {
		return samples
	}
	badness := func(s lab.Sample) int {
		if missing := s.Target - s.Serving; missing > 0 {
			return 1_000_000 * missing
		}
		return s.Spot + s.Demand - s.Target
	}
	kept := make([]lab.Sample, 0, columns)
	for n := range columns {
		stretch := samples[n*len(samples)/columns : (n+1)*len(samples)/columns]
		chosen := stretch[0]
		for _, s := range stretch[1:] {
			if badness(s) > badness(chosen) {
				chosen = s
			}
		}
		chosen.At = stretch[0].At
		kept = append(kept, chosen)
	}
	return kept
}
