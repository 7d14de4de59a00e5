package survey

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

//go:embed page.html
var pageText string

// Page writes the report as one page of HTML that needs nothing from elsewhere and runs no script.
func (r Report) Page(w io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"month":   func(c Cost) string { return dollars(c.Month, 2) },
		"saved":   func(s Saving) string { return dollars(s.Month, 2) },
		"hour":    func(c Cost) string { return dollars(c.Hour, 4) },
		"price":   func(p money.Price) string { return dollars(p, 4) },
		"times":   func(p Part) string { return dollars(p.Price*money.Price(p.Count), 4) },
		"percent": func(s Saving) string { return fmt.Sprintf("%.1f %%", s.Percent) },
		"risk":    func(chance float64) string { return fmt.Sprintf("%.1f %%", 100*chance) },
		"width":   func(part, whole Cost) float64 { return 100 * float64(part.Hour) / float64(max(1, whole.Hour)) },
		"moment":  func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
		"join":    func(list []string) string { return strings.Join(list, ", ") },
		"isSpot":  func(l cloud.Lifecycle) bool { return l == cloud.Spot },
		"guessed": Part.isGuessed,
		"runs":    func(title string, c Composition, costs Cost) runs { return runs{title, c, costs} },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	r.Groups = slices.Clone(r.Groups)
	// Where most is to be had comes first.
	slices.SortStableFunc(r.Groups, func(a, b Row) int { return int(b.SavingNow.Hour - a.SavingNow.Hour) })
	return page.Execute(w, r)
}

// runs is a composition with its title on the page.
type runs struct {
	Title string
	Composition
	Costs Cost
}

// dollars shows an amount with so many places, rounded half up, and its thousands set apart.
func dollars(p money.Price, places int) string {
	sign, unit := "", money.Price(1_000_000)
	if p < 0 {
		sign, p = "−", -p
	}
	for range places {
		unit /= 10
	}
	shown := fmt.Sprintf("%.*f", places, ((p + unit/2) / unit * unit).Dollars())
	whole, rest, _ := strings.Cut(shown, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	return sign + "$" + whole + "." + rest
}
