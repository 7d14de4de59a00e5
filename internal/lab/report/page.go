package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

// Page writes the report as one page of HTML that needs nothing from elsewhere and runs no script.
func (r Report) Page(w io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{"moment": moment, "length": length}).Parse(pageText)
	if err != nil {
		return err
	}
	v := view{Report: r, Brief: r.brief(), Capacities: r.capacities(), Prices: r.prices(), Sources: r.provenance(), Columns: r.columns()}
	if c, drawn := r.scatter(); drawn {
		v.Scatter = []chart{c}
	}
	for i, p := range r.Policies {
		row := row{Name: p.Name, Class: fmt.Sprintf("c%d", i%8), Path: shape(i, 9, 9)}
		for _, c := range v.Columns {
			row.Cells = append(row.Cells, c.cell(p))
		}
		v.Rows = append(v.Rows, row)
	}
	return page.Execute(w, v)
}

// view is what the page shows.
type view struct {
	Report
	Brief      string
	Scatter    []chart // one or none
	Capacities []chart
	Prices     []chart
	Columns    []column
	Rows       []row
	Sources    []string
}

// row of the table of figures, with the marker that stands for the policy.
type row struct {
	Name, Class, Path string
	Cells             []string
}

// Head is the column's title on the page.
func (c column) Head() string { return c.title }

// Manifold says that there were several seeds.
func (v view) Manifold() bool { return len(v.Seeds) > 1 }

// HasDowns says that there is something to shade.
func (v view) HasDowns() bool {
	for _, p := range v.Pools {
		if len(p.Downs) > 0 {
			return true
		}
	}
	return false
}
