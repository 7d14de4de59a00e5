package cli

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/experiment"
)

func (s *shell) experiment() *cobra.Command {
	cmd, children := experiment.Commands(lent{s})
	return parent(cmd, children...)
}

// lent is the shell, as the commands of experiments see it.
type lent struct{ *shell }

var _ experiment.Shell = lent{}

func (l lent) Ask(ctx context.Context, q experiment.Question) (json.RawMessage, error) {
	c, err := l.client()
	if err != nil {
		return nil, err
	}
	r := request{method: q.Method, path: q.Path, query: q.Query, dryRun: q.DryRun}
	if q.Body != nil {
		if r.body, err = json.Marshal(q.Body); err != nil {
			return nil, err
		}
	}
	a, err := c.do(ctx, r)
	return a.body, err
}

func (l lent) GroupID(ctx context.Context, word string) (string, error) {
	c, err := l.client()
	if err != nil {
		return "", err
	}
	return c.groupID(ctx, word)
}

func (l lent) Now(ctx context.Context) time.Time {
	now := l.world.Clock.Now()
	if c, err := l.client(); err == nil {
		now = c.about(ctx, now).Now
	}
	return now
}

func (l lent) Show(cmd *cobra.Command, fetch func(ctx context.Context) (experiment.Page, error)) error {
	return l.show(cmd, func(ctx context.Context) (page, error) {
		p, err := fetch(ctx)
		return page{raw: p.Raw, text: p.Text}, err
	})
}

func (l lent) Check(more ...string) error {
	return l.checkOutput(append(formats[:len(formats):len(formats)], more...)...)
}
func (l lent) Format() string              { return l.output }
func (l lent) Usage(sentence string) error { return usagef("%s", sentence) }

func (l lent) Print(cmd *cobra.Command, p experiment.Page) error {
	return l.write(cmd.OutOrStdout(), page{raw: p.Raw, text: p.Text})
}
