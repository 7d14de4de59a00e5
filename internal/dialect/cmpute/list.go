package cmpute

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// pageSize is how many objects a list shows at once.
const pageSize = 100

// paged is the input of rows that list.
type paged struct {
	Token string `query:"request.continuationToken" doc:"ContinuationToken of the page before"`
}

// pageOf is the page of a list that a token asks for. key orders the list and is unique in it; pages go on behind the last key shown, whatever was made or deleted
// meanwhile.
func pageOf[T any](items []T, token string, key func(T) string) (list[T], error) {
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return list[T]{}, fault.Field("request.continuationToken", "is not one that was given out here; leave it out to begin anew")
	}
	items = slices.DeleteFunc(slices.Clone(items), func(item T) bool { return token != "" && key(item) <= string(after) })
	slices.SortFunc(items, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	if len(items) <= pageSize {
		return list[T]{Items: items}, nil
	}
	items = items[:pageSize]
	return list[T]{Items: items, Next: base64.RawURLEncoding.EncodeToString([]byte(key(items[pageSize-1])))}, nil
}

// filter is one of request.filters, which all have to hold.
type filter struct {
	Name      string
	Operation comparison
	Values    values
}

// comparison is how a filter compares: by name, or by its place among the names.
type comparison string

func comparisons() []string {
	return []string{"None", "LessThan", "GreaterThan", "Equals", "NotEquals", "In"}
}

// UnmarshalJSON reads a name or a number.
func (c *comparison) UnmarshalJSON(text []byte) error {
	for n, name := range comparisons() {
		if given := strings.Trim(string(text), `"`); strings.EqualFold(given, name) || given == strconv.Itoa(n) {
			*c = comparison(name)
			return nil
		}
	}
	return fmt.Errorf("the operation of a filter is one of %s, not %s", strings.Join(comparisons(), ", "), text)
}

// values are what a filter compares with, as texts: one, or a list.
type values []string

// UnmarshalJSON reads texts, numbers and truth values.
func (v *values) UnmarshalJSON(text []byte) error {
	var one any
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	many, is := one.([]any)
	if !is {
		many = []any{one}
	}
	*v = nil
	for _, value := range many {
		*v = append(*v, fmt.Sprint(value))
	}
	return nil
}

// filtered is the part of a list that request.filters let through. They name members of what is shown.
func filtered[T any](items []T, text string) ([]T, error) {
	var filters []filter
	if text == "" {
		return items, nil
	}
	if err := json.Unmarshal([]byte(text), &filters); err != nil {
		return nil, fault.Field("request.filters", "must be a JSON list of objects with Name, Operation and Values: %v", err)
	}
	var example T
	known, err := members(example)
	if err != nil {
		return nil, err
	}
	for _, f := range filters {
		if _, is := known[plain(f.Name)]; !is {
			return nil, fault.Field("request.filters", "names %.40q, which is no member of what is listed", f.Name)
		}
	}
	var kept []T
	for _, item := range items {
		shown, err := members(item)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(filters, func(f filter) bool { return !f.lets(shown[plain(f.Name)]) }) {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

func members(item any) (map[string]any, error) {
	text, err := json.Marshal(item)
	if err != nil {
		return nil, err
	}
	var shown map[string]any
	if err := json.Unmarshal(text, &shown); err != nil {
		return nil, err
	}
	plainly := map[string]any{}
	for name, value := range shown {
		plainly[plain(name)] = value
	}
	return plainly, nil
}

// lets reports whether a value passes; of a list, whether one of its items does.
func (f filter) lets(value any) bool {
	items, many := value.([]any)
	if !many {
		items = []any{value}
	}
	is := func(order func(int) bool) bool {
		return slices.ContainsFunc(items, func(item any) bool {
			return slices.ContainsFunc(f.Values, func(wanted string) bool { return order(compare(item, wanted)) })
		})
	}
	switch f.Operation {
	case "LessThan":
		return is(func(order int) bool { return order < 0 })
	case "GreaterThan":
		return is(func(order int) bool { return order > 0 })
	case "Equals", "In":
		return is(func(order int) bool { return order == 0 })
	case "NotEquals":
		return !is(func(order int) bool { return order == 0 })
	}
	return true
}

// compare goes by number where both are numbers, and by text otherwise.
func compare(value any, wanted string) int {
	number, is := value.(float64)
	if other, err := strconv.ParseFloat(wanted, 64); is && err == nil {
		return cmp.Compare(number, other)
	}
	return cmp.Compare(fmt.Sprint(value), wanted)
}
