package settings

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// endpoints is a flag's table of addresses: repeated, or several at once with commas between them; SERVICE=URL for one service, URL for all that are not named.
type endpoints map[string]string

// String is pflag.Value's.
func (e *endpoints) String() string {
	var words []string
	for _, service := range slices.Sorted(maps.Keys(*e)) {
		words = append(words, strings.TrimPrefix(service+"="+(*e)[service], "="))
	}
	return strings.Join(words, ",")
}

// Set is pflag.Value's; it adds to what was there.
func (e *endpoints) Set(text string) error {
	for _, word := range listed(text) {
		service, at, found := strings.Cut(word, "=")
		if !found {
			service, at = "", word
		}
		if u, err := url.Parse(at); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return fmt.Errorf("%q is no address such as https://ec2.eu-west-1.amazonaws.com, without a user name, or ec2= and such an address", word)
		}
		if *e == nil {
			*e = endpoints{}
		}
		(*e)[service] = at
	}
	return nil
}

// Type is pflag.Value's.
func (e *endpoints) Type() string { return "[SERVICE=]URL" }

// listed are the words of a flag that takes a list. A YAML list arrives as "[a b]".
func listed(text string) []string {
	return strings.FieldsFunc(strings.Trim(text, "[]"), func(r rune) bool { return r == ',' || r == ' ' })
}
