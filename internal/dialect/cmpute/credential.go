package cmpute

import (
	"crypto/hmac"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

var guid = regexp.MustCompile(`^[{(]?[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}[)}]?$`)

// credential is op.Dialect's Credential: an access key with its secret, or with a signature. A bearer token stands for its user here as in every dialect.
func (d Deps) credential(r *http.Request) (op.Credential, error) {
	sent := asSent(r)
	scheme, value, _ := strings.Cut(strings.TrimSpace(sent.Header.Get("Authorization")), " ")
	value = strings.TrimSpace(value)
	var c op.Credential
	var err error
	switch strings.ToLower(scheme) {
	case "apikey":
		access, given, is := strings.Cut(value, ":")
		if !is || access == "" {
			return c, refused("After ApiKey, send the access key, a colon and the secret key.")
		}
		c = op.Credential{Key: access, Proves: func(secret string) bool { return identity.SameSecret(secret, given) }}
	case "hmac":
		c, err = d.signedBy(sent, value)
	case "bearer":
		c = op.Credential{Token: value}
	default:
		return c, refused("Send the header Authorization: ApiKey <access key>:<secret key>, or sign the request (Hmac).")
	}
	if err == nil {
		c.Tenant, err = d.tenant(sent)
	}
	return c, err
}

func refused(sentence string) error {
	return fault.Of(fault.Unauthenticated, "credentials", "%s", sentence)
}

// signedBy is the credential of a signed request. Signatures with the whole and with the cut query are good, for any of the addresses that the client may have used.
func (d Deps) signedBy(r *http.Request, quoted string) (op.Credential, error) {
	query := r.URL.RawQuery
	path := r.URL.Path
	if sent, err := url.ParseRequestURI(r.RequestURI); err == nil {
		path, query = sent.Path, sent.RawQuery
	}
	s := signed{
		method: r.Method, path: path, query: query,
		key: r.Header.Get("Api-Key"), nonce: r.Header.Get("Nonce"), timestamp: r.Header.Get("Timestamp"),
	}
	if s.key == "" || !guid.MatchString(s.nonce) {
		return op.Credential{}, refused("A signed request has the headers Api-Key and Nonce, which is a GUID of its own.")
	}
	seconds, err := strconv.ParseInt(s.timestamp, 10, 64)
	if err != nil {
		return op.Credential{}, refused("A signed request has the header Timestamp: seconds since 1970, in digits.")
	}
	text, err := url.PathUnescape(quoted)
	if err != nil {
		return op.Credential{}, refused("The signature cannot be read; it is Base64, percent-encoded.")
	}
	given, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return op.Credential{}, refused("The signature cannot be read; it is Base64, percent-encoded.")
	}
	servers := d.servers(r)
	return op.Credential{Key: s.key, Nonce: strings.ToLower(s.nonce), Signed: time.Unix(seconds, 0), Proves: func(secret string) bool {
		return slices.ContainsFunc(servers, func(server string) bool {
			return hmac.Equal(given, s.signature(secret, server, false)) || hmac.Equal(given, s.signature(secret, server, true))
		})
	}}, nil
}

// servers are the schemes and hosts that a client may have sent this request to: a proxy in between changes both.
func (d Deps) servers(r *http.Request) (servers []string) {
	add := func(scheme, host string) {
		host = strings.TrimSuffix(strings.ToLower(host), map[string]string{"http": ":80", "https": ":443"}[scheme])
		if server := scheme + "://" + host; host != "" && !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	if public, err := url.Parse(d.Public); err == nil && d.Public != "" {
		add(public.Scheme, public.Host)
	}
	forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ",")
	for _, host := range []string{strings.TrimSpace(forwarded), r.Host} {
		add("https", host)
		add("http", host)
	}
	return servers
}

// tenant is the organisation that the host names, or the header Origin; they must not name different ones.
func (d Deps) tenant(r *http.Request) (string, error) {
	host, origin := d.label(r.Host), ""
	if page, err := url.Parse(r.Header.Get("Origin")); err == nil {
		origin = d.label(page.Host)
	}
	if host != "" && origin != "" && host != origin {
		return "", refused("The host and the header Origin name different customers.")
	}
	if host == "" {
		return origin, nil
	}
	return host, nil
}

// label is the first part of a host below the domain of all customers.
func (d Deps) label(host string) string {
	if d.Domain == "" {
		return ""
	}
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	label, is := strings.CutSuffix(name, "."+strings.ToLower(d.Domain))
	if !is || strings.Contains(label, ".") {
		return ""
	}
	return label
}
