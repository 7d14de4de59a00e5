package job

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/cli/table"
	"github.com/neap-cloud/neap/internal/cli/words"
)

// selected is which jobs to list.
type selected struct {
	customer, class, region string
	states                  []string
	since                   time.Duration
	limit                   int
}

func (c commands) list() *cobra.Command {
	var s selected
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List jobs, newest first",
		Example: "neap job list --state running,runnable\nneap job list --customer lightning --since 24h -o wide",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.Show(cmd, func(ctx context.Context) (session.Page, error) { return c.listed(ctx, s) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.customer, "customer", "", "only this customer's")
	flags.StringVar(&s.class, "class", "", "only of this class, the submitter's own label")
	flags.StringVar(&s.region, "region", "", "only in this region")
	flags.StringSliceVar(&s.states, "state", nil, "only in these states, e.g. running,failed")
	flags.DurationVar(&s.since, "since", 0, "only those submitted within this time, e.g. 24h")
	flags.IntVar(&s.limit, "limit", 50, "how many, at most")
	return cmd
}

// costed is how many jobs the server adds up at a time.
const costed = 200

func (c commands) listed(ctx context.Context, s selected) (session.Page, error) {
	now := c.Now(ctx)
	query := url.Values{"costs": {"true"}}
	for name, value := range map[string]string{"customer": s.customer, "class": s.class, "region": s.region, "state": strings.ToUpper(strings.Join(s.states, ","))} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if s.since > 0 {
		query.Set("since", now.Add(-s.since).UTC().Format(time.RFC3339))
	}
	var jobs []view
	all := []json.RawMessage{}
	for len(jobs) < s.limit {
		query.Set("limit", fmt.Sprint(min(costed, s.limit-len(jobs))))
		some, raw, next, err := session.List[view](ctx, c, collection, query)
		if err != nil {
			return session.Page{}, err
		}
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return session.Page{}, err
		}
		jobs, all = append(jobs, some...), append(all, items...)
		if next == "" {
			break
		}
		query.Set("after", next)
	}
	raw, err := json.Marshal(all)
	return session.Page{Raw: raw, Text: func(w io.Writer, wide bool) error { return listText(w, wide, jobs, now) }}, err
}

func listText(w io.Writer, wide bool, jobs []view, now time.Time) error {
	if len(jobs) == 0 {
		_, err := fmt.Fprintln(w, "No jobs. `neap job submit --help` says how to run one.")
		return err
	}
	return table.Write(w, wide, []table.Column[view]{
		{Head: "JOB", Cell: func(v view) string { return v.ID }},
		{Head: "CLASS", Cell: func(v view) string { return v.Class }},
		{Head: "CUSTOMER", Cell: func(v view) string { return v.Customer }},
		{Head: "STATE", Cell: func(v view) string { return v.State }},
		{Head: "PRIORITY", Cell: func(v view) string { return v.Priority }},
		{Head: "QUEUE", Cell: func(v view) string { return v.Queue }},
		{Head: "REGION", Wide: true, Cell: func(v view) string { return v.Cloud + " " + v.Region }},
		{Head: "TRIES", Cell: func(v view) string { return fmt.Sprint(v.Tries) }},
		{Head: "AGE", Cell: func(v view) string { return words.Age(now, v.SubmittedAt) }},
		{Head: "TOOK", Cell: func(v view) string { return v.took(now) }},
		{Head: "COST", Cell: view.paid},
		{Head: "RUNS", Wide: true, Cell: view.runs},
		{Head: "REASON", Wide: true, Cell: func(v view) string { return v.Reason }},
	}, jobs)
}

func (c commands) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show JOB",
		Short: "Show a job with its attempts",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Show(cmd, func(ctx context.Context) (session.Page, error) {
				id, err := c.id(ctx, args[0])
				if err != nil {
					return session.Page{}, err
				}
				j, raw, err := c.read(ctx, id)
				now := c.Now(ctx)
				return session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error { return j.write(w, now) }}, err
			})
		},
	}
}

func ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if t.After(now) {
		return words.Stamp(t) + ", " + words.Age(now, t)
	}
	return words.Stamp(t) + ", " + words.Age(now, t) + " ago"
}

func seconds(n float64) string {
	if n == 0 {
		return ""
	}
	return time.Duration(n * float64(time.Second)).String()
}

func (v view) write(w io.Writer, now time.Time) error {
	checkpoint := ""
	if v.Checkpoint {
		checkpoint = "yes"
	}
	onDemand := ""
	if v.Cost != nil {
		onDemand = dollars(v.Cost.Potential)
	}
	err := table.WritePairs(w, []table.Pair{
		{"job", v.ID}, {"class", v.Class}, {"customer", v.Customer}, {"state", v.State}, {"reason", v.Reason}, {"runs", v.runs()}, {"asks for", v.needs()},
		{"where", v.Cloud + " " + v.Region}, {"queue", v.Queue}, {"priority", v.Priority}, {"time limit", seconds(v.Timeout)}, {"deadline", ago(now, v.Deadline)},
		{"expected", seconds(v.Expected)}, {"checkpoint", checkpoint}, {"by", v.Author}, {"retry of", v.RetryOf}, {"submitted", ago(now, v.SubmittedAt)},
		{"started", ago(now, v.StartedAt)}, {"stopped", ago(now, v.StoppedAt)}, {"took", v.took(now)}, {"cost", v.paid()}, {"on demand", onDemand},
	})
	if err != nil || len(v.Attempts) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return table.Write(w, true, []table.Column[attempt]{
		{Head: "ATTEMPT", Cell: func(a attempt) string { return fmt.Sprint(a.N) }},
		{Head: "HOST", Cell: func(a attempt) string { return a.Host }},
		{Head: "TYPE", Cell: func(a attempt) string { return a.Type }},
		{Head: "ZONE", Cell: func(a attempt) string { return a.Zone }},
		{Head: "STARTED", Cell: func(a attempt) string { return words.Stamp(a.StartedAt) }},
		{Head: "TOOK", Cell: func(a attempt) string { return words.Span(a.ran(now)) }},
		{Head: "OUTCOME", Cell: func(a attempt) string { return a.Outcome }},
		{Head: "EXIT", Cell: attempt.ending},
		{Head: "LIMITS", Cell: func(a attempt) string { return a.Limits }},
		{Head: "LINES", Cell: func(a attempt) string { return fmt.Sprint(a.Lines) }},
		{Head: "REASON", Cell: func(a attempt) string { return a.Reason }},
	}, v.Attempts)
}
