package op

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/neap-cloud/neap/internal/fault"
)

// Do is a bound function; Func makes one.
type Do struct {
	in  []input
	out func() any // a zero answer, to describe its shape
	// streams says that run answers a flow of events, each of which looks like out.
	streams bool
	run     func(ctx context.Context, from source) (call func(ctx context.Context) (any, error), err error)
}

// Func binds a typed function. In's fields are bound by tag: `path:"groupId"`, `query:"adjustment"`, `header:"Idempotency-Key"`, and one field Body of type
// Document for the request's document (op has validated it when the row names a schema, and it is empty when the request had none).
// A field is a string, bool, integer, float (never infinite), a type with UnmarshalText, a pointer to one of these (nil = absent), or, in queries, a slice of
// these (repeated or comma-separated). A field may have huma's validation tags (enum, minimum, maximum, minLength, maxLength, pattern, required, default,
// doc); values of the wrong type are refused with their name. Of a header that is sent twice the first counts.
// The caller is in ctx: CallOf. Func panics on a type that it cannot bind, so that the mistake shows at start.
func Func[In, Out any](f func(ctx context.Context, in In) (Out, error)) Do {
	inputs := inputsOf(reflect.TypeFor[In]())
	zero := func() any {
		out := reflect.New(reflect.TypeFor[Out]()).Elem()
		if out.Kind() == reflect.Slice {
			out = reflect.MakeSlice(out.Type(), 1, 1)
		}
		return out.Interface()
	}
	return Do{in: inputs, out: zero, run: func(_ context.Context, from source) (func(context.Context) (any, error), error) {
		var in In
		if err := fill(reflect.ValueOf(&in).Elem(), inputs, from); err != nil {
			return nil, err
		}
		return func(ctx context.Context) (any, error) { return f(ctx, in) }, nil
	}}
}

// source is where inputs come from.
type source struct {
	http   huma.Context
	header http.Header
	query  url.Values
	body   Document
}

// input is one bound field.
type input struct {
	index    []int
	place    string // "path", "query", "header" or "body"
	name     string
	kind     reflect.Type // of one value, without pointer and slice
	pointer  bool
	many     bool
	required bool
	standard string // default
	schema   *huma.Schema
	check    *validator // nil = nothing beyond the type
}

var documentType = reflect.TypeFor[Document]()

func inputsOf(t reflect.Type) []input {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("op: input %v must be a struct", t))
	}
	var inputs []input
	for _, field := range reflect.VisibleFields(t) {
		if field.Anonymous || !field.IsExported() {
			continue
		}
		in := input{index: field.Index}
		switch {
		case field.Name == "Body" && field.Type == documentType:
			in.place = "body"
		case field.Tag.Get("path") != "":
			in.place, in.name = "path", field.Tag.Get("path")
		case field.Tag.Get("query") != "":
			in.place, in.name = "query", field.Tag.Get("query")
		case field.Tag.Get("header") != "":
			in.place, in.name = "header", field.Tag.Get("header")
		default:
			panic(fmt.Sprintf("op: field %s of %v has no path, query or header tag and is no Body of type op.Document", field.Name, t))
		}
		if in.place != "body" {
			in.describe(t, field)
		}
		inputs = append(inputs, in)
	}
	return inputs
}

// describe reads the type and the validation tags of a field that is no body.
func (in *input) describe(t reflect.Type, field reflect.StructField) {
	in.kind = field.Type
	if in.many = in.kind.Kind() == reflect.Slice && in.place == "query" && !unmarshals(in.kind); in.many {
		in.kind = in.kind.Elem()
	}
	if in.pointer = in.kind.Kind() == reflect.Pointer; in.pointer {
		in.kind = in.kind.Elem()
	}
	if err := set(reflect.New(in.kind).Elem(), zeroText(in.kind)); err != nil && !unmarshals(in.kind) {
		panic(fmt.Sprintf("op: field %s of %v has the type %v, which op cannot bind", field.Name, t, field.Type))
	}
	in.required = in.place == "path" || field.Tag.Get("required") == "true"
	in.standard = field.Tag.Get("default")
	in.schema = huma.SchemaFromField(huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer), field, "")
	for _, tag := range []string{"enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems"} {
		if field.Tag.Get(tag) != "" {
			in.check = validatorOf(in.schema)
		}
	}
}

func zeroText(t reflect.Type) string {
	if t.Kind() == reflect.Bool {
		return "false"
	}
	return "0"
}

func unmarshals(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fill sets the fields of in and reports all faults at once.
func fill(in reflect.Value, inputs []input, from source) error {
	var faults []*fault.Error
	for i := range inputs {
		input := &inputs[i]
		field := in.FieldByIndex(input.index)
		if input.place == "body" {
			field.SetBytes(from.body)
			continue
		}
		if problem := input.bind(field, from); problem != nil {
			faults = append(faults, problem)
		}
	}
	return fault.All(faults)
}

func (in *input) bind(field reflect.Value, from source) *fault.Error {
	values := in.sent(from)
	if len(values) == 0 && in.standard != "" {
		values = []string{in.standard}
	}
	if len(values) == 0 {
		if in.required {
			return fault.Field(in.name, "is required: add it to the %s", in.place)
		}
		return nil
	}
	if in.many {
		values = strings.Split(strings.Join(values, ","), ",")
		field.Set(reflect.MakeSlice(field.Type(), len(values), len(values)))
		for i, value := range values {
			if problem := in.assign(field.Index(i), value); problem != nil {
				return problem
			}
		}
	} else if problem := in.assign(field, values[0]); problem != nil {
		return problem
	}
	return in.validate(field)
}

// sent are the values that the request has for the field, as text.
func (in *input) sent(from source) []string {
	switch in.place {
	case "path":
		return []string{from.http.Param(in.name)}
	case "header":
		return from.header.Values(in.name)
	}
	return queryValues(from.query, in.name)
}

func (in *input) assign(field reflect.Value, value string) *fault.Error {
	if in.pointer {
		field.Set(reflect.New(in.kind))
		field = field.Elem()
	}
	if err := set(field, value); err != nil {
		return fault.Field(in.name, "must be %s, got %q", wanted(in.kind, err), value)
	}
	return nil
}

func (in *input) validate(field reflect.Value) *fault.Error {
	if in.check == nil {
		return nil
	}
	if in.pointer && !in.many {
		field = field.Elem()
	}
	faults := in.check.value(field.Interface())
	if len(faults) == 0 {
		return nil
	}
	return within(in.name, faults[0])
}

// set reads one value from text.
func set(field reflect.Value, value string) error {
	if unmarshaler, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return unmarshaler.UnmarshalText([]byte(value))
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(value)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return err
		}
		field.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(value, 10, field.Type().Bits())
		if err != nil {
			return err
		}
		field.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(value, 10, field.Type().Bits())
		if err != nil {
			return err
		}
		field.SetUint(n)
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(value, field.Type().Bits())
		if err != nil {
			return err
		}
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return errors.New("is not finite")
		}
		field.SetFloat(n)
	default:
		return fmt.Errorf("cannot bind %v", field.Type())
	}
	return nil
}

// wanted says what a value of the type looks like; a type with its own UnmarshalText says so itself in its error.
func wanted(t reflect.Type, err error) string {
	if unmarshals(t) {
		return "readable: " + err.Error()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not below 0"
	default:
		return "a whole number"
	}
}

// queryValues finds a parameter by its name, else by its name in any case: clients in use write LIMIT for limit.
func queryValues(query url.Values, name string) []string {
	if values, ok := query[name]; ok || len(query) == 0 {
		return values
	}
	for key, values := range query {
		if strings.EqualFold(key, name) {
			return values
		}
	}
	return nil
}
