package budget_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
)

const region = "us-east-1"

// far is a cloud that knows every instance whose id begins with "i", remembers when it was called and for what, and answers as it is told to.
type far struct {
	mu     sync.Mutex
	calls  []made
	answer func(ctx context.Context, call made) error // nil = at once, and well
	most   int                                        // calls in flight at once
	now    int
}

type made struct {
	class    budget.Class
	region   string
	ids      []string
	priority budget.Priority
	at       time.Time
}

func (f *far) call(ctx context.Context, m made) error {
	m.at, m.priority = time.Now(), budget.Of(ctx)
	f.mu.Lock()
	f.calls = append(f.calls, m)
	f.now++
	f.most = max(f.most, f.now)
	answer := f.answer
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.now--; f.mu.Unlock() }()
	if answer == nil {
		return nil
	}
	return answer(ctx, m)
}

func (f *far) tell(answer func(ctx context.Context, call made) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *far) made(classes ...budget.Class) (some []made) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.calls {
		if len(classes) == 0 || slices.Contains(classes, m.class) {
			some = append(some, m)
		}
	}
	return some
}

func (f *far) Info() cloud.Info { return cloud.Info{Name: "sim"} }

func (f *far) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	return nil, f.call(ctx, made{class: budget.Launch, region: l.Market.Region})
}

func (f *far) Describe(ctx context.Context, q cloud.Query) (found []cloud.Instance, err error) {
	for _, id := range q.IDs {
		if id[0] == 'i' {
			found = append(found, cloud.Instance{ID: id})
		}
	}
	return found, f.call(ctx, made{class: budget.Describe, region: q.Region, ids: q.IDs})
}

func (f *far) Terminate(ctx context.Context, region string, ids []string) error {
	err := f.call(ctx, made{class: budget.Terminate, region: region, ids: ids})
	for _, id := range ids {
		if err == nil && id[0] != 'i' {
			err = &cloud.Refusal{Kind: cloud.Unknown, Key: id, Code: "InvalidInstanceID.NotFound", Message: "no " + id}
		}
	}
	return err
}

func (f *far) Check(ctx context.Context, region string, _ cloud.Template) ([]*cloud.Refusal, error) {
	return nil, f.call(ctx, made{class: budget.Check, region: region})
}

func (f *far) Notices(ctx context.Context, region string) ([]cloud.Notice, error) {
	return nil, f.call(ctx, made{class: budget.Notice, region: region})
}

func (f *far) Acknowledge(ctx context.Context, region string, ids []string) error {
	return f.call(ctx, made{class: budget.Acknowledge, region: region, ids: ids})
}

// hang gives no answer until its caller gives up.
func hang(ctx context.Context, _ made) error { <-ctx.Done(); return ctx.Err() }

// bubble runs a test on a budget whose time passes by itself.
func bubble(t *testing.T, run func(t *testing.T, f *far, b *budget.Budget, p cloud.Provider)) {
	synctest.Test(t, func(t *testing.T) {
		f, b := &far{}, budget.New(budget.Config{Clock: clock.Wall{}})
		run(t, f, b, b.Wrap("acc", f))
	})
}

func launch(ctx context.Context, p cloud.Provider, region string) error {
	_, err := p.Launch(ctx, cloud.Launch{Market: cloud.Market{Region: region}})
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// drain uses the launch bucket up, and returns how many calls were in it.
func drain(t *testing.T, p cloud.Provider) (n int) {
	t.Helper()
	for began := time.Now(); time.Now().Equal(began); n++ {
		must(t, launch(t.Context(), p, region))
	}
	return n - 1
}

func names(prefix string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint(prefix, i))
	}
	return ids
}
