package setup

import (
	"context"
	"encoding/json"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d dialect) organisationRows() []op.Row {
	target := op.Target{Noun: "organisation", Param: "organizationId"}
	return []op.Row{
		{N: 4, ID: "organization.deleteOrganization", Route: "DELETE /setup/organization/{organizationId}", Need: "setup:deleteOrganization", Title: "Close an organisation", Target: target, Mutates: true, Do: op.Func(d.deleteOrganisation)},
		{N: 10, ID: "organization.createOrganization", Route: "POST /setup/organization", Need: "setup:createOrganization", Title: "Create a child of the organisation", Mutates: true, Kind: "spotinst:setup:organization", Body: "setup#/$defs/organization", Do: op.Func(d.createOrganisation)},
	}
}

func (d dialect) accountRows() []op.Row {
	account := d.accountTarget("accountId")
	const kind = "spotinst:setup:account"
	return []op.Row{
		{N: 11, ID: "account.updateAccount", Route: "PUT /setup/account/{accountId}", Need: "setup:updateAccount", Title: "Change an account", Target: account, Mutates: true, Body: "setup#/$defs/accountUpdate", Do: op.Func(d.updateAccount)},
		{N: 12, ID: "account.deleteAccount", Route: "DELETE /setup/account/{accountId}", Need: "setup:deleteAccount", Title: "Delete an account", Target: account, Mutates: true, Do: op.Func(d.deleteAccount)},
		{N: 18, ID: "account.createAccount", Route: "POST /setup/account", Need: "setup:createAccount", Title: "Create an account", NoAccount: true, Mutates: true, Kind: kind, Body: "setup#/$defs/accountCreate", Do: op.Func(d.createAccount)},
		{N: 19, ID: "account.listAccounts", Route: "GET /setup/account", Need: "setup:describeOwnAccounts", Title: "List the accounts that the caller may do anything in", NoAccount: true, Kind: kind, Do: op.Func(d.accounts)},
		{N: 21, ID: "account.listAccessPolicies", Route: "GET /setup/access/policy", Need: "setup:describePolicies", Title: "List the policies for accounts", Kind: "spotinst:setup:access:policy", Do: op.Func(d.policies)},
		{ID: "account.readAccount", Route: "GET /setup/account/{acctId}", Need: "setup:describeAccount", Title: "Show an account", Target: d.accountTarget("acctId"), Kind: kind, Do: op.Func(d.account)},
	}
}

// accountTarget is the account in the path. One of somebody else reads like one that does not exist.
func (d dialect) accountTarget(param string) op.Target {
	return op.Target{Noun: "account", Param: param, IsAccount: true, AccountOf: func(ctx context.Context, id string) (string, error) {
		a, err := d.Identity.Account(ctx, id)
		return a.ID, err
	}}
}

type organisationIn struct {
	Organisation string `path:"organizationId"`
}

func (d dialect) deleteOrganisation(ctx context.Context, in organisationIn) (spot.Done, error) {
	_, err := d.Identity.CloseOrganisation(ctx, op.CallOf(ctx).Caller.Organisation, in.Organisation)
	return spot.Done{}, err
}

type organisationItem struct {
	ID   int64  `json:"organizationId"`
	Name string `json:"organizationName"`
}

func (d dialect) createOrganisation(ctx context.Context, in createIn) (spot.Items[organisationItem], error) {
	call := op.CallOf(ctx)
	body, err := read[struct{ Organization struct{ Name string } }](in.Body)
	if err != nil {
		return nil, err
	}
	made, err := d.Identity.AddOrganisation(ctx, call.Caller.Organisation, body.Organization.Name)
	if err != nil {
		return nil, err
	}
	return spot.One(organisationItem{number(made.ID), made.Name}), nil
}

// createdAccount is the answer to its creation.
type createdAccount struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Organisation string `json:"organizationId"`
}

func (d dialect) createAccount(ctx context.Context, in createIn) (spot.Items[createdAccount], error) {
	call := op.CallOf(ctx)
	body, err := read[struct{ Account struct{ Name string } }](in.Body)
	if err != nil {
		return nil, err
	}
	a, err := d.Identity.AddAccount(ctx, identity.Account{Organisation: call.Caller.Organisation, Name: body.Account.Name})
	if err != nil {
		return nil, err
	}
	return spot.One(createdAccount{a.ID, a.Name, a.Organisation}), nil
}

// accountItem has the account's id twice: clients read one or the other.
type accountItem struct {
	Account string `json:"accountId"`
	createdAccount
	Cloud    string    `json:"cloudProvider,omitempty"`
	External *string   `json:"providerExternalId"` // the cloud's own id of the account; null while it has none
	Created  spot.Time `json:"createdAt"`
}

func accountOf(a identity.Account) accountItem {
	item := accountItem{a.ID, createdAccount{a.ID, a.Name, a.Organisation}, a.Provider, nil, spot.Time(a.Created)}
	if a.ExternalID != "" {
		item.External = &a.ExternalID
	}
	return item
}

type accountsIn struct {
	Cloud string `query:"cloudAccountId" doc:"Only the account that the cloud knows by this id."`
}

func (d dialect) accounts(ctx context.Context, in accountsIn) (spot.Items[accountItem], error) {
	visible, err := d.Identity.Visible(ctx, op.CallOf(ctx).Caller)
	var items spot.Items[accountItem]
	for _, a := range visible {
		if in.Cloud == "" || a.ExternalID == in.Cloud {
			items = append(items, accountOf(a))
		}
	}
	return items, err
}

type acctIn struct {
	Account string `path:"acctId"`
}

func (d dialect) account(ctx context.Context, in acctIn) (spot.Items[accountItem], error) {
	a, err := d.Identity.Account(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	return spot.One(accountOf(a)), nil
}

// channels are kept with an account; nothing is sent there yet.
const channels = "slackNotificationChannels"

func (d dialect) updateAccount(ctx context.Context, in bodyOfAccountIn) (spot.Done, error) {
	body, err := read[struct {
		Account struct {
			Name                      *string
			SlackNotificationChannels json.RawMessage
		}
	}](in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	_, err = d.Identity.UpdateAccount(ctx, op.CallOf(ctx).Caller.Organisation, in.Account, func(a *identity.Account) error {
		if body.Account.Name != nil {
			a.Name = *body.Account.Name
		}
		if given := body.Account.SlackNotificationChannels; given != nil {
			if a.Settings == nil {
				a.Settings = map[string]json.RawMessage{}
			}
			a.Settings[channels] = given
		}
		return nil
	})
	return spot.Done{}, err
}

type accountIn struct {
	Account string `path:"accountId"`
}

func (d dialect) deleteAccount(ctx context.Context, in accountIn) (spot.Done, error) {
	return spot.Done{}, d.Identity.DeleteAccount(ctx, op.CallOf(ctx).Caller.Organisation, in.Account)
}
