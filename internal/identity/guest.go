package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// guestName is how a guest stands in the audit.
const guestName = "guest"

// guest is the caller of whoever may come without a credential: it works on single instances in the first organisation's default account, and only as long as no
// account of the installation is in a real cloud.
func (i *Identity) guest(ctx context.Context) (op.Caller, error) {
	inst, err := i.Installation(ctx)
	if err != nil {
		return op.Caller{}, err
	}
	real, err := i.isReal(ctx)
	if err != nil {
		return op.Caller{}, err
	}
	of, err := i.Organisation(ctx, inst.Organisation)
	if err != nil {
		return op.Caller{}, err
	}
	own, err := i.Account(ctx, of.Default)
	if real || err == nil && own.Cloud != simulated || fault.Is(err, fault.NotFound) {
		return op.Caller{}, fault.Of(fault.Unauthenticated, "token", "Send a token in the header Authorization: Bearer <token>. "+
			"Guests are let in only where every account is simulated.")
	}
	return op.Caller{Organisation: of.ID, Subject: guestName, Name: guestName, Default: own.ID, Rights: guestRights{own.ID}}, err
}

// isReal reports whether any account of the installation is not simulated, as it was within the last second.
func (i *Identity) isReal(ctx context.Context) (bool, error) {
	known, fresh, epoch := i.reality.get(struct{}{})
	if fresh {
		return known, nil
	}
	all, _, err := accounts.List(ctx, i.db, store.Installation(), store.Query{})
	if err != nil {
		return false, err
	}
	real := slices.ContainsFunc(all, func(doc store.Doc[Account]) bool { return doc.Value.Cloud != simulated })
	i.reality.put(struct{}{}, real, epoch)
	return real, nil
}

// guestRights are the right to all operations on single instances, in one account.
type guestRights struct{ account string }

// Authorize is op.Rights'.
func (g guestRights) Authorize(d op.Deed) error {
	if d.Account != g.account {
		return noAccount(d.Account)
	}
	if service, _, _ := strings.Cut(d.Need, ":"); service != "launch" {
		return fault.Of(fault.Denied, "action", "Guests have no right to %s; send a token.", d.Need)
	}
	return nil
}

var _ op.Rights = guestRights{}
