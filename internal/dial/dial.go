// Package dial is the only way out to addresses that users name: webhooks, scripts.
//
// It owns the judgement of addresses: nothing inside, beside or behind this machine is reached through a name or number that a user chose. It must not know
// what is sent. Endpoints that the operator configured don't come this way. Start reading at Guard.
//
// The judgement falls on the number that is about to be connected to, after names are resolved, so a name that changes its mind between a check and a
// connection gains nothing, and neither does a redirect.
package dial

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// Config says what a guard lets through besides public addresses.
type Config struct {
	// Allow are networks that the operator trusts although they are not public. Addresses of metadata services stay out of reach all the same.
	Allow []netip.Prefix
	// Resolver finds the addresses of names; nil = the system's.
	Resolver *net.Resolver
}

// Guard connects to public addresses only. Safe for concurrent use.
type Guard struct {
	allow  []netip.Prefix
	dialer net.Dialer
}

// connectWithin bounds the making of one connection.
const connectWithin = 5 * time.Second

// New makes a guard.
func New(c Config) *Guard {
	g := &Guard{dialer: net.Dialer{Timeout: connectWithin, Resolver: c.Resolver}}
	for _, prefix := range c.Allow {
		g.allow = append(g.allow, plain(prefix))
	}
	g.dialer.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
		return g.pass(network, address)
	}
	return g
}

// plain gives a mapped IPv4 network its usual form.
func plain(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// Refused says that an address is not for users to reach. It never names the address that a name stands for: that would be a map of the inside.
type Refused struct {
	Address netip.Addr // for the operator's log
	Why     string
}

func (r *Refused) Error() string {
	return "the address is " + r.Why + " and is not connected to; an operator may allow its network with --allow-outbound"
}

// DialContext connects over TCP; a *Refused is in the error's chain when the guard said no.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dialer.DialContext(ctx, network, address)
}

// pass is asked right before each connection, with the number and the port that it goes to.
func (g *Guard) pass(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return &Refused{Why: "not reached over TCP"}
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refused{Why: "no plain address"}
	}
	if why := g.Judge(to.Addr()); why != "" {
		return &Refused{Address: to.Addr(), Why: why}
	}
	return nil
}

// Client makes requests through the guard: no proxy, no redirects, no cookies, everything within the time given, answers' heads of 64 KiB at most.
func (g *Guard) Client(within time.Duration) *http.Client {
	return &http.Client{
		Timeout: within,
		Transport: &http.Transport{
			DialContext: g.DialContext, TLSHandshakeTimeout: connectWithin, ResponseHeaderTimeout: within, MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 2, MaxIdleConns: 64, ForceAttemptHTTP2: true,
		},
		// A receiver says where it is when it is set up; one that points elsewhere afterwards is asked to be set up anew.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// CheckURL says early what could never be reached: fault.Invalid about field. What a name stands for is only judged when it is connected to.
func (g *Guard) CheckURL(field, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		return fault.Field(field, "This is no address such as https://example.com/hook.")
	case u.User != nil:
		return fault.Field(field, "A user name or password in the address would be shown to everybody who may list it; leave it out.")
	case u.Hostname() == "":
		return fault.Field(field, "The address names no host.")
	case u.Fragment != "":
		return fault.Field(field, "The part after # is never sent; leave it out.")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fault.Field(field, "The address's port is no number between 1 and 65535.")
		}
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if isNumeric(host) {
			return fault.Field(field, "The host looks like a number, but is no IP address in its usual form, such as 192.0.2.1.")
		}
		return nil
	}
	if why := g.Judge(addr); why != "" {
		return fault.Field(field, "%s", fmt.Sprintf("The address is %s; an operator may allow its network with --allow-outbound.", why))
	}
	return nil
}

// isNumeric reports whether some resolvers would read a host as an IPv4 address in an unusual form: 2130706433, 0x7f.1, 0177.0.0.1, 127.1.
func isNumeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return false
	}
	if rest, is := strings.CutPrefix(strings.ToLower(last), "0x"); is {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
