// Package gcp is Neap's way to Google Cloud.
//
// It owns every call to Google; for now these are the checks of the service accounts that users hand in. It keeps nothing, and it must not know accounts
// of ours, stores or dialects. Keys never get into an error. Start reading at GCP.Check.
package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"github.com/neap-cloud/neap/internal/fault"
)

const (
	answerTime = 10 * time.Second
	scope      = "https://www.googleapis.com/auth/compute"
)

// googleTokens are the addresses of tokens in the keys that Google has given out; the first is today's.
func googleTokens() []string {
	return []string{"https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token"}
}

// Config says where Google is.
type Config struct {
	// TokenURL is where tokens are asked for, whatever a key says, for tests and private ways to Google; "" = Google's own address.
	TokenURL string
}

// GCP speaks to Google with what a user hands in. Safe for concurrent use.
type GCP struct {
	tokenURL  string
	transport *http.Transport
}

// New makes no call.
func New(c Config) *GCP {
	return &GCP{tokenURL: c.TokenURL, transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
	}}
}

// bound ends requests with a context: the library asks for tokens without one.
type bound struct {
	ctx context.Context
	to  http.RoundTripper
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.to.RoundTrip(r.WithContext(b.ctx))
}

func (g *GCP) client(ctx context.Context) *http.Client {
	// A signed request is for the one who was asked, so redirects are not followed.
	return &http.Client{Transport: bound{ctx, g.transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Check proves that a service account's key, the JSON file that Google gives out, works, by getting a token for it, and returns its project. What the user
// has to mend is fault.Invalid about the file's members by their names there, such as "private_key", all forms at once ("" is
// the file as a whole); that Google gave no answer within
// 10 s is fault.Unavailable. A token says nothing about what the account may do in the project.
func (g *GCP) Check(ctx context.Context, serviceAccountJSON []byte) (project string, err error) {
	account, err := g.read(serviceAccountJSON)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	sign := jwt.Config{
		Email: account.ClientEmail, PrivateKey: []byte(account.PrivateKey), PrivateKeyID: account.PrivateKeyID, Scopes: []string{scope},
		Audience: account.TokenURI, TokenURL: account.TokenURI,
	}
	if g.tokenURL != "" {
		sign.TokenURL = g.tokenURL
	}
	token, err := sign.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, g.client(ctx))).Token()
	if err != nil {
		return "", trouble(ctx, err)
	}
	if token.AccessToken == "" {
		return "", fault.Of(fault.Unavailable, "cloud", "Google's answer holds no token; try again later, and check what stands between it and this machine.")
	}
	return account.ProjectID, nil
}

// isGoogles keeps a key from sending Neap to an address of its choice.
func (g *GCP) isGoogles(tokenURI string) bool {
	return tokenURI != "" && tokenURI == g.tokenURL || slices.Contains(googleTokens(), tokenURI)
}

// answer is Google's refusal, as far as it is looked at.
type answer struct {
	Error string `json:"error"`
}

func trouble(ctx context.Context, err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		return silent(ctx, err)
	}
	var said answer
	if json.Unmarshal(refused.Body, &said) != nil {
		said.Error = "" // a proxy's page, perhaps: the status has to do
	}
	status := refused.Response.StatusCode
	// What else Google says may quote the request, so only the code is kept.
	why := fmt.Errorf("token: status %d, error %.40q", status, said.Error)
	switch {
	case said.Error == "invalid_grant":
		return fault.Field("private_key", "Google refuses this key: it must not have been deleted or disabled, its service account must exist and be enabled, "+
			"and this machine's clock must be right.").With(why)
	case said.Error == "invalid_client" || said.Error == "unauthorized_client":
		return fault.Field("client_email", "Google does not know this service account, or it is disabled; look at it in the console under IAM, Service accounts.").With(why)
	case said.Error != "" && status != http.StatusTooManyRequests && status < 500:
		return fault.Field("private_key", "Google refuses this key (%.40s); make a new one.", said.Error).With(why)
	}
	return fault.Of(fault.Unavailable, "cloud", "Google could not check this (status %d); try again later.", status).With(why)
}

func silent(ctx context.Context, why error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.Of(fault.Unavailable, "cloud", "The check of Google was broken off.").With(ctx.Err())
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.Of(fault.Unavailable, "cloud", "Google gave no answer within %s; try again later.", answerTime).With(ctx.Err())
	}
	return fault.Of(fault.Unavailable, "cloud", "Google can't be reached; try again later, and check this machine's way out.").With(why)
}
