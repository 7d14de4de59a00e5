package op

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/neap-cloud/neap/internal/fault"
)

// owner names an object for the cache of accounts. Ids are unique in the installation, and an object never changes its account.
type owner struct{ noun, id string }

// resolve finds the account that the request is about and checks the caller's right in it, in the order account, action, look-up: who has no
// right learns nothing about the object.
func (x *exchange) resolve(ctx context.Context, h huma.Context, from source) error {
	call, row := &x.call, &x.route.row
	if row.Target.Param != "" {
		call.Object = h.Param(row.Target.Param)
	}
	if row.NoAccount {
		return x.server.authorizer.Authorize(ctx, call.Caller, row.Need, "")
	}
	owned := call.Object != "" && row.Target.AccountOf != nil
	account := ""
	if name := x.route.dialect.AccountFrom; name != "" {
		if values := queryValues(from.query, name); len(values) > 0 {
			account = values[0]
		}
	}
	if account == "" && owned {
		return x.resolveByObject(ctx)
	}
	if account == "" {
		account = call.Caller.Default
	}
	if account == "" {
		return fault.Of(fault.Denied, "account", "There is no account to do this in; name one.")
	}
	if err := x.server.authorizer.Authorize(ctx, call.Caller, row.Need, account); err != nil {
		return err
	}
	call.Account = account
	if !owned {
		return nil
	}
	home, err := x.server.accountOf(ctx, row.Target, call.Object)
	if err == nil && home != account {
		err = fault.Missing(row.Target.Noun, call.Object)
	}
	return err
}

// resolveByObject takes the account from the object itself. An object in an account that the caller cannot see reads like a missing one.
func (x *exchange) resolveByObject(ctx context.Context) error {
	call, row := &x.call, &x.route.row
	home, err := x.server.accountOf(ctx, row.Target, call.Object)
	if err != nil {
		return err
	}
	err = x.server.authorizer.Authorize(ctx, call.Caller, row.Need, home)
	if known := fault.As(err); err != nil && known.Noun == "account" && (known.Kind == fault.Denied || known.Kind == fault.NotFound) {
		return fault.Missing(row.Target.Noun, call.Object)
	}
	if err == nil {
		call.Account = home
	}
	return err
}

// accountOf asks the target, once per object.
func (s *Server) accountOf(ctx context.Context, target Target, id string) (string, error) {
	key := owner{target.Noun, id}
	if account, ok := s.owners.get(key); ok {
		return account, nil
	}
	account, err := target.AccountOf(ctx, id)
	if fault.Is(err, fault.NotFound) || err == nil && account == "" {
		return "", fault.Missing(target.Noun, id).With(err)
	}
	if err != nil {
		return "", err
	}
	s.owners.put(key, account)
	return account, nil
}
