package op

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neap-cloud/neap/internal/fault"
)

func animals(t testing.TB) *Schemas {
	t.Helper()
	s, err := NewSchemas(zooSchemas())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// faultsOf writes an error's faults as "path: sentence" lines.
func faultsOf(err error) []string {
	if err == nil {
		return nil
	}
	lead := fault.As(err)
	var lines []string
	for _, f := range append([]*fault.Error{lead}, lead.Others...) {
		lines = append(lines, strings.TrimPrefix(f.Field+": "+f.Message, ": "))
	}
	return lines
}

func TestFaultsOfADocumentAreSentencesWithPaths(t *testing.T) {
	s := animals(t)
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"a good document has none", `{"animal":{"name":"Ida","legs":4,"diet":["hay"],"cage":{"number":1,"door":"OPEN"},"size":3}}`, nil},
		{"a missing member is named", `{"animal":{}}`, []string{`animal.name: is required`}},
		{"a missing top member is named", `{}`, []string{`animal: is required`}},
		{"text is no number", `{"animal":{"name":"Ida","legs":"3"}}`, []string{`animal.legs: must be a whole number, got text "3"`}},
		{"null is no text", `{"animal":{"name":null}}`, []string{`animal.name: must be text, got null`}},
		{"a fraction is no whole number", `{"animal":{"name":"Ida","legs":1.5}}`, []string{`animal.legs: must be a whole number, got 1.5`}},
		{"a range is told", `{"animal":{"name":"Ida","legs":9}}`, []string{`animal.legs: must be at most 8, got 9`}},
		{"empty text is told", `{"animal":{"name":""}}`, []string{`animal.name: must not be empty`}},
		{"a list item is named by its place", `{"animal":{"name":"Ida","diet":["hay","fish","stone"]}}`, []string{`animal.diet[2]: must be one of "hay", "fish"; got text "stone"`}},
		{"a reference between files is followed", `{"animal":{"name":"Ida","cage":{"door":"AJAR"}}}`, []string{`animal.cage.door: must be one of "OPEN", "SHUT"; got text "AJAR"`}},
		{"alternatives of other types are told together", `{"animal":{"name":"Ida","size":"big"}}`, []string{`animal.size: must be a whole number or an object, got text "big"`}},
		{"the alternative that was meant is explained", `{"animal":{"name":"Ida","size":{"metres":"2"}}}`, []string{`animal.size.metres: must be a number, got text "2"`}},
		{"all faults are told, in order", `{"animal":{"legs":-1,"diet":"hay","cage":[]}}`, []string{
			`animal.cage: must be an object, got a list of 0 items`, `animal.diet: must be a list, got text "hay"`,
			`animal.legs: must be at least 0, got -1`, `animal.name: is required`}},
		{"a long value is shortened", `{"animal":{"name":"Ida","legs":"` + strings.Repeat("x", 200) + `"}}`, []string{`animal.legs: must be a whole number, got text "` + strings.Repeat("x", 79) + `…`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3 { // map order must not show
				err := s.Validate("animal", []byte(c.doc))
				if got := faultsOf(err); !slices.Equal(got, c.want) {
					t.Fatalf("got %q\nwant %q", got, c.want)
				}
				if err != nil && fault.KindOf(err) != fault.Invalid {
					t.Errorf("the kind is %s", fault.KindOf(err))
				}
			}
		})
	}
}

func TestEveryConstraintHasItsSentence(t *testing.T) {
	for _, c := range []struct{ schema, doc, want string }{
		{`{"properties":{"a":{"const":"x"}}}`, `{"a":1}`, `a: must be "x", got 1`},
		{`{"properties":{"a":{"exclusiveMinimum":0.5}}}`, `{"a":0.5}`, `a: must be more than 0.5, got 0.5`},
		{`{"properties":{"a":{"exclusiveMaximum":2}}}`, `{"a":2}`, `a: must be less than 2, got 2`},
		{`{"properties":{"a":{"multipleOf":5}}}`, `{"a":7}`, `a: must be a multiple of 5, got 7`},
		{`{"properties":{"a":{"minLength":3}}}`, `{"a":"é"}`, `a: must have at least 3 characters, got 1`},
		{`{"properties":{"a":{"maxLength":1}}}`, `{"a":"abc"}`, `a: must have at most 1 characters, got 3`},
		{`{"properties":{"a":{"pattern":"^x"}}}`, `{"a":"y"}`, `a: must match the pattern ^x, got text "y"`},
		{`{"properties":{"a":{"minItems":1}}}`, `{"a":[]}`, `a: must have at least 1 item, got 0`},
		{`{"properties":{"a":{"maxItems":2}}}`, `{"a":[1,2,3]}`, `a: must have at most 2 items, got 3`},
		{`{"properties":{"a":{"uniqueItems":true}}}`, `{"a":[1,2,1]}`, `a: must not repeat an item; [0] and [2] are equal`},
		{`{"properties":{"a":{"minProperties":1}}}`, `{"a":{}}`, `a: must have at least 1 member, got 0`},
		{`{"properties":{"a":{"maxProperties":1}}}`, `{"a":{"x":1,"y":2}}`, `a: must have at most 1 member, got 2`},
		{`{"properties":{"a":{"additionalProperties":false}}}`, `{"a":{"x":1}}`, `a.x: is not known here; remove it`},
		{`{"properties":{"a":false}}`, `{"a":1}`, `a: is not allowed here; remove it`},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, `b: is required when a is given`},
		{`{"properties":{"a":{"not":{"type":"string"}}}}`, `{"a":"x"}`, `a: has a value or a combination of members that is not allowed`},
		{`{"properties":{"a":{"oneOf":[{"minimum":1},{"minimum":2}]}}}`, `{"a":3}`, `a: fits more than one of the alternatives that exclude each other; give only one of them`},
		{`{"properties":{"a":{"anyOf":[{"enum":["x"]},{"enum":["y"]}]}}}`, `{"a":"z"}`, `a: must be one of "x", "y"; got text "z"`},
		{`{"properties":{"a":{"type":["integer","null"]}}}`, `{"a":true}`, `a: must be a whole number or null, got true`},
		{`{"properties":{"a":{"contains":{"const":1}}}}`, `{"a":[2]}`, `a: lacks an item that must be in the list`},
		{`{"properties":{"a":{"propertyNames":{"maxLength":1}}}}`, `{"a":{"xy":1}}`, `has a member named "xy", which is not allowed`},
		{`{"properties":{"0":{"type":"string"}}}`, `{"0":1}`, `0: must be text, got 1`},
	} {
		s, err := NewSchemas(fstest.MapFS{"x.json": {Data: []byte(c.schema)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := faultsOf(s.Validate("x", []byte(c.doc))); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s on %s: got %q, want %q", c.schema, c.doc, got, c.want)
		}
	}
}

func TestManyFaultsAreCut(t *testing.T) {
	s := animals(t)
	err := s.Validate("animal", []byte(`{"animal":{"name":"Ida","diet":[`+strings.Repeat(`1,`, 150)+`1]}}`))
	got := faultsOf(err)
	if len(got) != mostFaults+1 || !strings.Contains(got[mostFaults], "51 more") {
		t.Errorf("%d faults, the last: %s", len(got), got[len(got)-1])
	}
}

func TestPartsOfASchemaHaveNames(t *testing.T) {
	s := animals(t)
	for name, doc := range map[string]string{"animal#/$defs/animal": `{"legs":1}`, "animal.json#/$defs/animal": `{"legs":1}`} {
		if got := faultsOf(s.Validate(name, []byte(doc))); !slices.Equal(got, []string{"name: is required"}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if err := s.Validate("plant", []byte(`{}`)); fault.KindOf(err) != fault.Internal {
		t.Errorf("an unknown schema gives %v", err)
	}
}

func TestBrokenSchemaFilesAreRefusedAtStart(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":                 `{`,
		"no schema":               `{"type": "whole"}`,
		"a missing reference":     `{"$ref": "nowhere.json"}`,
		"a missing part":          `{"$ref": "#/$defs/nothing"}`,
		"a broken part":           `{"$defs": {"x": {"minimum": "a"}}}`,
		"a reference to the web":  `{"$ref": "https://example.com/x.json"}`,
		"an unused broken branch": `{"$defs": {"x": {"$ref": "gone.json"}}}`,
	} {
		if _, err := NewSchemas(fstest.MapFS{"x.json": {Data: []byte(text)}}); err == nil || !strings.Contains(err.Error(), "x") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestUnknownMembersAreFound(t *testing.T) {
	s, err := NewSchemas(fstest.MapFS{"x.json": {Data: []byte(`{
		"properties": {
			"a": {"properties": {"b": {"type": "integer"}}},
			"list": {"items": {"properties": {"k": {}}}},
			"pair": {"prefixItems": [{"properties": {"first": {}}}], "items": {"properties": {"rest": {}}}},
			"free": {"type": "object"},
			"open": {"properties": {"x": {}}, "additionalProperties": true},
			"map": {"additionalProperties": {"properties": {"v": {}}}},
			"either": {"anyOf": [{"properties": {"l": {}}}, {"allOf": [{"$ref": "#/$defs/r"}]}]}
		},
		"patternProperties": {"^x-": {}},
		"$defs": {"r": {"properties": {"r": {"$ref": "#/$defs/r"}}}}
	}`)}})
	if err != nil {
		t.Fatal(err)
	}
	doc := `{"zz":1,"a":{"b":1,"c":{"d":1}},"list":[{"k":1},{"k":1,"w":2}],"pair":[{"first":1,"rest":1},{"rest":1,"first":1}],"free":{"q":{"w":1}},
		"open":{"x":1,"y":2},"map":{"m":{"v":1,"u":1}},"either":{"l":1,"r":{"r":{"s":1}}},"x-any":{"t":1}}`
	got, err := s.UnknownMembers("x", []byte(doc))
	want := []string{"zz", "a.c", "list[1].w", "pair[0].rest", "pair[1].first", "map.m.u", "either.r.r.s"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

// sample is the largest published request of the largest dialect.
func sample(b *testing.B) []byte {
	b.Helper()
	text, err := os.ReadFile("testdata/group.json")
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// BenchmarkValidate17KB must stay below 1 ms: decoding with its checks, and validation against a schema that types every member of the document.
func BenchmarkValidate17KB(b *testing.B) {
	text := sample(b)
	root, err := parseDocument(text, 64)
	if err != nil {
		b.Fatal(err)
	}
	v := validatorOf(shapeOf(root))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		root, err := parseDocument(text, 64)
		if err != nil {
			b.Fatal(err)
		}
		if faults := v.node(root); len(faults) > 0 {
			b.Fatal(fmt.Sprint(faultsOf(fault.All(faults))))
		}
	}
}

func BenchmarkMergeIntoA17KBDocument(b *testing.B) {
	text := sample(b)
	patch := []byte(`{"group":{"capacity":{"target":7},"strategy":{"signals":null}}}`)
	for b.Loop() {
		if _, err := MergePatch(text, patch); err != nil {
			b.Fatal(err)
		}
	}
}
