package identity

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

func TestIdsHaveTheirWireForm(t *testing.T) {
	i, _ := started(t)
	account := i.account(t, i.organisation, "prod")
	for id, form := range map[string]string{account.ID: `^act-[0-9a-f]{8}$`, i.organisation: `^[1-9][0-9]{11}$`} {
		if !regexp.MustCompile(form).MatchString(id) {
			t.Errorf("id %q is not of the form %s", id, form)
		}
	}
}

func TestTheFirstAccountStaysTheDefault(t *testing.T) {
	i, admin := started(t)
	caller, err := i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	check(t, "default of an organisation without accounts", caller.Default, "")
	var first Account
	i.tx(t, func(ctx context.Context, tx *store.Tx) (err error) {
		for n := range 5 {
			made, err := i.CreateAccount(ctx, tx, Account{Organisation: i.organisation, Name: fmt.Sprintf("account %d", n)})
			if err != nil {
				return err
			}
			if n == 0 {
				first = made
			}
		}
		return nil
	})
	caller, err = i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	check(t, "default", caller.Default, first.ID)
}

func TestANewAccountIsSeenByTheNextRequestInEveryProcess(t *testing.T) {
	i, admin := started(t)
	i.account(t, i.organisation, "first")
	other := New(Config{DB: i.db, Key: testKey})
	_, err := other.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	made := i.account(t, i.organisation, "second")
	for _, each := range []*Identity{i.Identity, other} {
		caller, err := each.Authenticate(t.Context(), bearer(admin))
		must(t, err)
		must(t, caller.Rights.Authorize(op.Deed{Need: "elastigroup:describeGroup", Account: made.ID, Reads: true}))
	}
}

func TestAccountsAreReadBackAndListedByOrganisation(t *testing.T) {
	i, _ := started(t)
	made := i.account(t, i.organisation, "prod")
	read, err := i.Account(t.Context(), made.ID)
	must(t, err)
	read.Created = made.Created // which the database keeps to the microsecond
	check(t, "account", fmt.Sprintf("%+v", read), fmt.Sprintf("%+v", made))
	list, err := i.Accounts(t.Context(), i.organisation)
	must(t, err)
	check(t, "accounts", len(list), 1)
	none, err := i.Accounts(t.Context(), "")
	must(t, err)
	check(t, "accounts of nobody", len(none), 0)
	_, err = i.Account(t.Context(), "act-00000000")
	check(t, "kind of a missing account", fault.KindOf(err), fault.NotFound)
}

func TestABadAccountIsRefused(t *testing.T) {
	i, _ := started(t)
	taken := i.account(t, i.organisation, "prod")
	for _, c := range []struct {
		account Account
		want    fault.Kind
	}{
		{Account{Organisation: i.organisation, Name: "123"}, fault.Invalid},
		{Account{Organisation: i.organisation, Name: "prod", ID: "sig-12345678"}, fault.Invalid},
		{Account{Organisation: i.organisation, Name: "prod", ID: taken.ID}, fault.Exists},
		{Account{Organisation: "100000000000", Name: "prod"}, fault.NotFound},
	} {
		err := i.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := i.CreateAccount(ctx, tx, c.account)
			return err
		})
		check(t, fmt.Sprintf("%+v", c.account), fault.KindOf(err), c.want)
	}
}
