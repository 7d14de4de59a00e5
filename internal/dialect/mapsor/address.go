package mapsor

import (
	"net/http"
	"net/url"
	"strings"
)

// stage stands before every path of the development server.
const stage = "/dev"

// rewrite brings an address to its row: without the stage, and with the path in its place where a client has written it behind the token, as the API's examples
// do ("/dev/?token=T/submit"). It answers nil for what is no operation, so that the root stays whose it is.
func rewrite(r *http.Request, operations map[string]bool) *http.Request {
	path, query := r.URL.EscapedPath(), r.URL.RawQuery
	if rest, staged := strings.CutPrefix(path, stage); staged && (rest == "" || rest[0] == '/') {
		path = rest
	}
	if path == "" || path == "/" {
		path, query = behindToken(query)
	}
	path = strings.TrimSuffix(path, "/")
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	plain, err := url.PathUnescape(path)
	if err != nil || !operations[name] || path == r.URL.EscapedPath() {
		return nil
	}
	copied := *r
	copied.URL = &url.URL{Path: plain, RawPath: path, RawQuery: query}
	return &copied
}

// behindToken takes the path out of a query's token. What follows it is more of the query.
func behindToken(query string) (path, rest string) {
	var before []string
	for query != "" {
		pair, after, _ := strings.Cut(query, "&")
		value, is := strings.CutPrefix(pair, "token=")
		if !is {
			before, query = append(before, pair), after
			continue
		}
		token, path, found := strings.Cut(value, "/")
		if !found {
			return "", ""
		}
		path, more, _ := strings.Cut(path, "?")
		parts := append(before, "token="+token)
		for _, part := range []string{more, after} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		return "/" + path, strings.Join(parts, "&")
	}
	return "", ""
}
