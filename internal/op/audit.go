package op

import (
	"context"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// act runs the operation. What changes something and its audit entry are one transaction; a change that needed none is recorded right after.
func (x *exchange) act(ctx context.Context, do func(ctx context.Context) (any, error)) (any, error) {
	if !x.route.row.Mutates {
		return do(ctx)
	}
	if x.call.DryRun {
		out, err := do(store.WithDryRun(ctx))
		if err != nil {
			return nil, err
		}
		return out, x.record(ctx, nil, "dryRun", "")
	}
	marked, recorded := store.WithPrologue(ctx, func(ctx context.Context, tx *store.Tx) error {
		return x.record(ctx, tx, "done", "")
	})
	out, err := do(marked)
	if err == nil && !recorded() {
		err = x.record(ctx, nil, "done", "")
	}
	return out, err
}

// recordRefusal keeps who was refused what. A refusal that cannot be recorded still stands; the log says so. Nothing is kept of callers beyond
// their rate, or the journal would be the way to drown the database, and of anonymous ones: both are counted.
func (x *exchange) recordRefusal(ctx context.Context, refused *fault.Error) {
	if !x.route.row.Mutates || x.call.Caller == (Caller{}) || x.overRate {
		return
	}
	outcome := "refused"
	if refused.Kind == fault.Internal || refused.Kind == fault.Unavailable {
		outcome = "failed"
	}
	// The client may have gone away; what it was refused is recorded nevertheless.
	if err := x.record(context.WithoutCancel(ctx), nil, outcome, refused.Message); err != nil {
		x.server.log.Error("a refusal was not recorded in the audit", "request", x.call.ID, "operation", x.route.operation, "error", err)
	}
}

func (x *exchange) record(ctx context.Context, tx *store.Tx, outcome, message string) error {
	if x.server.auditor == nil {
		return nil
	}
	call := &x.call
	return x.server.auditor.Record(ctx, tx, AuditEntry{
		Request: call.ID, Organisation: call.Caller.Organisation, Account: call.Account, Subject: call.Caller.Subject, Name: call.Caller.Name,
		Operation: x.route.operation, Need: x.route.row.Need, Method: call.Method, Path: call.Path, Object: call.Object,
		Outcome: outcome, Message: message,
	})
}
