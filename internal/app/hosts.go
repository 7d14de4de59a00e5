package app

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// hosts are the names by which this Neap may be called. A page in somebody's browser can lead any name of its own to our address; a request with such a name is not
// meant for us, whatever credential, or lack of one, it comes with.
type hosts struct {
	names  []string // whole, in lower case
	below  []string // domains: they and whatever is below them
	domain string   // below which organisations have names, "" = none
	public string   // the origin of the public address, "" = none
	// anyOrigin reports whether pages from anywhere may ask what is at a path: see op.Dialect.
	anyOrigin func(path string) bool
}

func newHosts(c Config, anyOrigin func(path string) bool) (hosts, error) {
	h := hosts{below: []string{"localhost"}, anyOrigin: anyOrigin}
	for _, name := range c.Hosts {
		h.names = append(h.names, plainHost(name))
	}
	if c.Domain != "" {
		h.domain = plainHost(c.Domain)
		h.below = append(h.below, h.domain)
	}
	own, err := os.Hostname()
	if err != nil {
		return h, err
	}
	h.names = append(h.names, plainHost(own))
	if public, err := url.Parse(c.PublicURL); err == nil && c.PublicURL != "" {
		h.names = append(h.names, plainHost(public.Host))
		h.public = origin(public)
	}
	return h, nil
}

// plainHost is a host without its port, the brackets of an address and a final dot, in lower case.
func plainHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// knows reports whether a request to this host may be meant for us. Addresses are nobody's names; and who sends no host, as clients of HTTP/1.0 do, cannot have been misled by one.
func (h hosts) knows(host string) bool {
	name := plainHost(host)
	if _, err := netip.ParseAddr(name); err == nil || host == "" {
		return true
	}
	return slices.Contains(h.names, name) || slices.ContainsFunc(h.below, func(domain string) bool { return isBelow(name, domain) })
}

func isBelow(name, domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) }

// isOwn reports whether a page of this origin may send a request to this host: it came from there, from the public address, or from one below the domain of all organisations.
func (h hosts) isOwn(page, host string) bool {
	from, err := url.Parse(page)
	if err != nil || from.Scheme != "http" && from.Scheme != "https" || from.Host == "" {
		return false
	}
	if h.domain != "" && isBelow(plainHost(from.Host), h.domain) {
		return true
	}
	to := url.URL{Scheme: from.Scheme, Host: host}
	return origin(from) == origin(&to) || h.public != "" && origin(from) == h.public
}

// origin is scheme, host and port, without the port that goes without saying.
func origin(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	return u.Scheme + "://" + host
}

// guarded refuses what is not meant for us, before anything else looks at it.
func (h hosts) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := r.Header.Get("Origin")
		switch {
		case !h.knows(r.Host):
			turnAway(w, http.StatusMisdirectedRequest, fault.Denied, "This Neap is not called %q. If it is, start it with --host %s, or use its IP address.", cutHost(r.Host), cutHost(plainHost(r.Host)))
		case page != "" && !h.isOwn(page, r.Host) && !h.anyOrigin(r.URL.Path):
			turnAway(w, http.StatusForbidden, fault.Denied, "Pages from %q may not use this Neap; pages from %q, or from its --public-url, may.", cutHost(page), cutHost(r.Host))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// cutHost bounds what is repeated of a stranger's header.
func cutHost(text string) string { return text[:min(len(text), 100)] }

// turnAway answers in the envelope of requests that belong to no dialect.
func turnAway(w http.ResponseWriter, status int, kind fault.Kind, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// A client that went away needs no answer.
	_ = encoder.Encode(map[string]any{"error": map[string]any{"status": status, "kind": kind, "message": fmt.Sprintf(format, args...)}})
}
