package main

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/lab"
)

// panel is the picture of one world: the share of on demand against interruptions.
type panel struct {
	title string
	dots  []dot
}

// dot is a contender, or a point of hindsight's line.
type dot struct {
	label string
	class string // "ours", "lasting", "other", "bound"
	x, y  float64
}

func panelOf(title string, who []contender, c comparison) panel {
	p := panel{title: title}
	for n, one := range who {
		d := dot{label: one.label, class: "other", x: c.values[n][rate].Mean, y: 100 * c.values[n][ofOnDemand].Mean}
		switch {
		case one.policy == lab.PolicyHindsight:
			d.class = "bound"
		case one.returns:
			d.class, d.label = "lasting", string(one.rule)+", back"
			if one.lifetime > 0 {
				d.label = fmt.Sprintf("%s %.0f h", d.label, one.lifetime.Hours())
			}
		case one.lifetime > 0:
			d.class, d.label = "lasting", fmt.Sprintf("%s %.0f h", one.rule, one.lifetime.Hours())
		case one.policy == lab.PolicyNeap:
			d.class, d.label = "ours", string(one.rule)
		}
		p.dots = append(p.dots, d)
	}
	return p
}

// The measures of the picture.
const (
	panelWide, panelHigh = 460.0, 330.0
	marginLeft           = 52.0
	marginRight          = 16.0
	marginTop            = 34.0
	marginBottom         = 40.0
	across               = 2
)

// style follows the reader's choice of light or dark.
const style = `text{font:11px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:12px}.soft{fill:#57606a}.axis{stroke:#d0d7de;fill:none}
.bound{stroke:#57606a;fill:none;stroke-dasharray:4 3}.ours{fill:#0969da}.lasting{fill:none;stroke:#0969da;stroke-width:1.5}.other{fill:#bc4c00}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9198a1}.axis{stroke:#3d444d}.bound{stroke:#9198a1}.ours{fill:#58a6ff}.lasting{stroke:#58a6ff}.other{fill:#f0883e}}`

// draw is all panels in one picture.
func draw(panels []panel) []byte {
	rows := (len(panels) + across - 1) / across
	var b strings.Builder
	wide, high := panelWide*across, panelHigh*float64(rows)+24
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="Cost against interruptions in each recorded world">`+"\n<style>%s</style>\n", wide, high, style)
	for n, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%.0f %.0f)">`+"\n", panelWide*float64(n%across), panelHigh*float64(n/across))
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	fmt.Fprintf(&b, `<text class="soft" x="8" y="%.0f">Filled blue: our rules. Rings: our rules with a wish for a lifetime, or back to spot always. Orange: policies of others. Dashed: hindsight. Down and left is better.</text>`+"\n</svg>\n", high-8)
	return []byte(b.String())
}

func (p panel) draw(b *strings.Builder) {
	mostX, lowY, highY := 1.0, p.dots[0].y, p.dots[0].y
	for _, d := range p.dots {
		mostX, lowY, highY = max(mostX, d.x), min(lowY, d.y), max(highY, d.y)
	}
	mostX, lowY, highY = mostX*1.08, lowY-(highY-lowY)*0.06, highY+(highY-lowY)*0.06+0.1
	x := func(v float64) float64 { return marginLeft + v/mostX*(panelWide-marginLeft-marginRight) }
	y := func(v float64) float64 {
		return panelHigh - marginBottom - (v-lowY)/(highY-lowY)*(panelHigh-marginTop-marginBottom)
	}
	fmt.Fprintf(b, `<text class="title" x="8" y="18">%s</text>`+"\n", html.EscapeString(p.title))
	fmt.Fprintf(b, `<path class="axis" d="M%.1f %.1fV%.1fH%.1f"/>`+"\n", marginLeft, marginTop, panelHigh-marginBottom, panelWide-marginRight)
	for part := range 5 {
		at := float64(part) / 4
		fmt.Fprintf(b, `<text class="soft" text-anchor="end" x="%.1f" y="%.1f">%.0f %%</text>`, marginLeft-5, y(lowY+at*(highY-lowY))+4, lowY+at*(highY-lowY))
		fmt.Fprintf(b, `<text class="soft" text-anchor="middle" x="%.1f" y="%.1f">%.0f</text>`+"\n", x(at*mostX), panelHigh-marginBottom+15, at*mostX)
	}
	fmt.Fprintf(b, `<text class="soft" text-anchor="end" x="%.1f" y="%.1f">interruptions in 1,000 h; of the cost on demand</text>`+"\n", panelWide-marginRight, panelHigh-marginBottom+31)
	path := ""
	for _, d := range p.dots {
		if d.class == "bound" {
			path += fmt.Sprintf("%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[path == ""], x(d.x), y(d.y))
		}
	}
	fmt.Fprintf(b, `<path class="bound" d="%s"/>`+"\n", path)
	var taken []area
	for _, d := range p.dots {
		if d.class != "bound" {
			d.draw(b, x(d.x), y(d.y))
			taken = append(taken, area{x(d.x) - 5, y(d.y) - 5, x(d.x) + 5, y(d.y) + 5})
		}
	}
	for _, d := range p.dots {
		if d.class == "ours" || d.class == "other" {
			taken = append(taken, d.name(b, x(d.x), y(d.y), taken))
		}
	}
}

// area is what something covers.
type area struct{ left, top, right, bottom float64 }

func (a area) meets(o area) bool {
	return a.left < o.right && o.left < a.right && a.top < o.bottom && o.top < a.bottom
}

// name writes the label of a dot as near to it as nothing else stands, with a line to it.
func (d dot) name(b *strings.Builder, x, y float64, taken []area) area {
	wide, high := 6.2*float64(len(d.label)), 12.0
	var best area
	for step := range 24 {
		down := float64((step+1)/2) * 13 * float64(1-2*(step%2))
		for _, left := range []float64{x + 12, x - 12 - wide} {
			best = area{left, y + down - high/2, left + wide, y + down + high/2}
			isInside := best.left > marginLeft && best.right < panelWide && best.top > marginTop-10 && best.bottom < panelHigh-marginBottom
			if isInside && !slices.ContainsFunc(taken, best.meets) {
				at := map[bool]float64{true: best.left - 2, false: best.right + 2}[left > x]
				fmt.Fprintf(b, `<path class="axis" d="M%.1f %.1fL%.1f %.1f"/>`, x, y, at, y+down)
				fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`+"\n", best.left, best.bottom-2, html.EscapeString(d.label))
				return best
			}
		}
	}
	return best
}

// draw is one dot. The others have squares, so that colour is not all that tells them apart.
func (d dot) draw(b *strings.Builder, x, y float64) {
	tip := fmt.Sprintf("<title>%s: %.1f %% of on demand, %.1f interruptions</title>", html.EscapeString(d.label), d.y, d.x)
	switch d.class {
	case "other":
		fmt.Fprintf(b, `<rect class="other" x="%.1f" y="%.1f" width="7" height="7">%s</rect>`, x-3.5, y-3.5, tip)
	default:
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="4">%s</circle>`, d.class, x, y, tip)
	}
	b.WriteString("\n")
}
