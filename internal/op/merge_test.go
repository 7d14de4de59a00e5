package op

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestMergePatchFollowsItsRules(t *testing.T) {
	for _, c := range []struct{ name, target, patch, want string }{
		{"a value replaces", `{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{"a new member goes last", `{"b":1,"a":2}`, `{"c":3,"a":4}`, `{"b":1,"a":4,"c":3}`},
		{"null removes", `{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{"null of what is not there changes nothing", `{"b":2}`, `{"a":null}`, `{"b":2}`},
		{"a list replaces a list as a whole", `{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{"null inside a list stays", `{"a":[1]}`, `{"a":[null,{"b":null}]}`, `{"a":[null,{"b":null}]}`},
		{"objects merge", `{"a":{"x":1,"y":2}}`, `{"a":{"y":null,"z":{"q":null,"r":1}}}`, `{"a":{"x":1,"z":{"r":1}}}`},
		{"an object replaces a scalar, without its nulls", `{"a":"text"}`, `{"a":{"b":null,"c":1}}`, `{"a":{"c":1}}`},
		{"an object replaces a list", `{"a":[1,2]}`, `{"a":{}}`, `{"a":{}}`},
		{"a scalar replaces an object", `{"a":{"b":1}}`, `{"a":0}`, `{"a":0}`},
		{"empty values are set", `{"a":1,"b":true,"c":"x","d":[1]}`, `{"a":0,"b":false,"c":"","d":[]}`, `{"a":0,"b":false,"c":"","d":[]}`},
		{"numbers keep their spelling", `{"a":1.10,"b":1e2,"c":12345678901234567890}`, `{"d":0.30}`, `{"a":1.10,"b":1e2,"c":12345678901234567890,"d":0.30}`},
		{"text keeps its spelling", `{"a":"\u00e9\/<>","b":1}`, `{"b":"\u003c"}`, `{"a":"\u00e9\/<>","b":"\u003c"}`},
		{"keys are compared by meaning, not by spelling", `{"\u0061":1,"b":2}`, `{"a":3}`, `{"\u0061":3,"b":2}`},
		{"space goes", "{ \"a\" : [ 1 , 2 ] }", ` { "b" : 1 } `, `{"a":[1,2],"b":1}`},
		{"an empty patch changes nothing", `{"a":1}`, `{}`, `{"a":1}`},
		{"a patch that is no object replaces all", `{"a":1}`, `[1]`, `[1]`},
		{"a target that is no object is replaced", `[1]`, `{"a":1,"b":null}`, `{"a":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := MergePatch([]byte(c.target), []byte(c.patch))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
	for _, broken := range []string{``, `{`, `{"a":1,"a":2}`, `{"a":1} x`} {
		if got, err := MergePatch([]byte(`{}`), []byte(broken)); err == nil {
			t.Errorf("the patch %q was accepted: %s", broken, got)
		}
		if got, err := MergePatch([]byte(broken), []byte(`{}`)); err == nil {
			t.Errorf("the target %q was accepted: %s", broken, got)
		}
	}
}

// values draws JSON values of a few keys, so that targets and patches meet.
func values() *rapid.Generator[any] {
	key := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Just[any](true), rapid.Just[any](""), rapid.Just[any](json.Number("1.50")), rapid.Just[any](json.Number("7")),
	)
	value := scalar
	for range 3 {
		value = rapid.OneOf(scalar, rapid.Map(rapid.MapOfN(key, value, 0, 4), func(m map[string]any) any { return m }),
			rapid.Map(rapid.SliceOfN(value, 0, 2), func(l []any) any { return l }))
	}
	return value
}

// plainMerge is the RFC's own recursion, on maps.
func plainMerge(target, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	old, _ := target.(map[string]any)
	merged := map[string]any{}
	for key, value := range old {
		merged[key] = value
	}
	for key, value := range change {
		if value == nil {
			delete(merged, key)
		} else {
			merged[key] = plainMerge(merged[key], value)
		}
	}
	return merged
}

func written(t interface{ Fatal(...any) }, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func read(t interface{ Fatal(...any) }, text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(string(text), err)
	}
	return value
}

func TestMergePatchAgreesWithTheRFC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, patch := values().Draw(t, "target"), values().Draw(t, "patch")
		got, err := MergePatch(written(t, target), written(t, patch))
		if err != nil {
			t.Fatal(err)
		}
		if want := plainMerge(target, patch); !reflect.DeepEqual(read(t, got), read(t, written(t, want))) {
			t.Fatalf("got %s, want %s", got, written(t, want))
		}
		again, err := MergePatch(got, written(t, patch))
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("applied twice it gives %s, %v; once %s", again, err, got)
		}
	})
}

func FuzzMergePatch(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":{"b":1}}`, `{"a":{"b":null}}`}, {`{"a":[1.10]}`, `{"a":null,"b":{"c":null}}`}, {`[]`, `{}`}, {`{"\u0061":1}`, `{"a":1e2}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, target, patch []byte) {
		got, err := MergePatch(target, patch)
		if err != nil {
			return
		}
		if want := plainMerge(read(t, target), read(t, patch)); !reflect.DeepEqual(read(t, got), want) {
			t.Fatalf("%s with %s gives %s, want %s", target, patch, got, written(t, want))
		}
	})
}
