package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/words"
	"github.com/neap-cloud/neap/internal/money"
)

// decisionView is a stored decision; Plan is missing where decisions are only listed.
type decisionView struct {
	ID      string    `json:"id"`
	Group   string    `json:"group"`
	At      time.Time `json:"at"`
	Version string    `json:"version"`
	DryRun  bool      `json:"dryRun"`
	Summary string    `json:"summary"`
	Plan    *planView `json:"plan"`

	Outcomes []string `json:"outcomes"` // of its launches, so far
}

type planView struct {
	Actions []actionView `json:"actions"`
	Options []optionView `json:"options"`
	Short   int          `json:"short"`
	Notes   []string     `json:"notes"`
	Next    time.Time    `json:"next"`
}

type actionView struct {
	Verb       string    `json:"verb"`
	Type       string    `json:"type"`
	Zone       string    `json:"zone"`
	Lifecycle  string    `json:"lifecycle"`
	Count      int       `json:"count"`
	Replaces   []string  `json:"replaces"`
	Instance   string    `json:"instance"`
	DrainUntil time.Time `json:"drainUntil"`
	Because    string    `json:"because"`
}

type optionView struct {
	Type      string      `json:"type"`
	Zone      string      `json:"zone"`
	Lifecycle string      `json:"lifecycle"`
	Price     money.Price `json:"price"` // micro-dollars an hour
	Risk      float64     `json:"risk"`
	Hazard    float64     `json:"hazard"` // interruptions an hour
	Score     float64     `json:"score"`  // of planner version 1, in points
	Cost      money.Price `json:"cost"`
	Costs     struct {
		Loss   money.Price `json:"loss"`
		Care   money.Price `json:"care"`
		Spread money.Price `json:"spread"`
	} `json:"costs"`
	Chosen   int    `json:"chosen"`
	Rejected string `json:"rejected"`
}

func decisionsText(w io.Writer, items []json.RawMessage, v view) error {
	decisions, err := decode[decisionView](items)
	if err != nil {
		return err
	}
	return writeTable(w, v.wide, []column[decisionView]{
		{head: "DECISION", cell: func(d decisionView) string { return d.ID }},
		{head: "AGE", cell: func(d decisionView) string { return words.Age(v.now, d.At) }},
		{head: "AT", wide: true, cell: func(d decisionView) string { return words.Stamp(d.At) }},
		{head: "PLANNER", wide: true, cell: func(d decisionView) string { return d.Version }},
		{head: "SUMMARY", cell: func(d decisionView) string { return dryRunMark(d) + d.Summary }},
	}, decisions)
}

func dryRunMark(d decisionView) string {
	if d.DryRun {
		return "(dry run) "
	}
	return ""
}

func (s *shell) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain GROUP [DECISION]",
		Short: "Say why: a decision's actions, their reasons and the markets weighed (default: the newest one)",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) { return s.why(ctx, c, args) })
		},
	}
}

func decisionsPath(group string) string {
	return "/neap/v1/groups/" + url.PathEscape(group) + "/decisions"
}

func decisionPath(group, decision string) string {
	return decisionsPath(group) + "/" + url.PathEscape(decision)
}

func (s *shell) why(ctx context.Context, c *client, args []string) (page, error) {
	group, err := c.groupID(ctx, args[0])
	if err != nil {
		return page{}, err
	}
	id := ""
	if len(args) == 2 {
		id = args[1]
	} else {
		newest, err := c.newestDecision(ctx, group)
		if err != nil {
			return page{}, err
		}
		id = newest
	}
	about := c.about(ctx, s.world.Clock.Now())
	a, err := c.do(ctx, get(decisionPath(group, id), nil))
	if err != nil {
		return page{}, err
	}
	items, err := a.items()
	if err != nil {
		return page{}, err
	}
	decisions, err := decode[decisionView](items)
	if err != nil {
		return page{}, err
	}
	if len(decisions) != 1 || decisions[0].Plan == nil {
		return page{}, fmt.Errorf("the server's answer holds no decision: %s", excerpt(a.body))
	}
	return page{raw: items[0], text: func(w io.Writer, _ bool) error {
		if err := explainText(w, decisions[0], about.Now); err != nil {
			return err
		}
		return about.label(w)
	}}, nil
}

func (c *client) newestDecision(ctx context.Context, group string) (string, error) {
	a, err := c.do(ctx, get(decisionsPath(group), url.Values{"limit": {"1"}}))
	if err != nil {
		return "", err
	}
	items, err := a.items()
	if err != nil {
		return "", err
	}
	decisions, err := decode[decisionView](items)
	if err != nil {
		return "", err
	}
	if len(decisions) == 0 {
		return "", fmt.Errorf("nothing has been decided for %s yet", group)
	}
	return decisions[0].ID, nil
}

func explainText(w io.Writer, d decisionView, now time.Time) error {
	var head strings.Builder
	fmt.Fprintf(&head, "Decision %s for %s, %s, planner %s\n", d.ID, d.Group, moment(now, d.At), d.Version)
	fmt.Fprintf(&head, "%s%s\n", dryRunMark(d), d.Summary)
	if len(d.Plan.Actions) > 0 {
		head.WriteString("\nActions\n")
	}
	for i, action := range d.Plan.Actions {
		fmt.Fprintf(&head, "%3d. %s\n     %s\n", i+1, action.what(), action.Because)
	}
	if len(d.Outcomes) > 0 {
		head.WriteString("\nWhat became of it\n")
	}
	for _, told := range d.Outcomes {
		fmt.Fprintf(&head, "   - %s\n", told)
	}
	if d.Plan.Short > 0 {
		fmt.Fprintf(&head, "\nShort by %d: no market would sell them.\n", d.Plan.Short)
	}
	if len(d.Plan.Options) > 0 {
		head.WriteString("\nMarkets weighed, best first\n")
	}
	if _, err := io.WriteString(w, head.String()); err != nil {
		return err
	}
	if err := optionsText(w, d.Plan.Options); err != nil {
		return err
	}
	var tail strings.Builder
	if len(d.Plan.Notes) > 0 {
		tail.WriteString("\nNotes\n")
	}
	for _, note := range d.Plan.Notes {
		fmt.Fprintf(&tail, "   - %s\n", note)
	}
	if !d.Plan.Next.IsZero() {
		fmt.Fprintf(&tail, "\nLooks again at %s even if nothing changes.\n", words.Stamp(d.Plan.Next))
	}
	_, err := io.WriteString(w, tail.String())
	return err
}

// what says what an action does, in words.
func (a actionView) what() string {
	if a.Instance == "" {
		phrase := fmt.Sprintf("%s %d × %s %s in %s", a.Verb, a.Count, a.Type, a.Lifecycle, a.Zone)
		if len(a.Replaces) > 0 {
			phrase += " in place of " + strings.Join(a.Replaces, ", ")
		}
		return phrase
	}
	phrase := a.Verb + " " + a.Instance
	if !a.DrainUntil.IsZero() {
		phrase += " until " + words.Stamp(a.DrainUntil)
	}
	return phrase
}

func optionsText(w io.Writer, options []optionView) error {
	if len(options) == 0 {
		return nil
	}
	return writeTable(w, true, []column[optionView]{
		{head: "TAKEN", cell: func(o optionView) string {
			if o.Chosen == 0 {
				return ""
			}
			return number(o.Chosen)
		}},
		{head: "TYPE", cell: func(o optionView) string { return o.Type }},
		{head: "ZONE", cell: func(o optionView) string { return o.Zone }},
		{head: "LIFECYCLE", cell: func(o optionView) string { return o.Lifecycle }},
		{head: "PRICE", cell: func(o optionView) string { return o.Price.String() }},
		{head: "RISK", cell: optionView.risk},
		{head: "LOSSES", wide: true, cell: func(o optionView) string { return o.Costs.Loss.String() }},
		{head: "CARE", wide: true, cell: func(o optionView) string { return o.Costs.Care.String() }},
		{head: "SPREAD", wide: true, cell: func(o optionView) string { return o.Costs.Spread.String() }},
		{head: "EXPECTED COST", cell: optionView.expected},
		{head: "NOT TAKEN BECAUSE", cell: func(o optionView) string { return o.Rejected }},
	}, options)
}

// expected is what the planner weighed: money, or points in decisions of its first version.
func (o optionView) expected() string {
	if o.Cost == 0 && o.Score != 0 {
		return fmt.Sprintf("%.1f points", o.Score)
	}
	return o.Cost.String()
}

// risk is of 30 days, and of an hour where a month says nothing.
func (o optionView) risk() string {
	if o.Hazard > 0.002 {
		return fmt.Sprintf("%.1f%% an hour", 100*o.Hazard)
	}
	return fmt.Sprintf("%.1f%% in 30 days", 100*o.Risk)
}
