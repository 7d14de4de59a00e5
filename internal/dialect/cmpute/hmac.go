package cmpute

import (
	"crypto/hmac"
	"crypto/sha1"
	"net/url"
	"slices"
	"strings"
)

// signed is what a signature is made over. The body is no part of it.
type signed struct {
	method    string
	path      string // as requested, percent-decoded
	query     string // as requested
	key       string
	nonce     string
	timestamp string
}

// signature is the one that the holder of a secret makes for a request to a server ("https://acme.example.com"). With cut, the value of a query parameter ends at its
// second "=": the published client signs no more of it.
func (s signed) signature(secret, server string, cut bool) []byte {
	sum := hmac.New(sha1.New, []byte(percent(secret)))
	sum.Write([]byte(s.text(server, cut)))
	return sum.Sum(nil)
}

func (s signed) text(server string, cut bool) string {
	return strings.ToUpper(s.method) + "&" + percent(server+s.path) + "&" + percent(s.parameters(cut))
}

// parameters are the names and values that are signed, in order.
func (s signed) parameters(cut bool) string {
	pairs := [][2]string{{percent("Api-Key"), percent(s.key)}, {percent("Nonce"), percent(s.nonce)}, {percent("Timestamp"), percent(s.timestamp)}}
	for _, pair := range strings.Split(s.query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if cut {
			value, _, _ = strings.Cut(value, "=")
		}
		if name = unquoted(name); !strings.EqualFold(name, "realm") {
			pairs = append(pairs, [2]string{percent(name), percent(unquoted(value))})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	texts := make([]string, len(pairs))
	for n, pair := range pairs {
		texts[n] = pair[0] + "=" + pair[1]
	}
	return strings.Join(texts, "&")
}

// unquoted decodes a part of a query; what cannot be decoded stays, and the request is refused for it later.
func unquoted(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// percent is RFC 3986's encoding, in which letters, digits and "-._~" alone stand for themselves.
func percent(text string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
			continue
		}
		out.WriteByte('%')
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}
