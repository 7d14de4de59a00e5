package mishap

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

// exposed is a provider whose calls may go wrong.
type exposed struct {
	account *account
	clock   clock.Clock
	inner   cloud.Provider
}

// call makes one call, with what may go wrong before and after it.
func call[T any](ctx context.Context, e *exposed, name, region string, do func(p Plan, dice *rand.Rand) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	a, p := e.account, e.account.mishaps.plan()
	dice := a.next(name, region)
	isLost, isThrottled, isUnanswered := dice.Float64() < p.Rate[Lost], dice.Float64() < p.Rate[Throttled], dice.Float64() < p.Rate[Unanswered]
	switch {
	case a.isDenied(p, e.clock.Now()):
		return none, &cloud.Refusal{Kind: cloud.Denied, Scope: cloud.ScopeAccount, Key: region, Code: "ExpiredToken",
			Message: "The security token included in the request is expired (a mishap)."}
	case isLost:
		a.mishaps.count(Lost)
		return none, fmt.Errorf("%s in %s: the connection was refused (a mishap)", name, region)
	case isThrottled:
		a.mishaps.count(Throttled)
		return none, &cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount, Key: region, Code: "RequestLimitExceeded",
			Message: fmt.Sprintf("There were too many requests in %s (a mishap).", region)}
	}
	answer, err := do(p, dice)
	if isUnanswered && ctx.Err() == nil {
		a.mishaps.count(Unanswered)
		return none, fmt.Errorf("%s in %s: the connection broke before the reply came (a mishap)", name, region)
	}
	return answer, err
}

// do is call for what answers nothing but whether it was done.
func (e *exposed) do(ctx context.Context, name, region string, work func() error) error {
	_, err := call(ctx, e, name, region, func(Plan, *rand.Rand) (struct{}, error) { return struct{}{}, work() })
	return err
}

// Info is cloud.Provider's.
func (e *exposed) Info() cloud.Info { return e.inner.Info() }

// Unwrap leads to abilities that this package does not know; they never go wrong.
func (e *exposed) Unwrap() cloud.Provider { return e.inner }

// Launch is cloud.Provider's.
func (e *exposed) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	return call(ctx, e, "Launch", l.Market.Region, func(p Plan, _ *rand.Rand) ([]cloud.Instance, error) { return e.launch(ctx, p, l) })
}

// launched is what a token stands for.
type launched struct{ asked, granted int }

// launch asks for as many as this token is granted, however often it comes: the cloud inside only ever sees one and the same request.
func (e *exposed) launch(ctx context.Context, p Plan, l cloud.Launch) ([]cloud.Instance, error) {
	asked := l.Count
	known, isNew := e.account.grant(p, l)
	switch {
	case known.asked != asked:
		return nil, &cloud.Refusal{Kind: cloud.BadRequest, Code: "IdempotentParameterMismatch",
			Message: fmt.Sprintf("The token %q was used for %d instances before, not %d.", l.Token, known.asked, asked)}
	case known.granted == asked:
		return e.inner.Launch(ctx, l)
	}
	short := &cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Key: l.Market.PoolKey(), Code: "InsufficientInstanceCapacity",
		Message: fmt.Sprintf("There is capacity for %d of %d only (a mishap).", known.granted, asked)}
	if isNew {
		e.account.mishaps.count(Partial)
	}
	if known.granted < l.Least {
		return nil, short
	}
	l.Count = known.granted
	started, err := e.inner.Launch(ctx, l)
	if err == nil {
		err = short
	}
	return started, err
}

// grant says what a token stands for, and decides it when it is new.
func (a *account) grant(p Plan, l cloud.Launch) (known launched, isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, is := a.launches[l.Token]
	if is {
		return known, false
	}
	known = launched{l.Count, l.Count}
	if l.Token == "" {
		return known, false // it will be refused
	}
	// The dice are the token's own: another process, or this one after a restart, decides alike as long as the plan does not change.
	if dice := a.dice("token\x00" + l.Token); dice.Float64() < p.Rate[Partial] && l.Count > 1 {
		known.granted = 1 + dice.IntN(l.Count-1)
	}
	a.launches[l.Token] = known
	return known, true
}

// Describe is cloud.Provider's.
func (e *exposed) Describe(ctx context.Context, q cloud.Query) ([]cloud.Instance, error) {
	return call(ctx, e, "Describe", q.Region, func(p Plan, dice *rand.Rand) ([]cloud.Instance, error) {
		found, err := e.inner.Describe(ctx, q)
		if err != nil {
			return found, err
		}
		now, settle := e.clock.Now(), e.inner.Info().Settle
		e.account.watch(found, now, settle)
		isEmpty, isStale, age := e.account.strikes(dice, p, Empty), dice.Float64() < p.Rate[Stale], time.Duration(dice.Float64()*float64(settle))
		switch {
		case isEmpty:
			return nil, nil
		case isStale && age > 0:
			return e.account.asOf(found, now.Add(-age)), nil
		}
		return found, nil
	})
}

// Terminate is cloud.Provider's.
func (e *exposed) Terminate(ctx context.Context, region string, ids []string) error {
	return e.do(ctx, "Terminate", region, func() error { return e.inner.Terminate(ctx, region, ids) })
}

// Check is cloud.Provider's.
func (e *exposed) Check(ctx context.Context, region string, template cloud.Template) ([]*cloud.Refusal, error) {
	return call(ctx, e, "Check", region, func(Plan, *rand.Rand) ([]*cloud.Refusal, error) { return e.inner.Check(ctx, region, template) })
}

var _ cloud.Provider = (*exposed)(nil)
