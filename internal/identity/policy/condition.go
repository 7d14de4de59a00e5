package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// A condition is an object of operators, {"StringEquals": {"spot:elastigroup:name": ["web", "api"]}}: all operators and all of their keys have to hold, for each
// key one of its values will do. "And" and "Or" hold two or more operators, as an object or, to name one twice, as a list of objects; they may hold each other.
//
// StringPatternMatch looks for a match anywhere in the attribute; ^ and $ bind it to the ends. Ours: StringNotEquals holds when the attribute is none of the values, and when there is no such attribute. Every other operator fails then.
type condition interface {
	holds(d Deed) bool
}

type (
	every []condition
	some  []condition

	// comparison is one key of an operator.
	comparison struct {
		key     string
		values  []string
		compare func(attribute, value string) bool
		negated bool
	}
	// resemblance is one key of StringPatternMatch.
	resemblance struct {
		key      string
		patterns []*regexp.Regexp
	}
)

func (e every) holds(d Deed) bool {
	return !slices.ContainsFunc(e, func(c condition) bool { return !c.holds(d) })
}

func (s some) holds(d Deed) bool {
	return slices.ContainsFunc(s, func(c condition) bool { return c.holds(d) })
}

func (d Deed) attribute(key string) (string, bool) {
	if d.Object.Attribute == nil {
		return "", false
	}
	return d.Object.Attribute(key)
}

// userEmail stands for the caller's; one who has none fulfils no condition with it.
const userEmail = "${spot:userEmail}"

func (c comparison) holds(d Deed) bool {
	attribute, is := d.attribute(c.key)
	matched := false
	for _, value := range c.values {
		if strings.Contains(value, userEmail) {
			if d.Email == "" {
				return false
			}
			value = strings.ReplaceAll(value, userEmail, d.Email)
		}
		matched = matched || is && c.compare(attribute, value)
	}
	return matched != c.negated
}

func (r resemblance) holds(d Deed) bool {
	attribute, is := d.attribute(r.key)
	return is && slices.ContainsFunc(r.patterns, func(p *regexp.Regexp) bool { return p.MatchString(attribute) })
}

// comparisons are the operators that compare texts.
func comparisons() map[string]comparison {
	equal := func(a, b string) bool { return a == b }
	return map[string]comparison{
		"StringEquals":           {compare: equal},
		"StringNotEquals":        {compare: equal, negated: true},
		"StringEqualsIgnoreCase": {compare: strings.EqualFold},
		"StringContains":         {compare: strings.Contains},
	}
}

const patternMatch = "StringPatternMatch"

// keyForm are the keys: "spot:elastigroup:name", "spot:ocean:tags/Team", and those of Ocean CD, which have no prefix.
var keyForm = regexp.MustCompile(`^(spot:[A-Za-z][A-Za-z0-9]*:.+|oceancd[A-Z][A-Za-z]*)$`)

// parse reads a condition; none is nil.
func parse(at string, text json.RawMessage) (condition, *fault.Error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	all, err := operators(at, text)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.Field(at, "needs an operator; leave the condition out if there is none")
	}
	return every(all), nil
}

// operators reads an object of operators.
func operators(at string, text json.RawMessage) ([]condition, *fault.Error) {
	var named map[string]json.RawMessage
	if json.Unmarshal(text, &named) != nil {
		return nil, fault.Field(at, "must be an object of operators such as {\"StringEquals\": {\"spot:elastigroup:name\": \"web\"}}")
	}
	var all []condition
	for _, name := range slices.Sorted(maps.Keys(named)) {
		one, err := operator(at+"."+name, name, named[name])
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

func operator(at, name string, text json.RawMessage) ([]condition, *fault.Error) {
	if name == "And" || name == "Or" {
		group, err := members(at, text)
		if err != nil {
			return nil, err
		}
		if name == "And" {
			return []condition{every(group)}, nil
		}
		return []condition{some(group)}, nil
	}
	comparison, known := comparisons()[name]
	if !known && name != patternMatch {
		operators := append(slices.Sorted(maps.Keys(comparisons())), patternMatch, "And", "Or")
		return nil, fault.Field(at, "is no operator; there are %s", strings.Join(operators, ", "))
	}
	keys, err := keysOf(at, text)
	if err != nil {
		return nil, err
	}
	var all []condition
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if name == patternMatch {
			patterns, err := patternsOf(at+"."+key, keys[key])
			if err != nil {
				return nil, err
			}
			all = append(all, resemblance{key, patterns})
			continue
		}
		one := comparison
		one.key, one.values = key, keys[key]
		all = append(all, one)
	}
	return []condition{every(all)}, nil
}

// members reads what And or Or holds: each operator is one member.
func members(at string, text json.RawMessage) (all []condition, err *fault.Error) {
	list := []json.RawMessage{text}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) && json.Unmarshal(text, &list) != nil {
		return nil, fault.Field(at, "must be an object of operators, or a list of such objects")
	}
	for n, item := range list {
		here := at
		if len(list) > 1 {
			here = fmt.Sprintf("%s[%d]", at, n)
		}
		some, err := operators(here, item)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if len(all) < 2 {
		return nil, fault.Field(at, "needs two or more operators; it has %d", len(all))
	}
	return all, nil
}

// keysOf reads an operator's keys, each with a text or a list of texts.
func keysOf(at string, text json.RawMessage) (map[string][]string, *fault.Error) {
	var raw map[string]json.RawMessage
	if json.Unmarshal(text, &raw) != nil || len(raw) == 0 {
		return nil, fault.Field(at, "must be an object of keys, such as {\"spot:elastigroup:name\": \"web\"}")
	}
	keys := map[string][]string{}
	for key, value := range raw {
		var one string
		var several []string
		switch {
		case !keyForm.MatchString(key):
			return nil, fault.Field(at+"."+key, "is no key of a condition; those look like \"spot:elastigroup:name\", \"spot:ocean:tags/Team\" or \"oceancdClusterId\"")
		case json.Unmarshal(value, &one) == nil && string(value) != "null":
			several = []string{one}
		case json.Unmarshal(value, &several) != nil || len(several) == 0:
			return nil, fault.Field(at+"."+key, "must be a text or a list of texts")
		}
		keys[key] = several
	}
	return keys, nil
}

func patternsOf(at string, texts []string) ([]*regexp.Regexp, *fault.Error) {
	var patterns []*regexp.Regexp
	for _, text := range texts {
		if strings.Contains(text, userEmail) {
			return nil, fault.Field(at, "can't hold %s: an address in a regular expression would match others, too; use StringEquals or StringContains", userEmail)
		}
		p, err := regexp.Compile(text)
		if err != nil {
			return nil, fault.Field(at, "is no regular expression that can be used here (syntax RE2): %v", err)
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}
