package cmpute

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/neap-cloud/neap/internal/op"
)

// route is the address of a row, or of another verb that clients use for it.
type route struct {
	method   string // as clients write it
	to       string // of the row
	segments []string
}

func (r route) literal(at int) bool { return !strings.HasPrefix(r.segments[at], "{") }

// isID says that a segment holds an id, not a name: what typing errors leave at its ends can be no part of it.
func (r route) isID(at int) bool { return strings.HasSuffix(r.segments[at], "Id}") }

// verbs are the further verbs of rows: the published description adds members with ADD, one of its clients with PUT.
func verbs() map[string][]string {
	return map[string][]string{"POST /api/v2/Teams/{teamName}/Users": {"ADD", http.MethodPut}}
}

func routesOf(rows []op.Row) (routes []route) {
	for _, row := range rows {
		method, path, _ := strings.Cut(row.Route, " ")
		for _, verb := range append([]string{method}, verbs()[row.Route]...) {
			routes = append(routes, route{verb, method, split(path)})
		}
	}
	return routes
}

// split leaves out what doubled and trailing slashes enclose.
func split(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// sentKey finds the request as it was sent in the context of the one that was made of it.
type sentKey struct{}

// asSent is the request before its address was rewritten: signatures are made over that one.
func asSent(r *http.Request) *http.Request {
	if sent, is := r.Context().Value(sentKey{}).(*http.Request); is {
		return sent
	}
	return r
}

// rewriter is op.Dialect's Rewrite for the addresses of these rows.
func rewriter(rows []op.Row) func(r *http.Request) *http.Request {
	routes := routesOf(rows)
	return func(r *http.Request) *http.Request {
		method, path, ours := canonical(routes, r.Method, r.URL.EscapedPath())
		if !ours {
			return nil
		}
		unescaped, err := url.PathUnescape(path)
		if err != nil {
			return nil
		}
		rewritten, address := r.WithContext(context.WithValue(r.Context(), sentKey{}, r)), *r.URL
		address.Path, address.RawPath = unescaped, path
		rewritten.Method, rewritten.URL = method, &address
		return rewritten
	}
}

// canonical brings an escaped path to the spelling of its row, and the verb to the row's. ours is false for paths that don't begin with /api. A path that is no
// row's comes back without doubled slashes, so that its refusal is the dialect's.
func canonical(routes []route, method, path string) (verb, address string, ours bool) {
	segments := split(path)
	if len(segments) == 0 || !strings.EqualFold(segments[0], "api") {
		return "", "", false
	}
	segments[0] = "api"
	for len(segments) > 1 && strings.EqualFold(segments[1], "api") { // a base address that ends with /api, before a path that begins with it
		segments = segments[1:]
		segments[0] = "api"
	}
	segments = withAccounts(method, segments)
	best, most := route{}, -1
	for _, candidate := range routes {
		literals, fits := candidate.fits(segments)
		if fits && candidate.method == method {
			literals += len(segments) // a row of this verb comes before all of others, which are only there to be refused by name
		}
		if fits && literals > most {
			best, most = candidate, literals
		}
	}
	for at := range best.segments {
		switch {
		case best.literal(at):
			segments[at] = best.segments[at]
		case best.isID(at):
			segments[at] = bare(segments[at])
		}
	}
	if best.method == method {
		method = best.to
	}
	return method, "/" + strings.Join(segments, "/"), true
}

// withAccounts adds the segment that some published addresses leave out: /api/A-… and POST /api/CloudFrontAWS.
func withAccounts(method string, segments []string) []string {
	if len(segments) < 2 {
		return segments
	}
	first := bare(segments[1])
	if strings.HasPrefix(first, "A-") || method == http.MethodPost && len(segments) == 2 && strings.EqualFold(first, "CloudFrontAWS") {
		return append([]string{"api", "accounts"}, segments[1:]...)
	}
	return segments
}

// fits compares literals without regard to case, and counts them.
func (r route) fits(segments []string) (literals int, fits bool) {
	if len(segments) != len(r.segments) {
		return 0, false
	}
	for at, segment := range segments {
		if !r.literal(at) {
			continue
		}
		if !strings.EqualFold(bare(segment), r.segments[at]) {
			return 0, false
		}
		literals++
	}
	return literals, true
}

// bare is a segment without the quotes and braces that are copied along from published examples; one of nothing else stays.
func bare(segment string) string {
	left := segment
	for {
		before := left
		for _, mark := range []string{"'", `"`, "{", "}", "%27", "%22", "%7B", "%7b", "%7D", "%7d"} {
			left = strings.TrimSuffix(strings.TrimPrefix(left, mark), mark)
		}
		if left == "" {
			return segment
		}
		if left == before {
			return left
		}
	}
}
