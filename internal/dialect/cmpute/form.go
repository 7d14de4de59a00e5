package cmpute

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// withBody is the input of rows whose only parameters are fields of a form.
type withBody struct{ Body op.Document }

// form is what a client sent by name: in the body, or else in the query. Names are the same whatever their case, spaces and underscores. The getters collect what
// is wrong, and check tells it.
type form struct {
	body   map[string]json.RawMessage
	query  map[string][]string
	faults []*fault.Error
}

// plain is what two spellings of one name have in common: "AMI ID", "AmiId", "ami_id".
func plain(name string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "_", "").Replace(name))
}

func formOf(ctx context.Context, body op.Document) (*form, error) {
	f := &form{body: map[string]json.RawMessage{}, query: map[string][]string{}}
	if len(body) > 0 {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			return nil, fault.Of(fault.Invalid, "body", "The body cannot be read: %v.", err)
		}
		for name, value := range members {
			if _, twice := f.body[plain(name)]; twice {
				f.wrong(name, "is given twice, in different spellings")
			}
			if string(value) != "null" { // said explicitly not to be said
				f.body[plain(name)] = value
			}
		}
	}
	_, query, _ := strings.Cut(op.CallOf(ctx).URL, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fault.Of(fault.Invalid, "query", "The query of the address cannot be read: %v.", err)
	}
	for name, texts := range values {
		f.query[plain(name)] = append(f.query[plain(name)], texts...)
	}
	return f, nil
}

func (f *form) wrong(name, format string, args ...any) {
	f.faults = append(f.faults, fault.Field(name, format, args...))
}

// check is what was wrong with the fields that were asked for.
func (f *form) check() error { return fault.All(f.faults) }

// text is a field; nil = it was not given. A number or a truth value is as good as its text.
func (f *form) text(name string) *string {
	if value, is := f.body[plain(name)]; is {
		text := string(value)
		switch text[0] {
		case '"':
			if err := json.Unmarshal(value, &text); err != nil {
				f.wrong(name, "cannot be read: %v", err)
			}
		case '{', '[':
			f.wrong(name, "must be text")
		}
		return &text
	}
	if values := f.query[plain(name)]; len(values) > 0 {
		return &values[0]
	}
	return nil
}

// required is a field that has to be there.
func (f *form) required(name string) string {
	text := f.text(name)
	if text == nil || *text == "" {
		f.wrong(name, "%s is required", name)
		return ""
	}
	return *text
}

// list is a field of several texts: an array, or one text with commas. nil = it was not given.
func (f *form) list(name string) []string {
	value, inBody := f.body[plain(name)]
	if inBody && value[0] == '[' {
		items := []string{}
		if err := json.Unmarshal(value, &items); err != nil {
			f.wrong(name, "must be a list of texts")
		}
		return items
	}
	texts := f.query[plain(name)]
	if inBody {
		texts = []string{*f.text(name)}
	}
	if texts == nil {
		return nil
	}
	items := []string{}
	for _, item := range strings.Split(strings.Join(texts, ","), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// number is a field; 0 when it was not given.
func (f *form) number(name string) float64 {
	text := f.text(name)
	if text == nil {
		return 0
	}
	number, err := strconv.ParseFloat(*text, 64)
	if err != nil {
		f.wrong(name, "must be a number, not %.40q", *text)
	}
	return number
}
