package op

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

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
		return out, x.record(ctx, nil, "dryRun")
	}
	marked, recorded := store.WithPrologue(ctx, func(ctx context.Context, tx *store.Tx) error {
		return x.record(ctx, tx, "done")
	})
	out, err := do(marked)
	if err == nil && !recorded() {
		err = x.record(ctx, nil, "done")
	}
	return out, err
}

// recordRefusal keeps who was refused what. A refusal that cannot be recorded still stands; the log says so. Nothing is kept of callers beyond
// their rate, or the journal would be the way to drown the database, and of anonymous ones: both are counted.
func (x *exchange) recordRefusal(ctx context.Context, err error) {
	if !x.route.row.Mutates || x.call.Caller == (Caller{}) || x.overRate {
		return
	}
	refused, outcome := fault.As(err), "refused"
	if refused.Kind == fault.Internal || refused.Kind == fault.Unavailable {
		outcome = "failed"
	}
	// The client may have gone away; what it was refused is recorded nevertheless.
	if err := x.recordAs(context.WithoutCancel(ctx), nil, outcome, x.statusOf(err), refused.Message); err != nil {
		x.server.log.Error("a refusal was not recorded in the audit", "request", x.call.ID, "operation", x.route.operation, "error", err)
	}
}

// record keeps what succeeded.
func (x *exchange) record(ctx context.Context, tx *store.Tx, outcome string) error {
	return x.recordAs(ctx, tx, outcome, cmp.Or(x.route.row.Status, http.StatusOK), "")
}

func (x *exchange) recordAs(ctx context.Context, tx *store.Tx, outcome string, status int, message string) error {
	if x.server.auditor == nil {
		return nil
	}
	content, err := contextOf(x.request.URL, x.sent)
	if err != nil {
		return fault.Of(fault.Internal, "audit", "The request cannot be kept in the audit.").With(err)
	}
	call, agent := &x.call, cut(withoutTokens(x.request.UserAgent()), longestAgent)
	return x.server.auditor.Record(ctx, tx, AuditEntry{
		Request: call.ID, Organisation: call.Caller.Organisation, Account: call.Account, Subject: call.Caller.Subject, Name: call.Caller.Name, Email: call.Caller.Email,
		Remote: call.Remote, Agent: agent, Source: sourceOf(agent),
		Operation: x.route.operation, Need: x.route.row.Need, Method: call.Method, Path: cut(withoutTokens(call.Path), longestURL), Object: withoutTokens(call.Object),
		Outcome: outcome, Status: status, Message: withoutTokens(message), Context: content,
	})
}

// statusOf is the HTTP status that a failure is answered with.
func (x *exchange) statusOf(err error) int {
	var fixed *httpError
	switch {
	case errors.As(err, &fixed):
		return fixed.status
	case x.dialect == nil:
		return http.StatusInternalServerError
	}
	known := fault.As(err)
	if exception := x.dialect.Exception; exception != nil {
		if status := exception(&x.call, known); status != 0 {
			return status
		}
	}
	return x.dialect.Status[known.Kind]
}

const (
	commandLine  = "neap-cli/" // begins the User-Agent of Neap's own command line
	longestAgent = 200         // letters
)

// sourceOf tells through what a caller came, as far as the client says so itself.
func sourceOf(agent string) string {
	if strings.HasPrefix(agent, commandLine) {
		return "CLI"
	}
	return "API"
}

// cut shortens a text between two letters.
func cut(text string, letters int) string {
	if runes := []rune(text); len(runes) > letters {
		return string(runes[:letters]) + "…"
	}
	return text
}
