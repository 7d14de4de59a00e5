package budget

import (
	"context"
	"errors"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
)

// result is what a call tells about the cloud, whatever it answered.
type result int

const (
	unknown  result = iota // its caller did not wait for the answer
	answered               // be it a refusal
	failed                 // no answer, or none that makes sense
)

// call makes one call within the budget. The cloud has callLimit for its answer.
func call[T any](ctx context.Context, p *place, class Class, do func(ctx context.Context) (T, error)) (T, error) {
	limit, is := attended(ctx)
	if !is {
		limit = callLimit
	}
	return within(ctx, p, class, limit, do)
}

// within is call with a time limit of its own.
func within[T any](ctx context.Context, p *place, class Class, limit time.Duration, do func(ctx context.Context) (T, error)) (T, error) {
	w := newWaiter(class, Of(ctx))
	w.limit = limit
	if err := p.enter(ctx, w); err != nil {
		var none T
		return none, err
	}
	return carry(ctx, p, w, do)
}

// carry makes a call that was let in.
func carry[T any](ctx context.Context, p *place, w *waiter, do func(ctx context.Context) (T, error)) (answer T, err error) {
	limited, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	how, outcome := failed, "error" // what a panic leaves behind
	throttled := false
	defer func() {
		p.leave(w, how, throttled)
		p.observe(w, outcome)
	}()
	answer, err = do(limited)
	how, outcome = judge(ctx, limited, err, time.Since(w.began))
	if refusal, ok := errors.AsType[*cloud.Refusal](err); ok {
		throttled = refusal.Kind == cloud.Throttled
	}
	if outcome == "timeout" && ctx.Err() == nil {
		err = fault.Of(fault.Unavailable, "cloud", "The cloud gave no answer to %s for account %s in %s within %s; it will be asked again.",
			w.class, p.key.account, p.key.region, w.limit).With(err)
	}
	return answer, err
}

// judge tells a cloud that does not work from one that says no, and from a caller who changed its mind.
func judge(caller, limited context.Context, err error, took time.Duration) (result, string) {
	if refusal, ok := errors.AsType[*cloud.Refusal](err); ok {
		return answered, string(refusal.Kind)
	}
	switch {
	case err == nil:
		return answered, "ok"
	case caller.Err() != nil && took < wellAfter:
		return unknown, "gaveUp"
	case limited.Err() != nil:
		return failed, "timeout"
	}
	return failed, "error"
}
