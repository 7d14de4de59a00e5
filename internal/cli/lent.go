package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/experiment"
	"github.com/neap-cloud/neap/internal/cli/job"
	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/cli/settings"
	"github.com/neap-cloud/neap/internal/clock"
)

func (s *shell) experiment() *cobra.Command {
	cmd, children := experiment.Commands(lent{s})
	return parent(cmd, children...)
}

// lent is the shell, as commands in packages of their own see it.
type lent struct{ *shell }

var (
	_ experiment.Shell = lent{}
	_ job.Shell        = lent{}
)

func (s *shell) job() (cmd, logs *cobra.Command) {
	cmd, children, logs := job.Commands(lent{s})
	return parent(cmd, children...), logs
}

func (l lent) question(q session.Question) (*client, request, error) {
	c, err := l.client()
	r := request{method: q.Method, path: q.Path, query: q.Query, key: q.Key, dryRun: q.DryRun}
	if err == nil && q.Body != nil {
		r.body, err = json.Marshal(q.Body)
	}
	return c, r, err
}

func (l lent) Open(ctx context.Context, q session.Question) (io.ReadCloser, error) {
	c, r, err := l.question(q)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, r)
}

func (l lent) IsAway(err error) bool {
	var away *unreachable
	return errors.As(err, &away)
}
func (l lent) Clock() clock.Clock              { return l.world.Clock }
func (l lent) Terminal() (out, err bool)       { return l.world.Terminal, l.world.ErrTerminal }
func (l lent) Variable(name string) (v string) { return settings.Lookup(l.world.Environ, name) }

func (l lent) Ask(ctx context.Context, q session.Question) (json.RawMessage, error) {
	c, r, err := l.question(q)
	if err != nil {
		return nil, err
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

func (l lent) Show(cmd *cobra.Command, fetch func(ctx context.Context) (session.Page, error)) error {
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

func (l lent) Print(cmd *cobra.Command, p session.Page) error {
	return l.write(cmd.OutOrStdout(), page{raw: p.Raw, text: p.Text})
}
