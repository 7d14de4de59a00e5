package app

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// listenerKey marks requests that came in through a listener on a loopback address.
type listenerKey struct{}

// Base is the context of requests that come in through a listener, for http.Server.BaseContext: without it there are no guests.
func (a *App) Base(l net.Listener) context.Context {
	return context.WithValue(context.Background(), listenerKey{}, isLoopback(l.Addr().String()))
}

func isLoopback(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// isGuest reports whether a request without a token may come from a guest: somebody on this very machine, and no proxy on it that speaks for somebody else.
func isGuest(r *http.Request) bool {
	local, _ := r.Context().Value(listenerKey{}).(bool)
	return local && isLoopback(r.RemoteAddr) && !isForwarded(r.Header)
}

// isForwarded reports whether a proxy has left its mark.
func isForwarded(h http.Header) bool {
	for name := range h {
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), strings.HasSuffix(name, "-Client-Ip"), strings.HasSuffix(name, "-Connecting-Ip"):
			return true
		case name == "Forwarded", name == "Via", name == "X-Real-Ip":
			return true
		}
	}
	return false
}

// alone serves nothing but one dialect's paths.
func (a *App) alone(prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, is := strings.CutPrefix(r.URL.Path, prefix); !is || rest != "" && rest[0] != '/' {
			turnAway(w, http.StatusNotFound, "This address serves the Launch & Provision API alone, below %s/; everything else is at Neap's main address.", prefix)
			return
		}
		a.Handler.ServeHTTP(w, r)
	})
}
