package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/money"
)

// ObserveConfig says which account to look at. Neither a server nor a data folder is needed for it.
type ObserveConfig struct {
	Regions          []string
	Role, ExternalID string // "" = the account of the credentials that are found on this machine
	Group            string // "" = everything
	Endpoint         string // of AWS; "" = AWS's own
}

// Observed is what was found: a report as JSON, and as a page of HTML.
type Observed struct {
	Report json.RawMessage
	Page   func(w io.Writer) error
}

func (s *shell) observe() *cobra.Command {
	var config ObserveConfig
	cmd := &cobra.Command{
		Use:   "observe",
		Short: "Show what Neap would do with an AWS account's scaling groups and what that would save, changing nothing",
		Long: "Show what Neap would do with an AWS account's scaling groups and what that would save, changing nothing.\n\n" +
			"It needs no server and no data folder, only credentials that may read: those found on this machine as every AWS tool finds them, or with --role a role that they may assume.\n" +
			"A saving is told against what the groups cost now, and against the baseline: the same instances all on demand at list price. With --group it is told why, and what stands in\n" +
			"the way. -o html writes a page with everything, -o json all figures, in micro-dollars. Which permissions it takes is told in docs/observe.md.",
		Example: "neap observe --region us-east-1 --region eu-west-1\nneap observe --region us-east-1 --role arn:aws:iam::123456789012:role/NeapObserver --external-id acme -o html > savings.html",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.checkOutput("table", "wide", "json", "yaml", "html"); err != nil {
				return err
			}
			if err := s.whereToObserve(&config); err != nil {
				return err
			}
			found, err := s.hooks.Observe(cmd.Context(), config)
			if err != nil {
				return err
			}
			if s.output == "html" {
				return found.Page(cmd.OutOrStdout())
			}
			var view surveyView
			if err := json.Unmarshal(found.Report, &view); err != nil {
				return err
			}
			return s.write(cmd.OutOrStdout(), page{raw: found.Report, text: func(w io.Writer, wide bool) error { return view.write(w, wide, config.Group != "") }})
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&config.Regions, "region", nil, "region to look at; may be repeated (default: AWS_REGION)")
	flags.StringVar(&config.Role, "role", "", "ARN of a role to look through")
	flags.StringVar(&config.ExternalID, "external-id", "", "external id that the role asks for")
	flags.StringVar(&config.Group, "group", "", "only scaling groups of this name, with the reasons")
	flags.StringVar(&config.Endpoint, "aws-endpoint", "", "address of AWS, if not AWS's own")
	withoutClientFlags(cmd)
	return cmd
}

// whereToObserve fills in the region that AWS's own tools would take, and refuses halves of pairs.
func (s *shell) whereToObserve(c *ObserveConfig) error {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if given := lookup(s.world.Environ, name); len(c.Regions) == 0 && given != "" {
			c.Regions = []string{given}
		}
	}
	switch {
	case len(c.Regions) == 0:
		return usagef("Name a region to look at: --region us-east-1.")
	case (c.Role == "") != (c.ExternalID == ""):
		return usagef("--role and --external-id go together: without an external id anybody could have Neap use the role.")
	}
	return nil
}

// surveyView is what people are shown of a report.
type surveyView struct {
	Regions []string      `json:"regions"`
	Total   figuresView   `json:"total"`
	Groups  []groupSurvey `json:"groups"`
	Apart   struct {
		Singles  int     `json:"singles"`
		Now      sumView `json:"now"`
		Unpriced int     `json:"unpriced"`
		LeftOut  int     `json:"leftOut"`
		Managed  int     `json:"managed"`
		Stopped  int     `json:"stopped"`
	} `json:"apart"`
	Singles []singleSurvey `json:"singles"`
	Gaps    []struct {
		Region  string   `json:"region"`
		Needs   []string `json:"needs"`
		Reason  string   `json:"reason"`
		LeftOut string   `json:"leftOut"`
	} `json:"gaps"`
}

type sumView struct {
	Hour  money.Price `json:"hour"`
	Month money.Price `json:"month"`
}

type savingView struct {
	sumView
	Percent float64 `json:"percent"`
}

type figuresView struct {
	OnDemand        sumView    `json:"onDemand"`
	Now             sumView    `json:"now"`
	Planned         sumView    `json:"planned"`
	AgainstOnDemand savingView `json:"savingAgainstOnDemand"`
	AgainstNow      savingView `json:"savingAgainstNow"`
	Groups          int        `json:"groups"`
	Instances       int        `json:"instances"`
	Moves           int        `json:"moves"`
	Guessed         int        `json:"guessed"`
}

type groupSurvey struct {
	figuresView
	Name    string          `json:"name"`
	Region  string          `json:"region"`
	Present compositionView `json:"present"`
	Future  compositionView `json:"future"`
	Steps   int             `json:"steps"`
	Why     []string        `json:"why"`
	Notes   []struct {
		Text string `json:"text"`
	} `json:"obstacles"`
	LeftOut []struct {
		Instance string `json:"instance"`
		Why      string `json:"why"`
	} `json:"leftOut"`
}

type compositionView struct {
	Instances int     `json:"instances"`
	OnDemand  int     `json:"onDemand"`
	Risk      float64 `json:"risk"`
	Parts     []struct {
		Count     int         `json:"count"`
		Type      string      `json:"type"`
		Zone      string      `json:"zone"`
		Lifecycle string      `json:"lifecycle"`
		Price     money.Price `json:"price"`
		Source    string      `json:"source"`
	} `json:"parts"`
}

type singleSurvey struct {
	Instance  string      `json:"instance"`
	Name      string      `json:"name"`
	Type      string      `json:"type"`
	Zone      string      `json:"zone"`
	Lifecycle string      `json:"lifecycle"`
	Price     money.Price `json:"price"`
	OnDemand  money.Price `json:"onDemand"`
}

// aMonth is for people: to the cent.
func (c sumView) aMonth() string { return fmt.Sprintf("$%.2f", c.Month.Dollars()) }

func percentText(percent float64) string { return fmt.Sprintf("%.1f%%", percent) }

// write shows the groups, the total with its baseline, and then, never left out, what the total does not cover.
func (v surveyView) write(w io.Writer, wide, why bool) error {
	var out strings.Builder
	if len(v.Groups) > 0 {
		if err := writeTable(&out, wide, groupColumns(), v.Groups); err != nil {
			return err
		}
		t := v.Total
		fmt.Fprintf(&out, "\n%d groups with %d instances: %s a month now, %s with Neap, which replaces %d of them.\n", t.Groups, t.Instances, t.Now.aMonth(), t.Planned.aMonth(), t.Moves)
		fmt.Fprintf(&out, "Saving: %s a month (%s) against now; %s (%s) against the same instances all on demand at list price, %s.\n",
			t.AgainstNow.aMonth(), percentText(t.AgainstNow.Percent), t.AgainstOnDemand.aMonth(), percentText(t.AgainstOnDemand.Percent), t.OnDemand.aMonth())
		if t.Guessed > 0 {
			fmt.Fprintf(&out, "%d of the groups stand on the catalogue's spot prices, not on today's.\n", t.Guessed)
		}
	} else {
		fmt.Fprintf(&out, "No scaling group was found in %s.\n", strings.Join(v.Regions, ", "))
	}
	for _, g := range v.Groups {
		if why {
			if err := g.explain(&out); err != nil {
				return err
			}
		}
	}
	if err := v.writeApart(&out, wide); err != nil {
		return err
	}
	if !why && v.Total.Groups > 0 {
		out.WriteString("\nWhy, and what stands in the way: neap observe --group NAME, or everything as a page: -o html.\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func groupColumns() []column[groupSurvey] {
	return []column[groupSurvey]{
		{head: "GROUP", cell: func(g groupSurvey) string { return g.Name }},
		{head: "REGION", cell: func(g groupSurvey) string { return g.Region }},
		{head: "INSTANCES", cell: func(g groupSurvey) string { return number(g.Present.Instances) }},
		{head: "ON-DEMAND", cell: func(g groupSurvey) string { return number(g.Present.OnDemand) + " -> " + number(g.Future.OnDemand) }},
		{head: "BASELINE/MONTH", wide: true, cell: func(g groupSurvey) string { return g.OnDemand.aMonth() }},
		{head: "NOW/MONTH", cell: func(g groupSurvey) string { return g.Now.aMonth() }},
		{head: "NEAP/MONTH", cell: func(g groupSurvey) string { return g.Planned.aMonth() }},
		{head: "SAVING", cell: func(g groupSurvey) string { return g.AgainstNow.aMonth() }},
		{head: "OF-NOW", cell: func(g groupSurvey) string { return percentText(g.AgainstNow.Percent) }},
		{head: "OF-BASELINE", wide: true, cell: func(g groupSurvey) string { return percentText(g.AgainstOnDemand.Percent) }},
		{head: "RISK/30D", cell: func(g groupSurvey) string { return percentText(100 * g.Future.Risk) }},
		{head: "MOVES", wide: true, cell: func(g groupSurvey) string { return number(g.Moves) }},
		{head: "SPOT-PRICES", cell: groupSurvey.prices},
		{head: "NOTES", cell: func(g groupSurvey) string { return number(len(g.Notes) + len(g.LeftOut)) }},
	}
}

// prices says whose spot prices a row stands on.
func (g groupSurvey) prices() string {
	of := map[string]bool{}
	for _, c := range []compositionView{g.Present, g.Future} {
		for _, p := range c.Parts {
			if p.Lifecycle == "spot" {
				of[p.Source] = true
			}
		}
	}
	switch {
	case of["catalogue"] && of["feed"]:
		return "mixed"
	case of["catalogue"]:
		return "catalogue"
	case of["feed"]:
		return "live"
	}
	return ""
}

// explain tells why a group would become what it would become.
func (g groupSurvey) explain(out *strings.Builder) error {
	fmt.Fprintf(out, "\n%s in %s\n", oneLine(g.Name), oneLine(g.Region))
	for _, c := range []struct {
		title string
		compositionView
	}{{"now", g.Present}, {"with Neap", g.Future}} {
		var pairs []pair
		for _, p := range c.Parts {
			pairs = append(pairs, pair{fmt.Sprintf("  %s: %d x %s", c.title, p.Count, oneLine(p.Type)), fmt.Sprintf("%s  %s  %s each  (%s)", p.Lifecycle, p.Zone, p.Price, p.Source)})
		}
		if err := writePairs(out, pairs); err != nil {
			return err
		}
	}
	for _, sentence := range g.Why {
		fmt.Fprintf(out, "  why: %s\n", oneLine(sentence))
	}
	for _, note := range g.Notes {
		fmt.Fprintf(out, "  note: %s\n", oneLine(note.Text))
	}
	for _, left := range g.LeftOut {
		fmt.Fprintf(out, "  left out: %s: %s\n", oneLine(left.Instance), oneLine(left.Why))
	}
	return nil
}

// writeApart tells what the total does not cover.
func (v surveyView) writeApart(out *strings.Builder, wide bool) error {
	say := func(count int, format string, args ...any) {
		if count > 0 {
			fmt.Fprintf(out, "Not in these figures: "+format+"\n", args...)
		}
	}
	a := v.Apart
	if a.Singles+a.LeftOut+a.Managed+a.Stopped > 0 {
		out.WriteString("\n")
	}
	say(a.Singles, "%d instances in no group (%s a month now; the price of %d is not known): nothing says that they may be replaced.", a.Singles, a.Now.aMonth(), a.Unpriced)
	say(a.LeftOut, "%d members of groups that could not be counted.", a.LeftOut)
	say(a.Managed, "%d instances that a Neap keeps already.", a.Managed)
	say(a.Stopped, "%d instances that are stopped.", a.Stopped)
	if len(v.Singles) > 0 && wide {
		out.WriteString("\n")
		if err := writeTable(out, wide, singleColumns(), v.Singles); err != nil {
			return err
		}
	}
	for _, g := range v.Gaps {
		fmt.Fprintf(out, "\nLeft out in %s: %s\n  %s It takes %s.\n", oneLine(g.Region), oneLine(g.LeftOut), oneLine(g.Reason), oneLine(strings.Join(g.Needs, ", ")))
	}
	return nil
}

func singleColumns() []column[singleSurvey] {
	known := func(p money.Price) string {
		if p == 0 {
			return ""
		}
		return p.String()
	}
	return []column[singleSurvey]{
		{head: "INSTANCE", cell: func(s singleSurvey) string { return s.Instance }},
		{head: "NAME", cell: func(s singleSurvey) string { return s.Name }},
		{head: "TYPE", cell: func(s singleSurvey) string { return s.Type }},
		{head: "ZONE", cell: func(s singleSurvey) string { return s.Zone }},
		{head: "BOUGHT", cell: func(s singleSurvey) string { return s.Lifecycle }},
		{head: "PRICE", cell: func(s singleSurvey) string { return known(s.Price) }},
		{head: "LIST-PRICE", cell: func(s singleSurvey) string { return known(s.OnDemand) }},
	}
}
