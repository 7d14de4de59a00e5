package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/suggest"
)

// resource is a kind of thing that can be shown.
type resource struct {
	use, short string
	path       string // with {id} for the argument, if it takes one
	query      func(q period, now time.Time) url.Values
	single     bool // one thing, not a list
	text       func(w io.Writer, items []json.RawMessage, v view) error
}

// view is how things are to be shown.
type view struct {
	wide bool
	now  time.Time // in the server's time, which may run faster than ours
}

// period is what the flags of histories say.
type period struct {
	since    time.Duration
	severity string
	limit    int
}

func resources() []resource {
	return []resource{
		{use: "groups", short: "List the account's groups", path: "/aws/ec2/group", text: groupsText},
		{use: "group GROUP", short: "Describe a group", path: "/aws/ec2/group/{id}", single: true, text: groupText},
		{use: "instances GROUP", short: "List a group's instances and open requests", path: "/aws/ec2/group/{id}/status", text: instancesText},
		{use: "decisions GROUP", short: "List what the engine decided for a group, newest first", path: "/neap/v1/groups/{id}/decisions", query: period.page, text: decisionsText},
		{use: "logs GROUP", short: "Show a group's log, newest first", path: "/aws/ec2/group/{id}/logs", query: period.logs, text: logsText},
		{use: "events GROUP", short: "Show a group's events", path: "/aws/ec2/group/{id}/events", query: period.from, text: eventsText},
		{use: "costs GROUP", short: "Show what a group's instances cost, against on-demand list prices", path: "/aws/ec2/group/{id}/costs/detailed", query: period.span, text: costsText},
	}
}

func (s *shell) get() *cobra.Command {
	var children []*cobra.Command
	for _, r := range resources() {
		children = append(children, s.getOne(r))
	}
	return parent(&cobra.Command{Use: "get", Short: "Show groups, instances, decisions, logs, events and costs",
		Long: "Show groups, instances, decisions, logs, events and costs. GROUP is an id, or a name that only one group has."}, children...)
}

func (s *shell) getOne(r resource) *cobra.Command {
	var p period
	cmd := &cobra.Command{
		Use:   r.use,
		Short: r.short,
		Args:  cobra.ExactArgs(strings.Count(r.path, "{")),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) { return s.fetch(ctx, c, r, p, args) })
		},
	}
	switch r.use {
	case "decisions GROUP":
		cmd.Flags().IntVar(&p.limit, "limit", 20, "show at most this many")
	case "logs GROUP":
		cmd.Flags().IntVar(&p.limit, "limit", 100, "show at most this many lines")
		cmd.Flags().StringVar(&p.severity, "severity", "", "only DEBUG, INFO, WARN or ERROR lines")
		cmd.Flags().DurationVar(&p.since, "since", 24*time.Hour, "look back this far")
	case "events GROUP", "costs GROUP":
		cmd.Flags().DurationVar(&p.since, "since", 24*time.Hour, "look back this far")
	}
	return cmd
}

func (p period) page(time.Time) url.Values { return url.Values{"limit": {number(p.limit)}} }

func (p period) logs(now time.Time) url.Values {
	q := p.span(now)
	q.Set("limit", number(p.limit))
	if p.severity != "" {
		q.Set("severity", strings.ToUpper(p.severity))
	}
	return q
}

func (p period) from(now time.Time) url.Values {
	return url.Values{"fromDate": {fmt.Sprint(now.Add(-p.since).UnixMilli())}}
}

// span ends a little after now, because the server's clock goes on while the request travels.
func (p period) span(now time.Time) url.Values {
	q := p.from(now)
	q.Set("toDate", fmt.Sprint(now.Add(time.Minute).UnixMilli()))
	return q
}

// fetch asks for a resource and makes a page of it.
func (s *shell) fetch(ctx context.Context, c *client, r resource, p period, args []string) (page, error) {
	about := c.about(ctx, s.world.Clock.Now())
	path := r.path
	for _, arg := range args {
		id, err := c.groupID(ctx, arg)
		if err != nil {
			return page{}, err
		}
		path = strings.Replace(path, "{id}", url.PathEscape(id), 1)
	}
	var query url.Values
	if r.query != nil {
		query = r.query(p, about.Now)
	}
	a, err := c.do(ctx, get(path, query))
	if err != nil {
		return page{}, err
	}
	items, err := a.items()
	if err != nil {
		return page{}, err
	}
	raw, err := list(items)
	if err == nil && r.single && len(items) == 1 {
		raw = items[0]
	}
	return page{raw: raw, text: func(w io.Writer, wide bool) error {
		if len(items) == 0 {
			_, err := fmt.Fprintln(w, "Nothing to show.")
			return err
		}
		if err := r.text(w, items, view{wide: wide, now: about.Now}); err != nil {
			return err
		}
		return about.label(w)
	}}, err
}

var isGroupID = regexp.MustCompile(`^sig-[0-9a-f]{8}$`).MatchString

// groupID takes a group's id, or its name where only one group has it.
func (c *client) groupID(ctx context.Context, word string) (string, error) {
	if isGroupID(word) {
		return word, nil
	}
	a, err := c.do(ctx, get("/aws/ec2/group", nil))
	if err != nil {
		return "", err
	}
	items, err := a.items()
	if err != nil {
		return "", err
	}
	groups, err := decode[groupView](items)
	if err != nil {
		return "", err
	}
	var ids, names []string
	for _, g := range groups {
		if g.Name == word || g.ID == word {
			ids = append(ids, g.ID)
		}
		names = append(names, g.Name)
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", fmt.Errorf("there is no group %q here%s (neap get groups lists them)", word, suggest.Clause(word, names))
	}
	return "", fmt.Errorf("%d groups are called %q; name one by its id: %s", len(ids), word, strings.Join(ids, ", "))
}

// installation is what a server says of itself.
type installation struct {
	Simulated bool      `json:"simulated"`
	Now       time.Time `json:"time"` // of the engine
}

// about asks who answers. A server that will not say is taken for a real one on our own time: the request that follows tells what is wrong.
func (c *client) about(ctx context.Context, wall time.Time) installation {
	about := installation{Now: wall}
	if a, err := c.do(ctx, get("/neap/v1/status", nil)); err == nil {
		if items, err := a.items(); err == nil && len(items) == 1 {
			if err := json.Unmarshal(items[0], &about); err != nil || about.Now.IsZero() {
				about.Now = wall
			}
		}
	}
	return about
}

// label marks what no real cloud has shown.
func (i installation) label(w io.Writer) error {
	if !i.Simulated {
		return nil
	}
	_, err := fmt.Fprintln(w, "\nsimulated: instances, prices and interruptions come from Neap's own simulated cloud; nothing here costs money.")
	return err
}
