package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// chart is a drawing that the page writes as SVG.
type chart struct {
	ID            string // within the page
	Title, Desc   string // for those who can't see it
	Width, Height float64
	Marks         []mark // from the back to the front
}

// mark is a path, or a text when it has one. How it looks is a matter of its classes.
type mark struct {
	Class, Path, Text, Tip string
	X, Y                   float64
	Anchor                 string // of a text: "start", "middle", "end"
}

// box is where the values of a chart are drawn, between its axes.
type box struct{ left, top, right, bottom float64 }

// scale leads from values to places, in a straight line.
type scale struct{ low, high, from, to float64 }

func (s scale) at(v float64) float64 {
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}

func (c *chart) draw(class, path string) { c.Marks = append(c.Marks, mark{Class: class, Path: path}) }

func (c *chart) write(class, anchor string, x, y float64, text string) {
	c.Marks = append(c.Marks, mark{Class: class, Anchor: anchor, X: round(x), Y: round(y), Text: text})
}

// grid draws horizontal lines with their values left of them.
func (c *chart) grid(b box, y scale, values []float64, label func(v float64) string) {
	for _, v := range values {
		c.draw("grid", line(b.left, y.at(v), b.right, y.at(v)))
		c.write("soft small", "end", b.left-6, y.at(v)+4, label(v))
	}
}

// days draws vertical lines at round times with their dates below.
func (c *chart) days(b box, x scale, from, until time.Time, lines int) {
	step, layout := calendar(until.Sub(from), lines)
	for t := from.UTC().Truncate(step); !t.After(until); t = t.Add(step) {
		if t.Before(from) {
			continue
		}
		at := x.at(float64(t.Unix()))
		c.draw("grid", line(at, b.top, at, b.bottom))
		c.write("soft small", "middle", at, b.bottom+14, t.Format(layout))
	}
}

// calendar is the distance between vertical lines that gives at most so many, and how their times are written.
func calendar(span time.Duration, lines int) (time.Duration, string) {
	const day = 24 * time.Hour
	for _, step := range []time.Duration{time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour} {
		if span/step < time.Duration(lines) {
			return step, "2 Jan 15:04"
		}
	}
	for _, days := range []time.Duration{1, 2, 4, 7, 14, 28, 56, 112} {
		if span/(days*day) < time.Duration(lines) {
			return days * day, "2 Jan"
		}
	}
	return (span/time.Duration(lines)/day + 1) * day, "Jan 2006"
}

// wholes are the ticks of something that is counted.
func wholes(low, high float64, about int) []float64 {
	return slices.DeleteFunc(ticks(low, high, about), func(v float64) bool { return v != math.Round(v) })
}

// ticks are round values from low to high, about so many.
func ticks(low, high float64, about int) (all []float64) {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(about))))
	for _, times := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*times) <= float64(about) {
			step *= times
			break
		}
	}
	for n := math.Ceil(low/step - 1e-9); n*step <= high+step*1e-9; n++ {
		all = append(all, n*step+0) // without + 0 a zero may be a negative one
	}
	return all
}

// line is a path between two points.
func line(x1, y1, x2, y2 float64) string { return "M" + pair(x1, y1) + "L" + pair(x2, y2) }

// within is the part of the path through points, given from left to right or from right to left, that lies inside a box.
func within(b box, points []step) string {
	path := ""
	for i := 1; i < len(points); i++ {
		from, to, seen := cut(b, points[i-1], points[i])
		if seen {
			path += line(from.x, from.y, to.x, to.y)
		}
	}
	return path
}

// cut is the part of a straight line that lies inside a box.
func cut(b box, p, q step) (from, to step, seen bool) {
	low, high := 0.0, 1.0
	for _, edge := range [][2]float64{{p.x - q.x, p.x - b.left}, {q.x - p.x, b.right - p.x}, {p.y - q.y, p.y - b.top}, {q.y - p.y, b.bottom - p.y}} {
		switch slope, room := edge[0], edge[1]; {
		case slope == 0 && room < 0:
			return p, q, false
		case slope < 0:
			low = max(low, room/slope)
		case slope > 0:
			high = min(high, room/slope)
		}
	}
	at := func(part float64) step { return step{p.x + part*(q.x-p.x), p.y + part*(q.y-p.y)} }
	return at(low), at(high), low < high
}

// rectangle is a closed path.
func rectangle(x1, y1, x2, y2 float64) string {
	return "M" + pair(x1, y1) + "H" + short(x2) + "V" + short(y2) + "H" + short(x1) + "Z"
}

// step is a value that holds from a place until the next step.
type step struct{ x, y float64 }

// stairs is a path along steps up to the place where the last of them ends.
func stairs(steps []step, end float64) string {
	if len(steps) == 0 {
		return ""
	}
	var path strings.Builder
	path.WriteString("M" + pair(steps[0].x, steps[0].y))
	level := steps[0].y
	for _, s := range steps[1:] {
		if short(s.y) == short(level) {
			continue
		}
		path.WriteString("H" + short(s.x) + "V" + short(s.y))
		level = s.y
	}
	path.WriteString("H" + short(end))
	return path.String()
}

// shape is the marker with that number around a place: no two policies share one, so that colour is not all that tells them apart.
func shape(number int, x, y float64) string {
	polygon := func(corners ...float64) string {
		path := "M"
		for i := 0; i < len(corners); i += 2 {
			path += map[bool]string{true: "L"}[i > 0] + pair(x+corners[i], y+corners[i+1])
		}
		return path + "Z"
	}
	switch number % 8 {
	case 0:
		return "M" + pair(x-6, y) + "a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z"
	case 1:
		return polygon(-5.5, -5.5, 5.5, -5.5, 5.5, 5.5, -5.5, 5.5)
	case 2:
		return polygon(0, -7, 6.5, 5, -6.5, 5)
	case 3:
		return polygon(0, -7.5, 7.5, 0, 0, 7.5, -7.5, 0)
	case 4:
		return polygon(0, 7, 6.5, -5, -6.5, -5)
	case 5:
		return polygon(-2, -7, 2, -7, 2, -2, 7, -2, 7, 2, 2, 2, 2, 7, -2, 7, -2, 2, -7, 2, -7, -2, -2, -2)
	case 6:
		return polygon(-7, 0, -3.5, -6, 3.5, -6, 7, 0, 3.5, 6, -3.5, 6)
	}
	return polygon(-4, -7, 0, -3, 4, -7, 7, -4, 3, 0, 7, 4, 4, 7, 0, 3, -4, 7, -7, 4, -3, 0, -7, -4)
}

func pair(x, y float64) string { return short(x) + " " + short(y) }

// short is a place with one decimal, which is finer than anybody sees.
func short(v float64) string { return strconv.FormatFloat(round(v), 'f', -1, 64) }

func round(v float64) float64 { return math.Round(v*10) / 10 }
