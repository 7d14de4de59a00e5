package compose

import (
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	root  = "/2016-07"
	hal   = "application/hal+json"
	plain = "application/json; charset=utf-8"
)

// collection is a list on the wire: {"_embedded": {"teams": […]}}.
type collection[T any] struct {
	Embedded map[string][]T `json:"_embedded"`
}

// listed makes a list; an empty one is written as such, never as null.
func listed[T any](name string, items []T) collection[T] {
	if items == nil {
		items = []T{}
	}
	return collection[T]{map[string][]T{name: items}}
}

// link leads to a part of the API. Clients cut the template's marker off.
type link struct {
	Href      string `json:"href"`
	Templated bool   `json:"templated"`
}

func linkTo(path string) link { return link{root + path + "{?embed}", true} }

// contentType is hypertext's own only for clients that ask for it; others would not know it for JSON.
func contentType(r *http.Request) string {
	for _, accepted := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		name, parameters, err := mime.ParseMediaType(accepted)
		if quality, wrong := strconv.ParseFloat(parameters["q"], 64); err == nil && name == hal && (wrong != nil || quality > 0) {
			return hal
		}
	}
	return plain
}

var slashes = regexp.MustCompile(`/{2,}`)

// rewrite takes doubled slashes out of the API's addresses, and the one at the end: clients put paths together that have both.
func rewrite(r *http.Request) *http.Request {
	single := func(path string) string { return strings.TrimSuffix(slashes.ReplaceAllString(path, "/"), "/") }
	path := single(r.URL.Path)
	if path == r.URL.Path || path != root && !strings.HasPrefix(path, root+"/") {
		return nil
	}
	copied := *r
	copied.URL = &url.URL{Path: path, RawPath: single(r.URL.RawPath), RawQuery: r.URL.RawQuery}
	return &copied
}
