package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/neap-cloud/neap/internal/lab"
)

// dot is a policy in the chart of cost against interruptions.
type dot struct {
	policy        Policy
	number        int // of its shape and colour
	x, y          float64
	above         bool // it is dearer than the chart shows, and stands at its upper edge
	across, along box  // what its intervals take
	label         string
}

// scatter draws what each policy cost against how often it was interrupted; false when there are not two policies to compare.
func (r Report) scatter() (chart, bool) {
	c := chart{ID: "scatter", Width: 860, Height: 430, Title: "Cost against interruptions"}
	b := box{left: 76, top: 34, right: 830, bottom: 376}
	var dots []dot
	var floor []float64 // costs that nobody can undercut and of which nothing else is known
	for i, p := range r.Policies {
		switch rate := p.value(figurePerHour); {
		case p.value(figureCost).Mean <= 0:
		case !rate.isKnown():
			floor = append(floor, p.value(figureCost).Mean)
		default:
			dots = append(dots, dot{policy: p, number: i, label: p.Name})
		}
	}
	if len(dots) < 2 {
		return c, false
	}
	x, y := frame(b, dots, floor)
	c.grid(b, y, ticks(y.low, y.high, 6), func(v float64) string { return onAxis(v, y.high-y.low) })
	for _, v := range ticks(x.low, x.high, 8) {
		c.draw("grid", line(x.at(v), b.top, x.at(v), b.bottom))
		c.write("soft small", "middle", x.at(v), b.bottom+16, fmt.Sprintf("%.3g", v))
	}
	c.write("soft", "middle", (b.left+b.right)/2, b.bottom+40, "interruptions in 1,000 instance-hours, forced and voluntary")
	c.write("soft", "start", 4, 16, "cost of the whole span (not from zero: differences are to be seen)")
	for _, cost := range floor {
		c.draw("bound", line(b.left, y.at(cost), b.right, y.at(cost)))
		c.write("soft small", "end", b.right-4, y.at(cost)-5, "hindsight bound "+onAxis(cost, y.high-y.low)+": nobody can cost less")
	}
	var edge []step
	for _, o := range r.Frontier {
		edge = append(edge, step{x.at(o.PerThousandHours()), y.at(o.Cost.Dollars())})
	}
	if path := within(b, edge); path != "" {
		c.draw("bound", path)
	}
	for i := range dots {
		c.place(&dots[i], x, y, b)
	}
	for _, m := range labels(dots, b) {
		c.Marks = append(c.Marks, m)
	}
	c.Desc = r.comparison(dots)
	return c, true
}

// frame are the axes. What costs much more than the rest would flatten it, and is left above the chart.
func frame(b box, dots []dot, floor []float64) (x, y scale) {
	var costs []float64
	widest := 0.0
	for _, d := range dots {
		costs = append(costs, d.policy.value(figureCost).Mean)
		widest = max(widest, d.policy.value(figurePerHour).High)
	}
	costs = append(costs, floor...)
	slices.Sort(costs)
	low, high := costs[0], costs[len(costs)-1]
	for n := len(costs) - 1; n > 1 && (costs[n] > 1.5*costs[n-1] || costs[n]-low > 10*(costs[n-1]-low)); n-- {
		high = costs[n-1]
	}
	if high <= low {
		low, high = 0.9*low, 1.1*high
	}
	margin := (high - low) / 8
	for _, d := range dots {
		if v := d.policy.value(figureCost); v.Mean <= high {
			margin = max(margin, v.half()+(high-low)/20)
		}
	}
	if widest == 0 {
		widest = 1
	}
	return scale{0, 1.08 * widest, b.left, b.right}, scale{math.Max(0, low-margin), high + margin, b.bottom, b.top}
}

// place draws a policy's marker and its intervals.
func (c *chart) place(d *dot, x, y scale, b box) {
	cost, rate := d.policy.value(figureCost), d.policy.value(figurePerHour)
	d.x, d.y = x.at(rate.Mean), y.at(cost.Mean)
	if d.above = cost.Mean > y.high; d.above {
		d.y = b.top + 8
		d.label += " ↑ " + dollars(cost.Mean)
	}
	class := fmt.Sprintf("c%d", d.number%8)
	if len(d.policy.Runs) > 1 && !d.above {
		d.across = box{x.at(math.Max(0, rate.Low)), d.y - 2, x.at(rate.High), d.y + 2}
		d.along = box{d.x - 2, y.at(cost.High), d.x + 2, y.at(cost.Low)}
		c.draw("whisker "+class, line(d.across.left, d.y, d.across.right, d.y)+line(d.x, d.along.top, d.x, d.along.bottom))
	}
	tip := fmt.Sprintf("%s: %s, interrupted %s", d.policy.Name, d.policy.show(figureCost, dollars), d.policy.interruptions())
	c.Marks = append(c.Marks, mark{Class: "dot " + class, Path: shape(d.number, d.x, d.y), Tip: tip})
}

// spot is where a name may stand beside its marker.
type spot struct {
	box
	anchor string
}

// spots are the places around a marker at a distance, for a name so wide.
func (d dot) spots(distance, wide, high float64) (all []spot) {
	for _, down := range []float64{0, -1, 1} {
		top := d.y + down*distance - high/2
		right, left := d.x+distance, d.x-distance
		all = append(all, spot{box{right, top, right + wide, top + high}, "start"}, spot{box{left - wide, top, left, top + high}, "end"})
	}
	for _, top := range []float64{d.y - distance - high, d.y + distance} {
		all = append(all, spot{box{d.x - wide/2, top, d.x + wide/2, top + high}, "middle"})
	}
	return all
}

// labels puts each name where it covers neither a marker nor another name, with a line to its marker when that is not right beside it.
func labels(dots []dot, b box) (marks []mark) {
	const high, perLetter, around = 15.0, 7.3, 9.0
	var taken []box
	for _, d := range dots {
		taken = append(taken, box{d.x - around, d.y - around, d.x + around, d.y + around}, d.across, d.along)
	}
	for _, d := range dots {
		wide := perLetter * float64(len([]rune(d.label)))
		var best spot
		nearest, least := 0.0, math.Inf(1)
		for _, distance := range []float64{12, 26, 42, 60, 80} {
			for _, at := range d.spots(distance, wide, high) {
				if cost := crowded(at.box, taken, b) + distance; cost < least {
					best, nearest, least = at, distance, cost
				}
			}
		}
		taken = append(taken, best.box)
		if nearest > 12 {
			marks = append(marks, mark{Class: "leader", Path: line(d.x, d.y, math.Min(math.Max(d.x, best.left), best.right), math.Min(math.Max(d.y, best.top), best.bottom))})
		}
		x := map[string]float64{"start": best.left, "middle": (best.left + best.right) / 2, "end": best.right}[best.anchor]
		marks = append(marks, mark{Class: "name", Anchor: best.anchor, X: round(x), Y: round(best.bottom - 3), Text: d.label})
	}
	return marks
}

// crowded is how much of a place is taken or outside the chart.
func crowded(at box, taken []box, b box) (area float64) {
	for _, t := range taken {
		wide := math.Min(at.right, t.right) - math.Max(at.left, t.left)
		tall := math.Min(at.bottom, t.bottom) - math.Max(at.top, t.top)
		area += 10 * math.Max(0, wide) * math.Max(0, tall)
	}
	outside := math.Max(0, b.left-at.left) + math.Max(0, at.right-b.right) + math.Max(0, b.top-20-at.top) + math.Max(0, at.bottom-b.bottom)
	return area + 100*outside
}

// comparison is the chart in words.
func (r Report) comparison(dots []dot) string {
	text := ""
	for _, d := range dots {
		text += fmt.Sprintf("%s cost %s and was interrupted %s times in 1,000 instance-hours. ", d.policy.Name, dollars(d.policy.value(figureCost).Mean), places(2)(d.policy.value(figurePerHour).Mean))
	}
	if p, found := r.find(lab.PolicyHindsight); found {
		text += "Nobody can cost less than " + dollars(p.value(figureCost).Mean) + "."
	}
	return text
}

// onAxis writes a cost: with cents only where the axis is short.
func onAxis(v, reach float64) string {
	if reach < 10 {
		return "$" + grouped(v, 2)
	}
	return "$" + grouped(v, 0)
}
