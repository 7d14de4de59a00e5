package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// table is what a section shows.
type table struct {
	Title   string   `json:"title"`
	Detail  bool     `json:"detail"` // the page shows it to those who ask
	Columns []string `json:"columns"`
	Rows    [][]cell `json:"rows"`
}

// cell is a text, and the number behind it where there is one.
type cell struct {
	Text  string    `json:"text"`
	Value *estimate `json:"value,omitempty"`
}

func words(format string, args ...any) cell { return cell{Text: fmt.Sprintf(format, args...)} }

// number is an estimate times a scale with so many places, and its interval where that is wide enough to be seen; NaN is not known.
func number(e estimate, scale float64, places int, unit string) cell {
	if math.IsNaN(e.Mean) {
		return words("–")
	}
	mean, low, high := fixed(e.Mean*scale, places), fixed(e.Low*scale, places), fixed(e.High*scale, places)
	text := mean + unit
	if low != mean || high != mean {
		text += " [" + low + ", " + high + "]"
	}
	return cell{text, &e}
}

// fixed has so many places, and no sign where it is nothing.
func fixed(v float64, places int) string {
	text := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}

func percent(e estimate, places int) cell { return number(e, 100, places, " %") }

// markdown is the table as it stands in the page.
func (t table) markdown() string {
	var b strings.Builder
	switch {
	case t.Detail:
		fmt.Fprintf(&b, "<details><summary>%s</summary>\n\n", html.EscapeString(t.Title))
	case t.Title != "":
		fmt.Fprintf(&b, "**%s**\n\n", t.Title)
	}
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	row(t.Columns)
	rule := make([]string, len(t.Columns))
	for n := range rule {
		rule[n] = "---"
	}
	row(rule)
	for _, cells := range t.Rows {
		var texts []string
		for _, c := range cells {
			texts = append(texts, strings.ReplaceAll(c.Text, "|", "\\|"))
		}
		row(texts)
	}
	if t.Detail {
		b.WriteString("\n</details>\n")
	}
	return b.String()
}

// line is one line of what must hold.
type line struct {
	Text     string `json:"text"`
	Bound    string `json:"bound"`
	Measured string `json:"measured"`
	By       string `json:"by"` // how far it is from the bound
	Holds    bool   `json:"holds"`
	Claimed  bool   `json:"claimed"` // the program fails where it does not hold
}

func (l line) verdict() string {
	if l.Holds {
		return "holds"
	}
	return "does not hold"
}

// atMost is the line that a figure is at most a bound, in units of a scale.
func atMost(text string, measured cell, bound, scale float64, places int, unit string) line {
	if measured.Value == nil {
		return line{Text: text, Bound: fmt.Sprintf("≤ %.*f%s", places, bound*scale, unit), Measured: "not known", By: "–"}
	}
	v := measured.Value.Mean
	return line{Text: text, Bound: fmt.Sprintf("≤ %.*f%s", places, bound*scale, unit), Measured: measured.Text, By: fmt.Sprintf("%+.*f%s", places, (v-bound)*scale, unit), Holds: v <= bound}
}

// none is the line that there is not one of something.
func none(text string, count int, among string) line {
	return line{Text: text, Bound: "0", Measured: fmt.Sprintf("%d of %s", count, among), By: fmt.Sprintf("%+d", count), Holds: count == 0}
}

func linesTable(lines []line) table {
	t := table{Columns: []string{"must hold", "bound", "measured", "from the bound", "verdict"}}
	for _, l := range lines {
		verdict := "**" + l.verdict() + "**"
		t.Rows = append(t.Rows, []cell{words("%s", l.Text), words("%s", l.Bound), words("%s", l.Measured), words("%s", l.By), words("%s", verdict)})
	}
	return t
}

// markers are what stands around a section's figures in the page.
func markers(name string) (begin, end string) {
	return "<!-- figures: " + name + " -->", "<!-- /figures -->"
}

// replace puts figures between the markers of a name. The rest of the page stays as it is.
func replace(page, name, figures string) (string, error) {
	begin, end := markers(name)
	switch strings.Count(page, begin) {
	case 0:
		return "", fmt.Errorf("there is no %q: put it, and %q after it, where the figures are to stand", begin, end)
	case 1:
	default:
		return "", fmt.Errorf("there is more than one %q: leave one", begin)
	}
	before, rest, _ := strings.Cut(page, begin)
	old, after, found := strings.Cut(rest, end)
	if !found || strings.Contains(old, "<!-- figures: ") {
		return "", fmt.Errorf("after %q there is no %q: nobody can tell where its figures end", begin, end)
	}
	return before + begin + "\n\n" + strings.TrimSpace(figures) + "\n\n" + end + after, nil
}
