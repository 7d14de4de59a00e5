package setup

import (
	"context"
	"encoding/json"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d dialect) credentialRows() []op.Row {
	const set, check, show = "setup:setCredentials", "setup:validateCredentials", "setup:describeCredentials"
	return []op.Row{
		{N: 25, ID: "account.setCredentialsForAws", Route: "POST /setup/credentials/aws", Need: set, Title: "Connect an account to AWS by a role", Mutates: true, Body: "setup#/$defs/aws", Do: op.Func(d.setAWS)},
		{N: 26, ID: "account.createAwsAccountExternalId", Route: "POST /setup/credentials/aws/externalId", Need: set, Title: "Make the external id that the role of an account has to name", Mutates: true, Kind: "spotinst:setup:aws:externalId", Do: op.Func(d.offerExternalID)},
		{N: 27, ID: "account.setCredentialsForGcp", Route: "POST /gcp/setup/credentials", Need: set, Title: "Connect an account to GCP by a service account", Mutates: true, Body: "setup#/$defs/gcp", Do: op.Func(d.setGCP)},
		{N: 28, ID: "account.validateCredentialsForGcp", Route: "POST /gcp/setup/credentials/validation", Need: check, Title: "Try a service account of GCP", Mutates: true, Body: "setup#/$defs/gcp", Do: op.Func(d.checkGCP)},
		{N: 29, ID: "account.setCredentialsForAzure", Route: "POST /azure/setup/credentials", Need: set, Title: "Connect an account to Azure by an app", Mutates: true, Body: "setup#/$defs/azure", Do: op.Func(d.setAzure)},
		{N: 30, ID: "account.validateCredentialsForAzure", Route: "POST /azure/setup/credentials/validation", Need: check, Title: "Try an app of Azure", Mutates: true, Body: "setup#/$defs/azureCheck", Do: op.Func(d.checkAzure)},
		{ID: "account.getCredentialsForAzure", Route: "GET /azure/setup/credentials", Need: show, Title: "Show the app of an account of Azure", Kind: "spotinst:azure:credentials", Do: op.Func(d.azure)},
		{ID: "account.setCredentialsForAzureTenant", Route: "POST /azure/setup/tenant/credentials", Need: set, Title: "Connect an account to a tenant of Azure", Mutates: true, Body: "setup#/$defs/azureTenant", Do: op.Func(d.setAzure)},
		{ID: "account.validateCredentialsForAzureTenant", Route: "POST /azure/setup/tenant/credentials/validation", Need: check, Title: "Try an app for a tenant of Azure", Mutates: true, Body: "setup#/$defs/azureTenant", Do: op.Func(d.checkAzure)},
		{ID: "account.readServiceAccount", Route: "GET /gcp/setup/credentials", Need: show, Title: "Show the service account of an account of GCP", Do: op.Func(d.gcp)},
		{ID: "account.readCredentials", Route: "GET /setup/credentials/aws", Need: show, Title: "Show the role of an account of AWS", Do: op.Func(d.aws)},
		{ID: "account.readAwsAccountExternalId", Route: "GET /setup/credentials/aws/externalId/{acctId}", Need: show, Title: "Show the external id of an account of AWS", Target: d.accountTarget("acctId"), Do: op.Func(d.externalID)},
	}
}

type awsRole struct {
	Role    string `json:"iamRole"`
	Account string `json:"accountId"`
}

func (d dialect) setAWS(ctx context.Context, in createIn) (spot.Done, error) {
	call := op.CallOf(ctx)
	body, err := read[struct{ Credentials awsRole }](in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	return spot.Done{}, respelled(d.Identity.SetRole(ctx, call.Caller.Organisation, call.Account, body.Credentials.Role), "credentials.", nil)
}

func (d dialect) aws(ctx context.Context, _ struct{}) (spot.Items[awsRole], error) {
	c, err := d.connected(ctx, "AWS", "credentials")
	if err != nil {
		return nil, err
	}
	return spot.One(awsRole{c.Role, c.Account}), nil
}

// connected are the credentials of the request's account in a cloud; those of another cloud, and a mere external id, are none.
func (d dialect) connected(ctx context.Context, cloud, noun string) (identity.Credentials, error) {
	call := op.CallOf(ctx)
	c, err := d.Identity.Credentials(ctx, call.Caller.Organisation, call.Account)
	if fault.Is(err, fault.NotFound) || err == nil && c.Provider != cloud {
		err = fault.Of(fault.NotFound, noun, "Account %s has no %s of %s.", call.Account, noun, cloud)
	}
	return c, err
}

type externalID struct {
	ID      string    `json:"externalId"`
	Until   spot.Time `json:"maxValidUntil"` // null of the one that the account's role names: it stays
	Account string    `json:"accountId"`
}

func (d dialect) offerExternalID(ctx context.Context, _ struct{}) (spot.Items[externalID], error) {
	call := op.CallOf(ctx)
	id, until, err := d.Identity.OfferExternalID(ctx, call.Caller.Organisation, call.Account)
	if err != nil {
		return nil, err
	}
	return spot.One(externalID{id, spot.Time(until), call.Account}), nil
}

// externalID is the newest that was asked for or, when its role was set, that one.
func (d dialect) externalID(ctx context.Context, _ acctIn) (spot.Items[externalID], error) {
	call := op.CallOf(ctx)
	c, err := d.Identity.Credentials(ctx, call.Caller.Organisation, call.Account)
	switch {
	case err != nil:
		return nil, err
	case c.Offered != "":
		return spot.One(externalID{c.Offered, spot.Time(c.Until), c.Account}), nil
	case c.External != "":
		return spot.One(externalID{c.External, spot.Time{}, c.Account}), nil
	}
	return nil, fault.Of(fault.NotFound, "credentials", "Account %s has no external id; ask for one first.", c.Account)
}

// keyOf is the key file in a body.
func keyOf(body op.Document) ([]byte, error) {
	in, err := read[struct{ ServiceAccount json.RawMessage }](body)
	return in.ServiceAccount, err
}

func (d dialect) setGCP(ctx context.Context, in createIn) (spot.Done, error) {
	call := op.CallOf(ctx)
	key, err := keyOf(in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	return spot.Done{}, d.Identity.SetServiceAccount(ctx, call.Caller.Organisation, call.Account, key)
}

func (d dialect) checkGCP(ctx context.Context, in createIn) (spot.Done, error) {
	call := op.CallOf(ctx)
	key, err := keyOf(in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	_, _, err = d.Identity.CheckServiceAccount(ctx, call.Caller.Organisation, call.Account, key)
	return spot.Done{}, err
}

// serviceAccount is a key file without its key.
type serviceAccount struct {
	Account string `json:"accountId"`
	Type    string `json:"type"`
	Project string `json:"project_id"`
	Email   string `json:"client_email"`
}

// wrappedAccount has all of it twice: the Go client reads a service account, as nothing else, within a wrapper.
type wrappedAccount struct {
	serviceAccount
	Wrapped serviceAccount `json:"serviceAccount"`
}

func (d dialect) gcp(ctx context.Context, _ struct{}) (spot.Items[wrappedAccount], error) {
	c, err := d.connected(ctx, "GCP", "service account")
	if err != nil {
		return nil, err
	}
	item := serviceAccount{c.Account, "service_account", c.Project, c.Email}
	return spot.One(wrappedAccount{item, item}), nil
}

// appOf reads an app of Azure.
func appOf(body op.Document) (identity.AzureApp, error) {
	in, err := read[struct {
		ClientID, ClientSecret, TenantID, SubscriptionID string
		ExpirationDate                                   *string
	}](body)
	app := identity.AzureApp{Client: in.ClientID, Secret: in.ClientSecret, Tenant: in.TenantID, Subscription: in.SubscriptionID}
	if err != nil || in.ExpirationDate == nil {
		return app, err
	}
	at, wrong := spot.Date("expirationDate", *in.ExpirationDate)
	if wrong != nil {
		return app, wrong
	}
	app.Expires = at
	return app, nil
}

func (d dialect) setAzure(ctx context.Context, in createIn) (spot.Done, error) {
	call := op.CallOf(ctx)
	app, err := appOf(in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	return spot.Done{}, d.Identity.SetApp(ctx, call.Caller.Organisation, call.Account, app)
}

func (d dialect) checkAzure(ctx context.Context, in createIn) (spot.Done, error) {
	call := op.CallOf(ctx)
	app, err := appOf(in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	return spot.Done{}, d.Identity.CheckApp(ctx, call.Caller.Organisation, call.Account, app)
}

// azureApp is an app without its secret.
type azureApp struct {
	Client       string `json:"clientId"`
	Tenant       string `json:"tenantId"`
	Subscription string `json:"subscriptionId"`
}

func (d dialect) azure(ctx context.Context, _ struct{}) (spot.Items[azureApp], error) {
	c, err := d.connected(ctx, "AZURE", "credentials")
	if err != nil {
		return nil, err
	}
	return spot.One(azureApp{c.Client, c.Tenant, c.Subscription}), nil
}
