package op

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	hidden      = "***"
	longestBody = 16 << 10 // bytes of a body that the audit keeps
	longestURL  = 4 << 10  // letters of a path, and of path and query
)

// tokenText is anything that looks like a token of ours, wherever it stands, whole or cut off.
var tokenText = regexp.MustCompile(`(?i)(neap_[0-9a-f]{8}|neapsec)_[0-9a-z]*`)

// isSecret reports whether what bears this name must not be kept. Case, _ and - make no difference, nor does what the name stands in ("group.login[password]").
func isSecret(name string) bool {
	for part := range strings.FieldsFuncSeq(name, func(c rune) bool { return strings.ContainsRune(".[]/: ", c) }) {
		plain := strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(part, "_", ""), "-", ""))
		switch plain {
		case "privatekey", "secretkey", "apikey", "authorization", "userdata", "shutdownscript":
			return true
		}
		if strings.HasSuffix(plain, "password") || strings.HasSuffix(plain, "secret") || strings.HasSuffix(plain, "token") {
			return true
		}
	}
	return false
}

// isEnvironment reports whether the members of what bears this name are a program's environment: any of them may be secret, whatever its name.
func isEnvironment(name string) bool { return strings.EqualFold(name, "env") }

// withoutTokens is a text whose tokens are hidden.
func withoutTokens(text string) string {
	if len(text) < len("neap_") {
		return text
	}
	return tokenText.ReplaceAllLiteralString(text, hidden)
}

// redact hides secrets in a JSON value, at any depth.
func redact(value any) any {
	switch value := value.(type) {
	case string:
		return withoutTokens(value)
	case []any:
		for i := range value {
			value[i] = redact(value[i])
		}
	case map[string]any:
		kept := make(map[string]any, len(value))
		told := tellsSecret(value)
		for name, member := range value {
			switch {
			case isSecret(name) || told && name == "value":
				kept[withoutTokens(name)] = hidden
			case isEnvironment(name):
				kept[withoutTokens(name)] = namesOnly(member)
			default:
				kept[withoutTokens(name)] = redact(member)
			}
		}
		return kept
	}
	return value
}

// namesOnly keeps of an environment what its variables are called.
func namesOnly(environment any) any {
	variables, is := environment.(map[string]any)
	if !is {
		return hidden
	}
	kept := make(map[string]any, len(variables))
	for name := range variables {
		kept[withoutTokens(name)] = hidden
	}
	return kept
}

// tellsSecret reports whether an object names what its member "value" is, and that is secret: {"attribute": "userData", "value": …}.
func tellsSecret(object any) bool {
	members, _ := object.(map[string]any)
	name, _ := members["attribute"].(string)
	return isSecret(name)
}

// auditedRequest is what the audit keeps of a request's content.
type auditedRequest struct {
	Body  any                 `json:"body"`
	URL   string              `json:"url"`
	Query map[string][]string `json:"query"`
	told  bool                // what is called "value" is secret
}

// contextOf is a request's content as JSON, without secrets. A long body is left out, and its size told instead.
func contextOf(address *url.URL, body []byte) (string, error) {
	kept := auditedRequest{Query: map[string][]string{}}
	switch {
	case len(body) > longestBody:
		kept.Body = "left out: " + strconv.Itoa(len(body)) + " bytes"
	case len(body) > 0:
		content := json.NewDecoder(bytes.NewReader(body))
		content.UseNumber()
		if err := content.Decode(&kept.Body); err != nil {
			return "", err
		}
		kept.told = tellsSecret(kept.Body)
		kept.Body = redact(kept.Body)
	}
	kept.told = kept.told || isSecret(address.Query().Get("attribute"))
	path, query := (&url.URL{Path: cut(withoutTokens(address.Path), longestURL)}).EscapedPath(), ""
	if len(path)+len(address.RawQuery) > longestURL {
		query = "left out: " + strconv.Itoa(len(address.RawQuery)) + " bytes"
	} else if address.RawQuery != "" {
		query = kept.redactQuery(address.RawQuery)
	}
	if kept.URL = path; query != "" {
		kept.URL += "?" + query
	}
	text, err := encode(kept)
	return strings.TrimSuffix(string(text), "\n"), err
}

// redactQuery keeps a query's parameters, and returns its text as it may be kept.
func (r *auditedRequest) redactQuery(raw string) string {
	var pairs []string
	for pair := range strings.SplitSeq(raw, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		value, wrong := url.QueryUnescape(rawValue)
		if err != nil || wrong != nil || strings.Contains(pair, ";") { // nobody can tell what belongs to which name
			pairs = append(pairs, hidden)
			continue
		}
		name, value = withoutTokens(name), withoutTokens(value)
		if isSecret(name) || isEnvironment(name) || r.told && name == "value" {
			value = hidden
		}
		r.Query[name] = append(r.Query[name], value)
		pairs = append(pairs, url.QueryEscape(name)+"="+strings.ReplaceAll(url.QueryEscape(value), "%2A%2A%2A", hidden))
	}
	return strings.Join(pairs, "&")
}
