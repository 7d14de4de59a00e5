package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/document"
	"github.com/neap-cloud/neap/internal/cli/words"
)

type alertView struct {
	Kind     string    `json:"kind"`
	Account  string    `json:"account"`
	Resource string    `json:"resource"`
	Message  string    `json:"message"`
	Opened   time.Time `json:"opened"`
	Closed   time.Time `json:"closed"`
	Advice   string    `json:"advice"`
}

// about is what the alert is on.
func (a alertView) about() string {
	switch {
	case a.Resource != "":
		return a.Resource
	case a.Account != "":
		return a.Account
	}
	return "installation"
}

func (a alertView) state() string {
	if a.Closed.IsZero() {
		return "open"
	}
	return "over after " + words.Age(a.Closed, a.Opened)
}

func (s *shell) alerts() *cobra.Command {
	var all bool
	var limit int
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "Show what a person should know: open alerts, newest first",
		Long:  "Show what a person should know: open alerts of the account and of the installation, newest first. With -o wide: what to do about each.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			query := url.Values{"limit": {number(limit)}}
			if all {
				query.Set("all", "true")
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				now := c.about(ctx, s.world.Clock.Now()).Now
				return fetchList(ctx, c, get("/neap/v1/alerts", query), func(w io.Writer, wide bool, list []alertView) error {
					if len(list) == 0 {
						_, err := fmt.Fprintln(w, "No alerts.")
						return err
					}
					return alertsText(w, wide, now, list)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are over")
	cmd.Flags().IntVar(&limit, "limit", 200, "show at most this many of the account")
	return cmd
}

func alertsText(w io.Writer, wide bool, now time.Time, list []alertView) error {
	return writeTable(w, wide, []column[alertView]{
		{head: "KIND", cell: func(a alertView) string { return a.Kind }},
		{head: "ABOUT", cell: alertView.about},
		{head: "STATE", cell: alertView.state},
		{head: "AGE", cell: func(a alertView) string { return words.Age(now, a.Opened) }},
		{head: "MESSAGE", cell: func(a alertView) string { return a.Message }},
		{head: "ADVICE", wide: true, cell: func(a alertView) string { return a.Advice }},
	}, list)
}

// fetchList asks for items and shows them as views of type T.
func fetchList[T any](ctx context.Context, c *client, r request, text func(w io.Writer, wide bool, list []T) error) (page, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return page{}, err
	}
	items, err := a.items()
	if err != nil {
		return page{}, err
	}
	views, err := decode[T](items)
	if err != nil {
		return page{}, err
	}
	raw, err := list(items)
	return page{raw: raw, text: func(w io.Writer, wide bool) error { return text(w, wide, views) }}, err
}

// statusText shows what the server says of itself, and its alerts as a table below.
func statusText(w io.Writer, raw json.RawMessage, wide bool, wall time.Time) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	var alerts []alertView
	if sent, is := members["alerts"]; is {
		if err := json.Unmarshal(sent, &alerts); err != nil {
			return err
		}
	}
	if len(alerts) == 0 {
		return document.Members(w, raw)
	}
	about := installation{Now: wall}
	// What is no status of ours has no time either; the wall's will do.
	_ = json.Unmarshal(raw, &about)
	members["alerts"] = json.RawMessage(number(len(alerts)))
	rest, err := json.Marshal(members)
	if err != nil {
		return err
	}
	if err := document.Members(w, rest); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return alertsText(w, wide, about.Now, alerts)
}
