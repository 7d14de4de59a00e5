package op

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/neap-cloud/neap/internal/fault"
)

// mostFaults bounds what one answer tells; more would not be read.
const mostFaults = 100

// sentences turns a failed validation into one fault per offending field, in the order of their paths.
func sentences(failed *jsonschema.ValidationError, root any) []*fault.Error {
	t := teller{root: root}
	t.tell(failed)
	slices.SortStableFunc(t.faults, func(a, b *fault.Error) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	t.faults = slices.CompactFunc(t.faults, func(a, b *fault.Error) bool { return a.Field == b.Field && a.Message == b.Message })
	if more := len(t.faults) - mostFaults; more > 0 {
		t.faults = append(t.faults[:mostFaults], fault.Of(fault.Invalid, "body", "There are %d more faults of this sort.", more))
	}
	return t.faults
}

type teller struct {
	root   any
	faults []*fault.Error
}

func (t *teller) tell(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		if len(e.Causes) > 0 {
			t.alternatives(e)
			return
		}
	case *kind.Contains, *kind.PropertyNames: // what is wrong with each item or name by itself says less
		t.leaf(e)
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			t.tell(cause)
		}
		return
	}
	t.leaf(e)
}

// alternatives explains why no branch of an anyOf fits. When some branch accepts the kind of the value and only something within it is wrong, that
// is what the client meant; else the branches are told together: "must be a whole number or text".
func (t *teller) alternatives(e *jsonschema.ValidationError) {
	var near *jsonschema.ValidationError
	best := 0
	var types []string
	var values []any
	depth := len(e.InstanceLocation)
	for _, branch := range e.Causes {
		mismatch, wanted, enum := refusal(branch, depth)
		types, values = append(types, wanted...), append(values, enum...)
		if score := leaves(branch); !mismatch && (near == nil || score < best) {
			near, best = branch, score
		}
	}
	switch {
	case near != nil:
		t.tell(near)
	case len(types) > 0:
		t.add(e.InstanceLocation, wrongType(types, t.shown(e.InstanceLocation)))
	case len(values) > 0:
		t.add(e.InstanceLocation, oneOf(values, t.shown(e.InstanceLocation)))
	default:
		t.tell(e.Causes[0])
	}
}

// refusal reports whether a branch refuses the value itself at depth for its type or its set of values, and which it would have taken.
func refusal(branch *jsonschema.ValidationError, depth int) (refused bool, types []string, values []any) {
	if len(branch.InstanceLocation) == depth {
		switch k := branch.ErrorKind.(type) {
		case *kind.Type:
			return true, k.Want, nil
		case *kind.Enum:
			return true, nil, k.Want
		case *kind.Const:
			return true, nil, []any{k.Want}
		}
	}
	for _, cause := range branch.Causes {
		r, t, v := refusal(cause, depth)
		refused, types, values = refused || r, append(types, t...), append(values, v...)
	}
	return refused, types, values
}

func leaves(e *jsonschema.ValidationError) int {
	if len(e.Causes) == 0 {
		return 1
	}
	n := 0
	for _, cause := range e.Causes {
		n += leaves(cause)
	}
	return n
}

func (t *teller) leaf(e *jsonschema.ValidationError) {
	at := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			t.add(append(slices.Clone(at), name), "is required")
		}
	case *kind.DependentRequired:
		for _, name := range k.Missing {
			t.add(append(slices.Clone(at), name), fmt.Sprintf("is required when %s is given", k.Prop))
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			t.add(append(slices.Clone(at), name), "is not known here; remove it")
		}
	case *kind.FalseSchema:
		t.add(at, "is not allowed here; remove it")
	default:
		t.add(at, sentence(e.ErrorKind, t.shown(at)))
	}
}

// sentence says what is wrong with one value and what would be right.
func sentence(why jsonschema.ErrorKind, got any) string {
	switch k := why.(type) {
	case *kind.Type:
		return wrongType(k.Want, got)
	case *kind.Enum:
		return oneOf(k.Want, got)
	case *kind.Const:
		return oneOf([]any{k.Want}, got)
	case *kind.Minimum:
		return fmt.Sprintf("must be at least %s, got %s", decimal(k.Want), describe(got))
	case *kind.Maximum:
		return fmt.Sprintf("must be at most %s, got %s", decimal(k.Want), describe(got))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("must be more than %s, got %s", decimal(k.Want), describe(got))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("must be less than %s, got %s", decimal(k.Want), describe(got))
	case *kind.MultipleOf:
		return fmt.Sprintf("must be a multiple of %s, got %s", decimal(k.Want), describe(got))
	case *kind.MinLength:
		if k.Want == 1 {
			return "must not be empty"
		}
		return fmt.Sprintf("must have at least %d characters, got %d", k.Want, k.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, got %d", k.Want, k.Got)
	case *kind.Pattern:
		return fmt.Sprintf("must match the pattern %s, got %s", k.Want, describe(got))
	case *kind.Format:
		return fmt.Sprintf("must be a %s, got %s", k.Want, describe(got))
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %s, got %d", count(k.Want, "item"), k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %s, got %d", count(k.Want, "item"), k.Got)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %s, got %d", count(k.Want, "member"), k.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %s, got %d", count(k.Want, "member"), k.Got)
	case *kind.UniqueItems:
		return fmt.Sprintf("must not repeat an item; [%d] and [%d] are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.Contains:
		return "lacks an item that must be in the list"
	case *kind.PropertyNames:
		return fmt.Sprintf("has a member named %s, which is not allowed", display(k.Property))
	case *kind.Not:
		return "has a value or a combination of members that is not allowed"
	case *kind.OneOf:
		return "fits more than one of the alternatives that exclude each other; give only one of them"
	default:
		return fmt.Sprintf("does not satisfy the schema's %s, got %s", strings.Join(why.KeywordPath(), "."), describe(got))
	}
}

func (t *teller) add(location []string, message string) {
	t.faults = append(t.faults, fault.Field(t.path(location), "%s", message))
}

// path writes a location as people write it: group.compute.instanceTypes.spot[2].
func (t *teller) path(location []string) string {
	var path strings.Builder
	at := t.root
	for _, step := range location {
		if list, ok := at.([]any); ok {
			i, err := strconv.Atoi(step)
			if err == nil && i < len(list) {
				at = list[i]
			}
			path.WriteString("[" + step + "]")
			continue
		}
		if members, ok := at.(map[string]any); ok {
			at = members[step]
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(step)
	}
	return path.String()
}

func (t *teller) at(location []string) any {
	at := t.root
	for _, step := range location {
		switch parent := at.(type) {
		case map[string]any:
			at = parent[step]
		case []any:
			if i, err := strconv.Atoi(step); err == nil && i < len(parent) {
				at = parent[i]
			}
		}
	}
	return at
}

// concealed is said of a value that must not be repeated.
type concealed string

// shown is the value at a location as a sentence may repeat it: refusals are logged and audited.
func (t *teller) shown(location []string) any {
	value := t.at(location)
	if !slices.ContainsFunc(location, func(name string) bool { return isSecret(name) || isEnvironment(name) }) {
		return value
	}
	switch value.(type) {
	case string:
		return concealed("a text")
	case bool, json.Number:
		return concealed("a value")
	}
	return value
}

func wrongType(want []string, got any) string {
	words := make([]string, 0, len(want))
	for _, name := range want {
		if word := typeWord(name); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	slices.SortStableFunc(words, func(a, b string) int { // null last: it is rarely what was meant
		return cmp.Compare(strings.Count(a, "null"), strings.Count(b, "null"))
	})
	return "must be " + either(words) + ", got " + describe(got)
}

func typeWord(name string) string {
	switch name {
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "string":
		return "text"
	case "boolean":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	default:
		return name
	}
}

func oneOf(want []any, got any) string {
	words := make([]string, 0, len(want))
	for _, value := range want {
		if word := display(value); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if len(words) == 1 {
		return "must be " + words[0] + ", got " + describe(got)
	}
	return "must be one of " + strings.Join(words, ", ") + "; got " + describe(got)
}

func either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// describe names a value so that its sender recognises it: text "3", 7, a list of 2 items.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "text " + display(v)
	case concealed:
		return string(v) + " that is not repeated here"
	case []any:
		return "a list of " + count(len(v), "item")
	case map[string]any:
		return "an object"
	default:
		return display(v)
	}
}

func display(value any) string {
	if n, ok := value.(json.Number); ok {
		return shorten(n.String())
	}
	written, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return shorten(string(written))
}

func shorten(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
