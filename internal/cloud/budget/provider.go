package budget

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// limited is a provider whose calls are made within the budget of its account.
type limited struct {
	budget  *Budget
	account string
	inner   cloud.Provider
}

func (l *limited) place(region string) *place {
	return l.budget.place(l.account, region, l.inner.Info().Name)
}

// do makes a call that answers nothing but whether it was done.
func (l *limited) do(ctx context.Context, class Class, region string, work func(ctx context.Context) error) error {
	_, err := call(ctx, l.place(region), class, func(ctx context.Context) (struct{}, error) { return struct{}{}, work(ctx) })
	return err
}

// Info is cloud.Provider's; it is no call.
func (l *limited) Info() cloud.Info { return l.inner.Info() }

// Unwrap leads to abilities that this package does not know; they are not counted.
func (l *limited) Unwrap() cloud.Provider { return l.inner }

// Launch is cloud.Provider's.
func (l *limited) Launch(ctx context.Context, launch cloud.Launch) ([]cloud.Instance, error) {
	return call(ctx, l.place(launch.Market.Region), Launch, func(ctx context.Context) ([]cloud.Instance, error) {
		return l.inner.Launch(ctx, launch)
	})
}

// Describe is cloud.Provider's. Requests by id alone share calls.
func (l *limited) Describe(ctx context.Context, q cloud.Query) ([]cloud.Instance, error) {
	if q.IDs != nil && len(q.Tags) == 0 {
		return l.place(q.Region).merged(ctx, Describe, q.IDs, func(ctx context.Context, ids []string) ([]cloud.Instance, error) {
			return l.inner.Describe(ctx, cloud.Query{Region: q.Region, IDs: ids})
		})
	}
	return within(ctx, l.place(q.Region), Describe, listLimit, func(ctx context.Context) ([]cloud.Instance, error) { return l.inner.Describe(ctx, q) })
}

// Terminate is cloud.Provider's. Requests share calls; when such a call is refused, each is made by itself.
func (l *limited) Terminate(ctx context.Context, region string, ids []string) error {
	_, err := l.place(region).merged(ctx, Terminate, ids, func(ctx context.Context, ids []string) ([]cloud.Instance, error) {
		return nil, l.inner.Terminate(ctx, region, ids)
	})
	return err
}

// Check is cloud.Provider's.
func (l *limited) Check(ctx context.Context, region string, template cloud.Template) ([]*cloud.Refusal, error) {
	return call(ctx, l.place(region), Check, func(ctx context.Context) ([]*cloud.Refusal, error) {
		return l.inner.Check(ctx, region, template)
	})
}

// The optional abilities. Each is a layer of its own, put on only where the provider inside has the ability: cloud.As finds those and no others.
type (
	notifier struct {
		layer
		inner cloud.Notifier
	}
	pricer struct {
		layer
		inner cloud.Pricer
	}
	interrupter struct {
		layer
		inner cloud.Interrupter
	}
	tagger struct {
		layer
		inner cloud.Tagger
	}
	powerer struct {
		layer
		inner cloud.Powerer
	}
	modifier struct {
		layer
		inner cloud.Modifier
	}
	consoler struct {
		layer
		inner cloud.Consoler
	}
)

// layer is a provider around another.
type layer struct {
	cloud.Provider
	base *limited
}

// Unwrap leads to the other abilities.
func (l layer) Unwrap() cloud.Provider { return l.Provider }

func withAbilities(base *limited) cloud.Provider {
	var p cloud.Provider = base
	if inner, ok := cloud.As[cloud.Pricer](base.inner); ok {
		p = pricer{layer{p, base}, inner}
	}
	if inner, ok := cloud.As[cloud.Interrupter](base.inner); ok {
		p = interrupter{layer{p, base}, inner}
	}
	if inner, ok := cloud.As[cloud.Powerer](base.inner); ok {
		p = powerer{layer{p, base}, inner}
	}
	if inner, ok := cloud.As[cloud.Modifier](base.inner); ok {
		p = modifier{layer{p, base}, inner}
	}
	if inner, ok := cloud.As[cloud.Consoler](base.inner); ok {
		p = consoler{layer{p, base}, inner}
	}
	if inner, ok := cloud.As[cloud.Tagger](base.inner); ok {
		p = tagger{layer{p, base}, inner}
	}
	if inner, ok := cloud.As[cloud.Notifier](base.inner); ok {
		p = notifier{layer{p, base}, inner}
	}
	return p
}

// Notices are what their name says, whoever asks.
func (n notifier) Notices(ctx context.Context, region string) ([]cloud.Notice, error) {
	return call(With(ctx, Notices), n.base.place(region), Notice, func(ctx context.Context) ([]cloud.Notice, error) { return n.inner.Notices(ctx, region) })
}

func (n notifier) Acknowledge(ctx context.Context, region string, ids []string) error {
	return n.base.do(With(ctx, Notices), Acknowledge, region, func(ctx context.Context) error { return n.inner.Acknowledge(ctx, region, ids) })
}

func (p pricer) Prices(ctx context.Context, region string) ([]cloud.Price, error) {
	return call(ctx, p.base.place(region), Prices, func(ctx context.Context) ([]cloud.Price, error) { return p.inner.Prices(ctx, region) })
}

func (i interrupter) Interrupt(ctx context.Context, region string, ids []string) error {
	return i.base.do(ctx, Interrupt, region, func(ctx context.Context) error { return i.inner.Interrupt(ctx, region, ids) })
}

func (t tagger) Tag(ctx context.Context, region string, ids []string, tags map[string]string) error {
	return t.base.do(ctx, Tag, region, func(ctx context.Context) error { return t.inner.Tag(ctx, region, ids, tags) })
}

func (p powerer) Stop(ctx context.Context, region string, ids []string, force bool) error {
	return p.base.do(ctx, Stop, region, func(ctx context.Context) error { return p.inner.Stop(ctx, region, ids, force) })
}

func (p powerer) Start(ctx context.Context, region string, ids []string) error {
	return p.base.do(ctx, Start, region, func(ctx context.Context) error { return p.inner.Start(ctx, region, ids) })
}

func (p powerer) Reboot(ctx context.Context, region string, ids []string) error {
	return p.base.do(ctx, Reboot, region, func(ctx context.Context) error { return p.inner.Reboot(ctx, region, ids) })
}

func (m modifier) Modify(ctx context.Context, region, id, attribute, value string) error {
	return m.base.do(ctx, Modify, region, func(ctx context.Context) error { return m.inner.Modify(ctx, region, id, attribute, value) })
}

func (c consoler) ConsoleOutput(ctx context.Context, region, id string) (text string, at time.Time, err error) {
	err = c.base.do(ctx, Console, region, func(ctx context.Context) (err error) {
		text, at, err = c.inner.ConsoleOutput(ctx, region, id)
		return err
	})
	return text, at, err
}

var (
	_ cloud.Provider    = (*limited)(nil)
	_ cloud.Notifier    = notifier{}
	_ cloud.Pricer      = pricer{}
	_ cloud.Interrupter = interrupter{}
	_ cloud.Tagger      = tagger{}
	_ cloud.Powerer     = powerer{}
	_ cloud.Modifier    = modifier{}
	_ cloud.Consoler    = consoler{}
)
