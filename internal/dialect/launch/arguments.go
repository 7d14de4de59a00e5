package launch

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// document gathers a request's parameters from where clients put them: a JSON object or else a form in the body, and the query for what the body does not say. The header
// Client-Token is one more.
func document(r *http.Request, body []byte) ([]byte, error) {
	all := map[string]any{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.Of(fault.Invalid, "query", "The query of the address cannot be read: %v.", err)
	}
	collect(all, query)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
	case kind == "application/x-www-form-urlencoded" && body[0] != '{': // which curl -d calls a form, too
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fault.Of(fault.Invalid, "body", "The form in the body cannot be read: %v.", err)
		}
		collect(all, form)
	default:
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			return body, nil // op says where it is wrong
		}
		for name, value := range members {
			if !bytes.Equal(value, []byte("null")) {
				all[name] = value
			}
		}
	}
	if token := r.Header.Get("Client-Token"); token != "" {
		all["client_token"] = token
	}
	return json.Marshal(all)
}

// collect takes values by name: one as a text, several as a list.
func collect(into map[string]any, values url.Values) {
	for name, given := range values {
		into[name] = given
		if len(given) == 1 {
			into[name] = given[0]
		}
	}
}

// arguments are the parameters of a call. The getters collect what is missing or malformed, and check tells it.
type arguments struct {
	given  map[string]any
	faults []*fault.Error
}

func argumentsOf(body op.Document) *arguments {
	a, numbers := &arguments{}, json.NewDecoder(bytes.NewReader(body))
	numbers.UseNumber()
	if err := numbers.Decode(&a.given); err != nil && len(body) > 0 {
		a.faults = append(a.faults, fault.Of(fault.Invalid, "body", "The parameters cannot be read: %v.", err))
	}
	return a
}

// absent is what is said of an argument that is required.
const absent = "is required"

func (a *arguments) wrong(name, format string, args ...any) {
	a.faults = append(a.faults, fault.Field(name, format, args...))
}

func (a *arguments) check() error { return fault.All(a.faults) }

// text is a parameter as it was written, whatever the carrier made of it: a number or a truth of JSON is a text in a form.
func (a *arguments) text(name, standard string) string {
	switch value := a.given[name].(type) {
	case nil:
	case string:
		if value != "" {
			return value
		}
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	default:
		a.wrong(name, "must be one text")
	}
	return standard
}

func (a *arguments) required(name string) string {
	value := a.text(name, "")
	if value == "" && !slices.ContainsFunc(a.faults, func(f *fault.Error) bool { return f.Field == name }) {
		a.wrong(name, absent)
	}
	return value
}

// list is a JSON array, a repeated key, or a text with commas in it.
func (a *arguments) list(name string, standard ...string) (items []string) {
	given := []any{a.given[name]}
	if many, is := a.given[name].([]any); is {
		given = many
	}
	for _, one := range given {
		text, is := one.(string)
		if !is && one != nil {
			a.wrong(name, "must be a list of texts")
			return nil
		}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	}
	if items == nil {
		return standard
	}
	return items
}

// whole is a decimal number, at least the least.
func (a *arguments) whole(name string, standard, least int) int {
	text := a.text(name, "")
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil || text[0] == '+' {
		a.wrong(name, "must be a whole number, got %.40q", text)
		return standard
	}
	if n < least {
		a.wrong(name, "must be at least %d, got %d", least, n)
	}
	return n
}

// flag is true or false, in one of the spellings of either.
func (a *arguments) flag(name string) bool {
	text := a.text(name, "false")
	yes, is := truth(text)
	if !is {
		a.wrong(name, "must be true or false, got %.40q", text)
	}
	return yes
}

func truth(text string) (yes, is bool) {
	switch strings.ToLower(text) {
	case "true", "1", "yes":
		return true, true
	case "false", "0", "no":
		return false, true
	}
	return false, false
}
