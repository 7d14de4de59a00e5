package cmpute

import (
	"context"
	"regexp"
	"slices"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d Deps) accountRows() []op.Row {
	one := op.Target{Noun: "account", Param: "accountId", AccountOf: accountOf, IsAccount: true}
	return section("Accounts",
		op.Row{N: 1, ID: "accounts.list", Route: "GET /api/accounts", Need: "setup:describeOwnAccounts", Title: "List AWS accounts", NoAccount: true, Do: op.Func(d.accounts)},
		op.Row{N: 2, ID: "accounts.read", Route: "GET /api/accounts/{accountId}", Need: "setup:describeAccount", Title: "Read one AWS account", Target: one, Do: op.Func(d.account)},
		op.Row{N: 3, ID: "accounts.attach", Route: "POST /api/accounts/CloudFrontAWS", Need: "setup:createAccount", Title: "Attach an AWS account by role", NoAccount: true, Mutates: true, Do: op.Func(d.attach)},
		op.Row{N: 4, ID: "accounts.change", Route: "PUT /api/accounts/{accountId}", Need: "setup:updateAccount", Title: "Change an AWS account", Target: one, Mutates: true, Do: op.Func(d.changeAccount)},
		op.Row{N: 5, ID: "accounts.detach", Route: "DELETE /api/accounts/{accountId}", Need: "setup:deleteAccount", Title: "Detach an AWS account", Target: one, Mutates: true, Do: op.Func(d.detach)},
	)
}

// accountOf is op.Target's: the id says it all, and whether there is such an account is for authorisation to say.
func accountOf(_ context.Context, id string) (string, error) {
	if ours, is := fromWire(accountLetter, accountPrefix, id); is {
		return ours, nil
	}
	return "", fault.Missing("account", id)
}

// aws is the family of accounts that this API knows.
const aws = "AWS"

type account struct {
	ActiveProcessorCount float
	Platform             string
	PlatformName         string
	BaseRegion           string
	MaxRIPercentageToUse float
	RoleArn              string
	Teams                []string
	ID                   string `json:"Id"`
	Name                 string
}

func (d Deps) shown(ctx context.Context, a identity.Account, teams teams) (account, error) {
	c, err := d.Identity.Credentials(ctx, a.Organisation, a.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return account{}, err
	}
	return account{
		Platform: "AmazonWebServices", PlatformName: "Amazon Web Services", BaseRegion: a.Region, MaxRIPercentageToUse: float(a.Reserved), RoleArn: c.Role,
		Teams: teams.names(a.Teams), ID: toWire(accountLetter, accountPrefix, a.ID), Name: a.Name,
	}, nil
}

func (d Deps) accounts(ctx context.Context, in struct {
	paged
	Filters string `query:"request.filters" doc:"JSON list of {Name, Operation, Values}"`
}) (list[account], error) {
	caller := op.CallOf(ctx).Caller
	visible, err := d.Identity.Visible(ctx, caller)
	if err != nil {
		return list[account]{}, err
	}
	teams, err := d.teams(ctx)
	if err != nil {
		return list[account]{}, err
	}
	var all []account
	for _, a := range visible {
		if a.Provider != aws {
			continue
		}
		one, err := d.shown(ctx, a, teams)
		if err != nil {
			return list[account]{}, err
		}
		all = append(all, one)
	}
	if all, err = filtered(all, in.Filters); err != nil {
		return list[account]{}, err
	}
	return pageOf(all, in.Token, func(a account) string { return a.Name + "/" + a.ID })
}

type oneAccount struct {
	ID string `path:"accountId"`
}

func (d Deps) account(ctx context.Context, in oneAccount) (account, error) {
	call := op.CallOf(ctx)
	a, err := d.Identity.Account(ctx, call.Account)
	if err == nil && a.Provider != aws {
		err = fault.Missing("account", in.ID)
	}
	if err != nil {
		return account{}, err
	}
	teams, err := d.teams(ctx)
	if err != nil {
		return account{}, err
	}
	return d.shown(ctx, a, teams)
}

var roleForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)

func (d Deps) attach(ctx context.Context, in withBody) (account, error) {
	f, err := formOf(ctx, in.Body)
	if err != nil {
		return account{}, err
	}
	teams, err := d.teams(ctx)
	if err != nil {
		return account{}, err
	}
	a := identity.Account{Organisation: op.CallOf(ctx).Caller.Organisation, Name: f.required("Name"), Reserved: f.number("MaxRIPercentageToUse")}
	if a.Region = f.required("BaseRegion"); a.Region != "" {
		d.checkRegion(f, a.Region)
	}
	role := f.required("RoleArn")
	if role != "" && !roleForm.MatchString(role) {
		f.wrong("RoleArn", "must be the ARN of a role, such as arn:aws:iam::123456789012:role/Neap, not %.80q", role)
	}
	a.Teams = teams.ids(f)
	if err := f.check(); err != nil {
		return account{}, err
	}
	if a, err = d.Identity.AttachRole(ctx, a, role); err != nil {
		return account{}, err
	}
	return d.shown(ctx, a, teams)
}

func (d Deps) checkRegion(f *form, region string) {
	if !slices.Contains(d.Catalog.Regions(), region) {
		f.wrong("BaseRegion", "must be a region of AWS, such as us-east-1, not %.40q", region)
	}
}

func (d Deps) changeAccount(ctx context.Context, in struct {
	oneAccount
	Body op.Document
}) (account, error) {
	f, err := formOf(ctx, in.Body)
	if err != nil {
		return account{}, err
	}
	if _, err := d.account(ctx, in.oneAccount); err != nil {
		return account{}, err
	}
	teams, err := d.teams(ctx)
	if err != nil {
		return account{}, err
	}
	name, region, ids := f.text("Name"), f.text("BaseRegion"), teams.ids(f)
	if region != nil {
		d.checkRegion(f, *region)
	}
	if err := f.check(); err != nil {
		return account{}, err
	}
	call := op.CallOf(ctx)
	changed, err := d.Identity.UpdateAccount(ctx, call.Caller.Organisation, call.Account, func(a *identity.Account) error {
		a.Name, a.Region = given(name, a.Name), given(region, a.Region)
		if ids != nil {
			a.Teams = ids
		}
		return nil
	})
	if err != nil {
		return account{}, err
	}
	return d.shown(ctx, changed, teams)
}

// given is a field of a form, or what there was before.
func given(text *string, before string) string {
	if text == nil {
		return before
	}
	return *text
}

func (d Deps) detach(ctx context.Context, in oneAccount) (bool, error) {
	if _, err := d.account(ctx, in); err != nil {
		return false, err
	}
	call := op.CallOf(ctx)
	err := d.Identity.DeleteAccount(ctx, call.Caller.Organisation, call.Account)
	return err == nil, err
}
