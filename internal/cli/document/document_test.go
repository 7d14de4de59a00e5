package document

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestYAMLHoldsWhatTheJSONHeld(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any { return drawJSON(t, 3) })
	rapid.Check(t, func(t *rapid.T) {
		raw, err := json.Marshal(value.Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := YAML(&out, raw); err != nil {
			t.Fatal(err)
		}
		var back any
		if err := yaml.Unmarshal(out.Bytes(), &back); err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
		again, err := json.Marshal(back)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, again) {
			t.Fatalf("%s became %s through\n%s", raw, again, out.String())
		}
	})
}

// drawJSON makes values that are easily mistaken for others in YAML.
func drawJSON(t *rapid.T, depth int) any {
	text := rapid.OneOf(rapid.SampledFrom([]string{"yes", "no", "null", "~", "1", "1.5", "0x1f", "2026-03-01", "- a", "a: b", "", " ", "#", "@x", "\n", "é😀", "true", "on", "=", "<<"}), rapid.StringN(0, 8, 16))
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		return rapid.IntRange(-1000000, 1000000).Draw(t, "int")
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return nil
	case 3, 4:
		return strings.ToValidUTF8(text.Draw(t, "text"), "")
	case 5:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, drawJSON(t, depth-1))
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "size") {
		object[rapid.StringMatching(`[a-z]{1,5}|yes|1|null|<<`).Draw(t, "name")] = drawJSON(t, depth-1)
	}
	return object
}

func TestMembersShowNestedThingsUnderTheirPath(t *testing.T) {
	var out bytes.Buffer
	if err := Members(&out, []byte(`{"a":{"b":1,"c":[{"d":true},"x","y"],"e":null}}`)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "a.b       1\na.c[0].d  true\na.c       x, y\n" {
		t.Errorf("%q", got)
	}
}

func TestADifferenceInSpellingAloneIsSaidToBeOne(t *testing.T) {
	lines, err := Difference([]byte(`{"a":1}`), []byte(`{ "a": 1 }`))
	if err != nil || len(lines) != 1 || !strings.Contains(lines[0], "spelling") {
		t.Errorf("%v %v", lines, err)
	}
}
