package identity

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// cloudy believes what is well-formed, and remembers what it was asked.
type cloudy struct{ external string }

func (c *cloudy) AssumeRole(_ context.Context, _ Account, role, external string) (string, error) {
	if !strings.HasPrefix(role, "arn:aws:iam::") {
		return "", fault.Field("iamRole", "must be an ARN")
	}
	c.external = external
	return role[len("arn:aws:iam::"):][:12], nil
}

func (c *cloudy) ServiceAccount(_ context.Context, _ Account, key []byte) (project, email string, err error) {
	if string(key) == "bad" {
		return "", "", fault.Field("serviceAccount.type", "must be service_account")
	}
	return "project-1", "robot@project-1", nil
}

func (c *cloudy) App(_ context.Context, _ Account, app AzureApp) error {
	if app.Secret == "bad" {
		return fault.Field("clientSecret", "is wrong")
	}
	return nil
}

const role = "arn:aws:iam::123456789012:role/Neap"

func connected(t *testing.T) (i tested, c *cloudy, account string) {
	t.Helper()
	i, _ = started(t)
	c = &cloudy{}
	i.clouds = c
	return i, c, i.account(t, i.organisation, "prod").ID
}

func TestAnAccountIsConnectedByARoleThatNamesItsExternalID(t *testing.T) {
	i, c, account := connected(t)
	ctx := t.Context()
	check(t, "without an external id", fault.As(i.SetRole(ctx, i.organisation, account, role)).Noun, "external id")
	older, _, err := i.OfferExternalID(ctx, i.organisation, account)
	must(t, err)
	external, until, err := i.OfferExternalID(ctx, i.organisation, account)
	must(t, err)
	check(t, "a new offer is another one", older == external, false)
	if left := time.Until(until); left > offerLasts || left < offerLasts-time.Minute {
		t.Errorf("it is valid for %s", left)
	}
	check(t, "a bad role", fault.As(i.SetRole(ctx, i.organisation, account, "me")).Field, "iamRole")
	must(t, i.SetRole(ctx, i.organisation, account, role))
	check(t, "external id", c.external, external)
	a, err := i.Account(ctx, account)
	must(t, err)
	check(t, "cloud account", a.Provider+" "+a.ExternalID+" "+a.Cloud, "AWS 123456789012 sim")
	held, err := i.Credentials(ctx, i.organisation, account)
	must(t, err)
	check(t, "role", held.Role, role)
	check(t, "the offer is used up", fault.As(i.SetRole(ctx, i.organisation, account, role)).Noun, "external id")
}

func TestAnOfferEnds(t *testing.T) {
	i, _, account := connected(t)
	_, _, err := i.OfferExternalID(t.Context(), i.organisation, account)
	must(t, err)
	must(t, i.setCredentials(t.Context(), i.organisation, account, func(_ *Account, c *Credentials) error { c.Until = time.Now().Add(-time.Second); return nil }))
	check(t, "late", fault.As(i.SetRole(t.Context(), i.organisation, account, role)).Noun, "external id")
}

func TestSecretsOfCloudsAreSealedAndNeverShown(t *testing.T) {
	i, _, account := connected(t)
	ctx := t.Context()
	must(t, i.SetServiceAccount(ctx, i.organisation, account, []byte(`{"private_key": "canary"}`)))
	doc, err := credentials.Get(ctx, i.db, store.Account(account), account)
	must(t, err)
	check(t, "in clear", strings.Contains(string(doc.Value.Sealed), "canary"), false)
	plain, err := i.Open(doc.Value.Sealed, "credentials "+account)
	must(t, err)
	check(t, "opened", string(plain), `{"private_key": "canary"}`)
	must(t, i.SetApp(ctx, i.organisation, account, AzureApp{Client: "c", Secret: "canary", Tenant: "t", Subscription: "s"}))
	held, err := i.Credentials(ctx, i.organisation, account)
	must(t, err)
	check(t, "shown", len(held.Sealed), 0)
	check(t, "client", held.Client+held.Tenant+held.Subscription, "cts")
	check(t, "nothing is left of the other cloud", held.Project, "")
}

func TestCredentialsThatFailAreNotKept(t *testing.T) {
	i, _, account := connected(t)
	ctx := t.Context()
	must(t, i.SetServiceAccount(ctx, i.organisation, account, []byte("good")))
	before, err := i.Credentials(ctx, i.organisation, account)
	must(t, err)
	check(t, "app", fault.As(i.SetApp(ctx, i.organisation, account, AzureApp{Secret: "bad"})).Field, "clientSecret")
	check(t, "service account", fault.As(i.SetServiceAccount(ctx, i.organisation, account, []byte("bad"))).Field, "serviceAccount.type")
	must(t, i.CheckApp(ctx, i.organisation, account, AzureApp{Secret: "good"}))
	after, err := i.Credentials(ctx, i.organisation, account)
	must(t, err)
	check(t, "project", after.Project, before.Project)
}

func TestForeignAccountsHaveNoCredentials(t *testing.T) {
	i, _, account := connected(t)
	other, err := i.AddOrganisation(t.Context(), i.organisation, "Other")
	must(t, err)
	for what, err := range map[string]error{
		"read":     second(i.Credentials(t.Context(), other.ID, account)),
		"external": second2(i.OfferExternalID(t.Context(), other.ID, account)),
		"role":     i.SetRole(t.Context(), other.ID, account, role),
		"app":      i.SetApp(t.Context(), other.ID, account, AzureApp{}),
	} {
		check(t, what, fault.As(err).Kind, fault.NotFound)
		check(t, what, fault.As(err).Noun, "account")
	}
}

func TestAnAccountIsAttachedByItsRoleOrNotAtAll(t *testing.T) {
	i, c, _ := connected(t)
	ctx := t.Context()
	made, err := i.AttachRole(ctx, Account{Organisation: i.organisation, Name: "attached", Region: "us-east-1"}, role)
	must(t, err)
	held, err := i.Credentials(ctx, i.organisation, made.ID)
	must(t, err)
	check(t, "role", held.Role, role)
	check(t, "external id", c.external, i.organisation)
	check(t, "twice", fault.KindOf(second(i.AttachRole(ctx, Account{Organisation: i.organisation, Name: "attached"}, role))), fault.Exists)
	check(t, "a bad role", fault.KindOf(second(i.AttachRole(ctx, Account{Organisation: i.organisation, Name: "other"}, "me"))), fault.Invalid)
	list, err := i.Accounts(ctx, i.organisation)
	must(t, err)
	check(t, "accounts", len(list), 2)
}
