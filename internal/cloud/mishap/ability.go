package mishap

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// around is one ability of the provider inside. Each is a layer of its own, put on only where the ability is there: cloud.As finds those and no others.
type around[A any] struct {
	cloud.Provider // the layers below
	base           *exposed
	inner          A
}

// Unwrap leads to the other abilities.
func (a around[A]) Unwrap() cloud.Provider { return a.Provider }

type (
	pricer      struct{ around[cloud.Pricer] }
	interrupter struct{ around[cloud.Interrupter] }
	tagger      struct{ around[cloud.Tagger] }
	powerer     struct{ around[cloud.Powerer] }
	modifier    struct{ around[cloud.Modifier] }
	consoler    struct{ around[cloud.Consoler] }
	scaler      struct{ around[cloud.Scaler] }
)

func withAbilities(base *exposed) cloud.Provider {
	var p cloud.Provider = base
	p = put(p, base, func(a around[cloud.Pricer]) cloud.Provider { return pricer{a} })
	p = put(p, base, func(a around[cloud.Interrupter]) cloud.Provider { return interrupter{a} })
	p = put(p, base, func(a around[cloud.Powerer]) cloud.Provider { return powerer{a} })
	p = put(p, base, func(a around[cloud.Modifier]) cloud.Provider { return modifier{a} })
	p = put(p, base, func(a around[cloud.Consoler]) cloud.Provider { return consoler{a} })
	p = put(p, base, func(a around[cloud.Scaler]) cloud.Provider { return scaler{a} })
	p = put(p, base, func(a around[cloud.Tagger]) cloud.Provider { return tagger{a} })
	return put(p, base, func(a around[cloud.Notifier]) cloud.Provider { return notifier{a} })
}

// put puts an ability's layer around p, if the provider inside has the ability.
func put[A any](p cloud.Provider, base *exposed, layer func(around[A]) cloud.Provider) cloud.Provider {
	inner, ok := cloud.As[A](base.inner)
	if !ok {
		return p
	}
	return layer(around[A]{p, base, inner})
}

func (p pricer) Prices(ctx context.Context, region string) ([]cloud.Price, error) {
	return call(ctx, p.base, "Prices", region, func(Plan, *rand.Rand) ([]cloud.Price, error) { return p.inner.Prices(ctx, region) })
}

func (i interrupter) Interrupt(ctx context.Context, region string, ids []string) error {
	return i.base.do(ctx, "Interrupt", region, func() error { return i.inner.Interrupt(ctx, region, ids) })
}

func (t tagger) Tag(ctx context.Context, region string, ids []string, tags map[string]string) error {
	return t.base.do(ctx, "Tag", region, func() error { return t.inner.Tag(ctx, region, ids, tags) })
}

func (p powerer) Stop(ctx context.Context, region string, ids []string, force bool) error {
	return p.base.do(ctx, "Stop", region, func() error { return p.inner.Stop(ctx, region, ids, force) })
}

func (p powerer) Start(ctx context.Context, region string, ids []string) error {
	return p.base.do(ctx, "Start", region, func() error { return p.inner.Start(ctx, region, ids) })
}

func (p powerer) Reboot(ctx context.Context, region string, ids []string) error {
	return p.base.do(ctx, "Reboot", region, func() error { return p.inner.Reboot(ctx, region, ids) })
}

func (m modifier) Modify(ctx context.Context, region, id, attribute, value string) error {
	return m.base.do(ctx, "Modify", region, func() error { return m.inner.Modify(ctx, region, id, attribute, value) })
}

func (c consoler) ConsoleOutput(ctx context.Context, region, id string) (text string, at time.Time, err error) {
	err = c.base.do(ctx, "ConsoleOutput", region, func() (err error) {
		text, at, err = c.inner.ConsoleOutput(ctx, region, id)
		return err
	})
	return text, at, err
}

func (s scaler) ScalingGroups(ctx context.Context, region string, names []string) ([]cloud.ScalingGroup, error) {
	return call(ctx, s.base, "ScalingGroups", region, func(Plan, *rand.Rand) ([]cloud.ScalingGroup, error) {
		return s.inner.ScalingGroups(ctx, region, names)
	})
}

func (s scaler) ResizeScaling(ctx context.Context, region, name string, size cloud.ScalingSize) error {
	return s.base.do(ctx, "ResizeScaling", region, func() error { return s.inner.ResizeScaling(ctx, region, name, size) })
}

func (s scaler) SuspendScaling(ctx context.Context, region, name string, processes []string) error {
	return s.base.do(ctx, "SuspendScaling", region, func() error { return s.inner.SuspendScaling(ctx, region, name, processes) })
}

func (s scaler) ResumeScaling(ctx context.Context, region, name string, processes []string) error {
	return s.base.do(ctx, "ResumeScaling", region, func() error { return s.inner.ResumeScaling(ctx, region, name, processes) })
}

func (s scaler) DetachScaling(ctx context.Context, region, name string, instances []string, shrink bool) error {
	return s.base.do(ctx, "DetachScaling", region, func() error { return s.inner.DetachScaling(ctx, region, name, instances, shrink) })
}

var (
	_ cloud.Notifier    = notifier{}
	_ cloud.Pricer      = pricer{}
	_ cloud.Interrupter = interrupter{}
	_ cloud.Tagger      = tagger{}
	_ cloud.Powerer     = powerer{}
	_ cloud.Modifier    = modifier{}
	_ cloud.Consoler    = consoler{}
	_ cloud.Scaler      = scaler{}
)
