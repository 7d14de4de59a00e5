package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/words"
)

const webhooksPath = "/neap/v1/webhooks"

// webhookView is a webhook as it may be shown; the secret is only in the answer that makes it.
type webhookView struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Kinds     []string  `json:"kinds"`
	Created   time.Time `json:"created"`
	Delivered int       `json:"delivered"`
	Next      time.Time `json:"nextAttempt"`
	Trouble   string    `json:"trouble"`
	Secret    string    `json:"secret"`
}

type deadView struct {
	ID       string    `json:"id"`
	Died     time.Time `json:"died"`
	Attempts int       `json:"attempts"`
	Trouble  string    `json:"trouble"`
	Waiting  bool      `json:"waiting"`
	Letter   struct {
		Type     string `json:"type"`
		Resource string `json:"resource"`
	} `json:"letter"`
}

func webhookPath(id string, parts ...string) string {
	return strings.Join(append([]string{webhooksPath, url.PathEscape(id)}, parts...), "/")
}

func (s *shell) webhook() *cobra.Command {
	return parent(&cobra.Command{Use: "webhook", Short: "Have programs told of events and alerts"},
		s.webhookCreate(), s.webhookList(), s.webhookDelete(), s.webhookDead(), s.webhookRedeliver())
}

func (s *shell) webhookCreate() *cobra.Command {
	var kinds []string
	var secret string
	cmd := &cobra.Command{
		Use:     "create URL",
		Short:   "Have an address told of events and alerts from now on; its secret is shown this once",
		Example: "neap webhook create https://example.com/hook --kind alert.* --kind launched",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			asked := map[string]any{"url": args[0], "kinds": kinds}
			if secret != "" {
				asked["secret"] = secret
			}
			r, err := post(webhooksPath, asked)
			if err != nil {
				return err
			}
			a, err := c.do(cmd.Context(), r)
			if err != nil {
				return err
			}
			var made webhookView
			if err := json.Unmarshal(a.body, &made); err != nil || made.Secret == "" {
				return errors.New("the server's answer holds no webhook")
			}
			return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error {
				if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Webhook %s is told of %s. Its secret cannot be shown again:\n", made.ID, strings.Join(made.Kinds, ", ")); err != nil {
					return err
				}
				_, err := fmt.Fprintln(w, made.Secret)
				return err
			}})
		},
	}
	cmd.Flags().StringSliceVar(&kinds, "kind", []string{"*"}, "type of events, kind of alerts, alert.* for all alerts, or * for everything; may be repeated")
	cmd.Flags().StringVar(&secret, "secret", "", "secret to sign with (default: one is made)")
	return cmd
}

func (s *shell) webhookList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List webhooks, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				return fetchList(ctx, c, get(webhooksPath, nil), func(w io.Writer, wide bool, list []webhookView) error {
					return writeTable(w, wide, []column[webhookView]{
						{head: "ID", cell: func(v webhookView) string { return v.ID }},
						{head: "URL", cell: func(v webhookView) string { return v.URL }},
						{head: "KINDS", cell: func(v webhookView) string { return several(v.Kinds, 4) }},
						{head: "DELIVERED", cell: func(v webhookView) string { return number(v.Delivered) }},
						{head: "TROUBLE", cell: func(v webhookView) string { return v.Trouble }},
						{head: "NEXT ATTEMPT", wide: true, cell: func(v webhookView) string { return words.Stamp(v.Next) }},
						{head: "CREATED", wide: true, cell: func(v webhookView) string { return words.Stamp(v.Created) }},
					}, list)
				})
			})
		},
	}
}

func (s *shell) webhookDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "End a webhook with all its letters",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, func(*client) (request, string, error) {
				return request{method: http.MethodDelete, path: webhookPath(args[0])}, fmt.Sprintf("Webhook %s is no more.\n", args[0]), nil
			})
		},
	}
}

func (s *shell) webhookDead() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "dead ID",
		Short: "List the letters that a webhook's receiver did not take, oldest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				r := get(webhookPath(args[0], "dead"), url.Values{"limit": {number(limit)}})
				return fetchList(ctx, c, r, func(w io.Writer, wide bool, list []deadView) error {
					return writeTable(w, wide, []column[deadView]{
						{head: "DELIVERY", cell: func(v deadView) string { return v.ID }},
						{head: "EVENT", cell: func(v deadView) string { return v.Letter.Type }},
						{head: "ABOUT", cell: func(v deadView) string { return v.Letter.Resource }},
						{head: "ATTEMPTS", cell: func(v deadView) string { return number(v.Attempts) }},
						{head: "DIED", cell: func(v deadView) string { return words.Stamp(v.Died) }},
						{head: "TROUBLE", cell: func(v deadView) string { return v.Trouble }},
					}, list)
				})
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "show at most this many")
	return cmd
}

func (s *shell) webhookRedeliver() *cobra.Command {
	return &cobra.Command{
		Use:   "redeliver ID [DELIVERY ...]",
		Short: "Send dead letters again: those named, or all",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			r, err := post(webhookPath(args[0], "redeliver"), map[string][]string{"deliveries": args[1:]})
			if err != nil {
				return err
			}
			a, err := c.do(cmd.Context(), r)
			if err != nil {
				return err
			}
			return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error {
				var sent struct {
					Letters int `json:"letters"`
				}
				if err := json.Unmarshal(a.body, &sent); err != nil {
					return err
				}
				_, err := fmt.Fprintf(w, "%d letters are sent again.\n", sent.Letters)
				return err
			}})
		},
	}
}
