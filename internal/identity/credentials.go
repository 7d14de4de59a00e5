package identity

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// Credentials are how Neap acts in an account's cloud. No secret of them is ever shown again.
type Credentials struct {
	Account  string
	Provider string // "AWS", "GCP", "AZURE"; "" = none yet, an external id at most

	Role     string `json:",omitempty"` // AWS: ARN
	External string `json:",omitempty"` // AWS: the external id that the role's trust policy names
	// Offered is an external id that waits for the role that will name it, until it is too late.
	Offered string    `json:",omitempty"`
	Until   time.Time `json:",omitzero"`

	Project string `json:",omitempty"` // GCP
	Email   string `json:",omitempty"` // GCP: of the service account

	Client       string    `json:",omitempty"` // Azure, as are the next three
	Tenant       string    `json:",omitempty"`
	Subscription string    `json:",omitempty"` // "" = for the tenant as a whole
	Expires      time.Time `json:",omitzero"`

	Sealed []byte `json:",omitempty"` // GCP: the whole key file; Azure: the client secret
}

// credentials have their account's id.
var credentials = store.Collection[Credentials]{Table: "credentials", Noun: "credentials"}

// offerLasts is how long an external id waits for its role.
const offerLasts = 30 * time.Minute

// Clouds checks credentials with the clouds that they are for. Its faults are about the fields of Role, Key and App, by the names given here.
type Clouds interface {
	// AssumeRole assumes a role of AWS once, and tells the account that it belongs to. Field: iamRole.
	AssumeRole(ctx context.Context, a Account, role, external string) (account string, err error)
	// ServiceAccount gets one token for a service account of GCP. Field: serviceAccount.
	ServiceAccount(ctx context.Context, a Account, key []byte) (project, email string, err error)
	// App signs in once as an app of Azure, and reads its subscription if it has one. Fields: clientId, clientSecret, tenantId, subscriptionId.
	App(ctx context.Context, a Account, app AzureApp) error
}

// AzureApp is an app registration of Azure.
type AzureApp struct {
	Client, Secret, Tenant string
	Subscription           string // "" = the tenant as a whole
	Expires                time.Time
}

// OfferExternalID makes the external id that the account's role has to name; an older offer is void.
func (i *Identity) OfferExternalID(ctx context.Context, organisation, account string) (external string, until time.Time, err error) {
	external, until = "neap-"+ident.Hex(16), today().Add(offerLasts).Truncate(time.Millisecond)
	err = i.setCredentials(ctx, organisation, account, func(_ *Account, c *Credentials) error {
		c.Offered, c.Until = external, until
		return nil
	})
	return external, until, err
}

// SetRole connects an account to AWS by a role, once it could be assumed. fault.Invalid about the noun "external id" when none is on offer.
func (i *Identity) SetRole(ctx context.Context, organisation, account, role string) error {
	a, known, err := i.credentialsOf(ctx, organisation, account)
	if err != nil {
		return err
	}
	external := known.Offered
	if external == "" || known.Until.Before(today()) {
		return fault.Of(fault.Invalid, "external id", "There is no valid external id for account %s: ask for a new one, let the role's trust policy name it, and try again within %s.", account, offerLasts)
	}
	owner, err := i.clouds.AssumeRole(ctx, a, role, external)
	if err != nil {
		return err
	}
	return i.setCredentials(ctx, organisation, account, func(a *Account, c *Credentials) error {
		if c.Offered != external {
			return fault.Of(fault.Conflict, "external id", "A newer external id was asked for meanwhile; let the role name that one.")
		}
		*c = Credentials{Account: c.Account, Provider: "AWS", Role: role, External: external}
		a.connect("AWS", "aws", owner)
		return nil
	})
}

// AttachRole makes an account of AWS from a role that could be assumed. The external id is the organisation's id: there is no account yet that one could be made for.
func (i *Identity) AttachRole(ctx context.Context, a Account, role string) (made Account, err error) {
	a.Cloud, a.Provider = i.cloud, "AWS"
	owner, err := i.clouds.AssumeRole(ctx, a, role, a.Organisation)
	if err != nil {
		return Account{}, err
	}
	err = i.govern(ctx, a.Organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if err := r.checkAccount(a); err != nil {
			return err
		}
		a.connect("AWS", "aws", owner)
		if made, err = i.CreateAccount(ctx, tx, a); err != nil {
			return err
		}
		acted(ctx, made.ID)
		_, err = credentials.Insert(ctx, tx, store.Doc[Credentials]{
			Meta: store.Meta{ID: made.ID, Account: made.ID}, Value: Credentials{Account: made.ID, Provider: "AWS", Role: role, External: a.Organisation},
		})
		return err
	})
	return made, err
}

// CheckServiceAccount does all that SetServiceAccount does but keep it.
func (i *Identity) CheckServiceAccount(ctx context.Context, organisation, account string, key []byte) (project, email string, err error) {
	a, _, err := i.credentialsOf(ctx, organisation, account)
	if err != nil {
		return "", "", err
	}
	return i.clouds.ServiceAccount(ctx, a, key)
}

// SetServiceAccount connects an account to GCP by the key file of a service account.
func (i *Identity) SetServiceAccount(ctx context.Context, organisation, account string, key []byte) error {
	project, email, err := i.CheckServiceAccount(ctx, organisation, account, key)
	if err != nil {
		return err
	}
	sealed, err := i.Seal(key, "credentials "+account)
	if err != nil {
		return err
	}
	return i.setCredentials(ctx, organisation, account, func(a *Account, c *Credentials) error {
		*c = Credentials{Account: c.Account, Provider: "GCP", Project: project, Email: email, Sealed: sealed}
		a.connect("GCP", "gcp", project)
		return nil
	})
}

// CheckApp does all that SetApp does but keep it.
func (i *Identity) CheckApp(ctx context.Context, organisation, account string, app AzureApp) error {
	if !app.Expires.IsZero() && app.Expires.Before(today()) {
		return fault.Field("expirationDate", "lies in the past; make a new secret for the app")
	}
	a, _, err := i.credentialsOf(ctx, organisation, account)
	if err != nil {
		return err
	}
	return i.clouds.App(ctx, a, app)
}

// SetApp connects an account to Azure by an app registration.
func (i *Identity) SetApp(ctx context.Context, organisation, account string, app AzureApp) error {
	if err := i.CheckApp(ctx, organisation, account, app); err != nil {
		return err
	}
	sealed, err := i.Seal([]byte(app.Secret), "credentials "+account)
	if err != nil {
		return err
	}
	return i.setCredentials(ctx, organisation, account, func(a *Account, c *Credentials) error {
		*c = Credentials{
			Account: c.Account, Provider: "AZURE", Client: app.Client, Tenant: app.Tenant, Subscription: app.Subscription, Expires: app.Expires, Sealed: sealed,
		}
		if app.Subscription != "" {
			a.connect("AZURE", "azure", app.Subscription)
		}
		return nil
	})
}

// Credentials are what an account is reached with, without secrets; fault.NotFound when there are none.
func (i *Identity) Credentials(ctx context.Context, organisation, account string) (Credentials, error) {
	_, c, err := i.credentialsOf(ctx, organisation, account)
	if err == nil && c.Provider == "" && c.Offered == "" {
		err = fault.Missing(credentials.Noun, account)
	}
	c.Sealed = nil
	return c, err
}

// ExpiringCredentials are those of all accounts that end before a time, without secrets.
func (i *Identity) ExpiringCredentials(ctx context.Context, before time.Time) (ending []Credentials, err error) {
	docs, _, err := credentials.List(ctx, i.db, store.Installation(), store.Query{})
	for _, doc := range docs {
		if c := doc.Value; !c.Expires.IsZero() && c.Expires.Before(before) {
			c.Sealed = nil
			ending = append(ending, c)
		}
	}
	return ending, err
}

func (i *Identity) credentialsOf(ctx context.Context, organisation, account string) (Account, Credentials, error) {
	a, err := i.Account(ctx, account)
	if err != nil || a.Organisation != organisation {
		return Account{}, Credentials{}, fault.Missing(accounts.Noun, account)
	}
	doc, err := credentials.Get(ctx, i.db, store.Account(account), account)
	if fault.Is(err, fault.NotFound) {
		return a, Credentials{Account: account}, nil
	}
	return a, doc.Value, err
}

// connect tells an account which cloud it is in; a simulated one stays simulated, whatever it looks like.
func (a *Account) connect(provider, cloud, external string) {
	a.Provider, a.ExternalID = provider, external
	if a.Cloud != simulated {
		a.Cloud = cloud
	}
}

// simulated is the cloud of accounts that cost nothing.
const simulated = "sim"

func (i *Identity) setCredentials(ctx context.Context, organisation, account string, change func(a *Account, c *Credentials) error) error {
	return i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		doc, err := credentials.Get(ctx, tx, store.Account(account), account)
		fresh := fault.Is(err, fault.NotFound)
		if err != nil && !fresh {
			return err
		}
		doc.Value.Account = account
		if _, err := i.changeAccount(ctx, tx, r, account, func(a *Account) error { return change(a, &doc.Value) }); err != nil {
			return err
		}
		if fresh {
			doc.ID, doc.Account, doc.Parent = account, account, organisation
			_, err = credentials.Insert(ctx, tx, doc)
			return err
		}
		_, err = credentials.Update(ctx, tx, doc)
		return err
	})
}
