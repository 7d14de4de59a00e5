// Package azure is Neap's way to Microsoft Azure.
//
// It owns every call to Azure; for now these are the checks of the app registrations that users hand in. It keeps nothing, and it must not know accounts
// of ours, stores or dialects. Secrets and tokens never get into an error. Start reading at Azure.Check.
package azure

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
)

const answerTime = 10 * time.Second // for all calls of one check together

// Fields of faults, as Check's caller knows them.
const (
	FieldClientID       = "clientId"
	FieldClientSecret   = "clientSecret"
	FieldTenantID       = "tenantId"
	FieldSubscriptionID = "subscriptionId"
	FieldExpires        = "expirationDate"
)

// Config says where Azure is; national clouds have addresses of their own.
type Config struct {
	LoginURL      string // "" = https://login.microsoftonline.com
	ManagementURL string // "" = https://management.azure.com
	Clock         clock.Clock
}

// Azure speaks to Azure with what a user hands in. Safe for concurrent use.
type Azure struct {
	login, management string
	clock             clock.Clock
	client            *http.Client
}

// New makes no call. Without a clock it goes by the wall.
func New(c Config) *Azure {
	a := &Azure{login: "https://login.microsoftonline.com", management: "https://management.azure.com", clock: clock.Wall{}}
	if c.LoginURL != "" {
		a.login = strings.TrimSuffix(c.LoginURL, "/")
	}
	if c.ManagementURL != "" {
		a.management = strings.TrimSuffix(c.ManagementURL, "/")
	}
	if c.Clock != nil {
		a.clock = c.Clock
	}
	a.client = &http.Client{
		Timeout:   answerTime,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true},
		// A secret is for the one who was asked.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a
}

// App is an app registration with one of its client secrets.
type App struct {
	ClientID       string
	ClientSecret   string
	TenantID       string
	SubscriptionID string    // "" = the tenant as a whole: no subscription is looked at
	Expires        time.Time // of the secret; zero = not known
}

// String leaves the secret out, so that no log of an App tells it.
func (a App) String() string { return "app " + a.ClientID + " of tenant " + a.TenantID }

// GoString is String, for %#v.
func (a App) GoString() string { return a.String() }

// Check proves that an app can sign in, by getting a token for it, and that it sees its subscription. What the user has to mend is fault.Invalid about one
// of the Field constants, all forms at once; that Azure gave no answer within 10 s is fault.Unavailable.
func (a *Azure) Check(ctx context.Context, app App) error {
	if err := a.checkForms(app); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	signIn := clientcredentials.Config{
		ClientID: app.ClientID, ClientSecret: app.ClientSecret, AuthStyle: oauth2.AuthStyleInParams,
		TokenURL: a.login + "/" + app.TenantID + "/oauth2/v2.0/token", Scopes: []string{a.management + "/.default"},
	}
	token, err := signIn.Token(context.WithValue(ctx, oauth2.HTTPClient, a.client))
	if err != nil {
		return refusedToken(ctx, err)
	}
	if app.SubscriptionID == "" {
		return nil
	}
	return a.checkSubscription(ctx, app.SubscriptionID, token)
}

// guidForm is also what keeps a tenant or subscription from reaching into the address that it becomes part of.
var guidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (a *Azure) checkForms(app App) error {
	var faults []*fault.Error
	for _, id := range []struct{ field, value, where string }{
		{FieldClientID, app.ClientID, "the app registration's page shows it as application (client) id"},
		{FieldTenantID, app.TenantID, "the app registration's page shows it as directory (tenant) id"},
		{FieldSubscriptionID, app.SubscriptionID, "the subscription's page shows it"},
	} {
		switch {
		case id.value == "" && id.field == FieldSubscriptionID:
		case !guidForm.MatchString(id.value):
			faults = append(faults, fault.Field(id.field, "must be a GUID, such as 01234567-89ab-cdef-0123-456789abcdef; %s", id.where))
		}
	}
	if app.ClientSecret == "" {
		faults = append(faults, fault.Field(FieldClientSecret, "is required"))
	}
	if !app.Expires.IsZero() && !app.Expires.After(a.clock.Now()) {
		faults = append(faults, fault.Field(FieldExpires, "The secret has expired on %s; make a new one under Certificates & secrets.", app.Expires.UTC().Format(time.DateOnly)))
	}
	return fault.All(faults)
}
