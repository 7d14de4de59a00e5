package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestAgesAreShortAndRightAtTheirEdges(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 119 * time.Second: "119s", 2 * time.Minute: "2m00s", 10*time.Minute - time.Second: "9m59s", 10 * time.Minute: "10m",
		2 * time.Hour: "2h00m", 47*time.Hour + 59*time.Minute: "47h59m", 50 * time.Hour: "2d02h", -5 * time.Second: "in 5s",
	} {
		if got := age(noon(), noon().Add(-d)); got != want {
			t.Errorf("%v: %q, not %q", d, got, want)
		}
	}
	if got := age(noon(), time.Time{}); got != "" {
		t.Errorf("an unknown time: %q", got)
	}
}

func TestMoneyIsSummedExactly(t *testing.T) {
	tenths := make([]json.Number, 10)
	for i := range tenths {
		tenths[i] = "0.1"
	}
	if got := dollars(sum(tenths)); got != "$1.0000" {
		t.Error(got)
	}
	if got := saved("0.25", "1"); got != "75.0%" {
		t.Error(got)
	}
	if got := saved("0", "0"); got != "" {
		t.Error(got)
	}
	if got := saved("", "1"); got != "" {
		t.Error(got)
	}
}

func TestYAMLHoldsWhatTheJSONHeld(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any { return drawJSON(t, 3) })
	rapid.Check(t, func(t *rapid.T) {
		raw, err := json.Marshal(value.Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := writeYAML(&out, raw); err != nil {
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

func TestControlCharactersCannotReachATerminal(t *testing.T) {
	if got := oneLine("a\x1b[2Jb\nc\td\u009b0m"); got != "a[2Jb c d0m" {
		t.Errorf("%q", got)
	}
}

func TestMembersShowNestedThingsUnderTheirPath(t *testing.T) {
	var out bytes.Buffer
	if err := writeMembers(&out, []byte(`{"a":{"b":1,"c":[{"d":true},"x","y"],"e":null}}`)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "a.b       1\na.c[0].d  true\na.c       x, y\n" {
		t.Errorf("%q", got)
	}
}
