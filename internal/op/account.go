package op

import (
	"context"
	"sync"

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
	if row.Open {
		return nil
	}
	if row.NoAccount {
		return x.authorize(ctx, "", from.body)
	}
	owned := call.Object != "" && row.Target.AccountOf != nil
	account := ""
	if name := x.route.dialect.AccountFrom; name != "" && !row.Target.IsAccount {
		if values := queryValues(from.query, name); len(values) > 0 {
			account = values[0]
		}
	}
	if account == "" && owned {
		return x.resolveByObject(ctx, from.body)
	}
	if account == "" {
		account = call.Caller.Default
	}
	if account == "" {
		return fault.Of(fault.Denied, "account", "There is no account to do this in; name one.")
	}
	if err := x.authorize(ctx, account, from.body); err != nil {
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

// authorize checks the caller's right to the row's deed in an account, on the object as far as it is known.
func (x *exchange) authorize(ctx context.Context, account string, body Document) error {
	call, row := &x.call, &x.route.row
	if call.Caller.Rights == nil {
		return fault.Of(fault.Denied, "operation", "You have no right to do this.")
	}
	var unread error
	deed := Deed{Need: row.Need, Account: account, Reads: !row.Mutates, Lists: row.Filters, Object: Object{ID: call.Object}}
	if row.Target.Attributes != nil {
		deed.Object.Attributes = lazily(func() (read Attributes) {
			read, unread = row.Target.Attributes(ctx, account, call.Object, body)
			return read
		})
	}
	err := call.Caller.Rights.Authorize(deed)
	if unread != nil { // a condition was judged without knowing the object
		return unread
	}
	return err
}

// lazily reads attributes when the first of them is asked for.
func lazily(read func() Attributes) Attributes {
	once := sync.OnceValue(read)
	return func(key string) (string, bool) {
		if attributes := once(); attributes != nil {
			return attributes(key)
		}
		return "", false
	}
}

// resolveByObject takes the account from the object itself. An object in an account that the caller cannot see reads like a missing one.
func (x *exchange) resolveByObject(ctx context.Context, body Document) error {
	call, row := &x.call, &x.route.row
	named := call.Object
	home, err := x.server.accountOf(ctx, row.Target, named)
	if err != nil {
		return err
	}
	if row.Target.IsAccount {
		call.Object = home
	}
	err = x.authorize(ctx, home, body)
	if known := fault.As(err); err != nil && known.Noun == "account" && (known.Kind == fault.Denied || known.Kind == fault.NotFound) {
		return fault.Missing(row.Target.Noun, named)
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
