package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/words"
)

const tokensPath = "/neap/v1/tokens"

// tokenView is a token as it may be shown; the secret is only in the answer that makes it.
type tokenView struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	User    string    `json:"user"`
	Kind    string    `json:"kind"`
	Last    string    `json:"lastCharacters"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Used    time.Time `json:"used"`
	Secret  string    `json:"secret"`
}

// newToken asks for a token; what is empty is left to the server.
type newToken struct {
	Name         string     `json:"name"`
	For          string     `json:"for,omitempty"`
	User         string     `json:"user,omitempty"`
	Organisation string     `json:"organisation,omitempty"`
	Expires      *time.Time `json:"expires,omitempty"`
}

func (s *shell) token() *cobra.Command {
	children := []*cobra.Command{s.tokenCreate(), s.tokenList(), s.tokenRevoke()}
	if s.hooks.ResetToken != nil {
		children = append(children, s.tokenReset())
	}
	return parent(&cobra.Command{Use: "token", Short: "Make, list and revoke tokens"}, children...)
}

func (s *shell) tokenCreate() *cobra.Command {
	var asked newToken
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Make a token; it is shown this once and never again",
		Long: "Makes a token of yours, or of another user's if you manage the organisation, in the form that the clients of an API want: " +
			"a token for spot, compose and mapsor, ACCESS:SECRET for cmpute. With --for vendor it makes the client secret of a program that asks users of the Compose API " +
			"for refresh tokens; its client id is the token's id.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			asked.Name = cmp.Or(append(args, "")[0], asked.For, "token")
			if lasts != 0 {
				end := s.world.Clock.Now().Add(lasts).UTC().Truncate(time.Second)
				asked.Expires = &end
			}
			return s.makeToken(cmd, asked)
		},
	}
	cmd.Flags().StringVar(&asked.For, "for", "", "API whose clients use it: spot, cmpute, compose, mapsor, launch, or vendor")
	cmd.Flags().StringVar(&asked.User, "user", "", "id of the user whose it is (default: yourself)")
	cmd.Flags().StringVar(&asked.Organisation, "organisation", "", "id of a child organisation, for a token of its owner")
	cmd.Flags().DurationVar(&lasts, "expires", 0, "how long it is valid, such as 720h (default: until it is revoked)")
	return cmd
}

func (s *shell) makeToken(cmd *cobra.Command, asked newToken) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	r, err := post(tokensPath, asked)
	if err != nil {
		return err
	}
	a, err := c.do(cmd.Context(), r)
	if err != nil {
		return err
	}
	items, err := a.items()
	if err != nil {
		return err
	}
	made, err := decode[tokenView](items)
	if err != nil {
		return err
	}
	if len(made) != 1 || made[0].Secret == "" {
		return errors.New("the server's answer holds no token")
	}
	return s.write(cmd.OutOrStdout(), page{raw: items[0], text: func(w io.Writer, _ bool) error {
		return showSecret(w, cmd.ErrOrStderr(), made[0].Secret)
	}})
}

// showSecret prints the token alone, so that it can be piped, and the advice beside it.
func showSecret(out, advice io.Writer, token string) error {
	if _, err := fmt.Fprintln(out, token); err != nil {
		return err
	}
	_, err := fmt.Fprintln(advice, "Keep it safe: it cannot be shown again.")
	return err
}

func (s *shell) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				a, err := c.do(ctx, get(tokensPath, nil))
				if err != nil {
					return page{}, err
				}
				items, err := a.items()
				if err != nil {
					return page{}, err
				}
				tokens, err := decode[tokenView](items)
				if err != nil {
					return page{}, err
				}
				raw, err := list(items)
				return page{raw: raw, text: func(w io.Writer, wide bool) error { return s.tokensText(w, wide, tokens) }}, err
			})
		},
	}
}

// tokensText shows ages in wall time, on which tokens live whatever the engine's clock says.
func (s *shell) tokensText(w io.Writer, wide bool, tokens []tokenView) error {
	now := s.world.Clock.Now()
	return writeTable(w, wide, []column[tokenView]{
		{head: "ID", cell: func(t tokenView) string { return t.ID }},
		{head: "NAME", cell: func(t tokenView) string { return t.Name }},
		{head: "KIND", cell: func(t tokenView) string { return t.Kind }},
		{head: "USER", cell: func(t tokenView) string { return t.User }},
		{head: "ENDS IN", cell: func(t tokenView) string { return t.Last }},
		{head: "AGE", cell: func(t tokenView) string { return words.Age(now, t.Created) }},
		{head: "EXPIRES", cell: func(t tokenView) string { return words.Age(now, t.Expires) }},
		{head: "LAST USED", wide: true, cell: func(t tokenView) string { return words.Age(now, t.Used) }},
	}, tokens)
}

func (s *shell) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a token at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			a, err := c.do(cmd.Context(), request{method: http.MethodDelete, path: tokensPath + "/" + url.PathEscape(args[0])})
			if err != nil {
				return err
			}
			return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error {
				_, err := fmt.Fprintf(w, "Token %s is revoked.\n", args[0])
				return err
			}})
		},
	}
}

func (s *shell) tokenReset() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Make a new admin token in the data of a Neap that is not running",
		Args:  cobra.NoArgs,
	}
	config, read := s.place(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := read(); err != nil {
			return err
		}
		token, err := s.hooks.ResetToken(cmd.Context(), *config)
		if err != nil {
			return err
		}
		raw, err := json.Marshal(map[string]string{"token": token})
		if err != nil {
			return err
		}
		return s.write(cmd.OutOrStdout(), page{raw: raw, text: func(w io.Writer, _ bool) error {
			return showSecret(w, cmd.ErrOrStderr(), token)
		}})
	}
	return cmd
}
