package op

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestParsedDocumentsReadAsEncodingJSONReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := written(t, values().Draw(t, "value"))
		n, err := parse(text, mergeDepth)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(n.value(), read(t, text)) {
			t.Fatalf("%s reads as %v", text, n.value())
		}
		if rebuilt := n.rebuilt().append(nil); !bytes.Equal(rebuilt, text) {
			t.Fatalf("%s is written as %s", text, rebuilt)
		}
	})
}

// rebuilt forgets the source of objects and lists, so that append has to compose them.
func (n node) rebuilt() node {
	if n.kind != isObject && n.kind != isArray {
		return n
	}
	out := node{kind: n.kind}
	for _, m := range n.members {
		m.value = m.value.rebuilt()
		out.members = append(out.members, m)
	}
	for _, item := range n.items {
		out.items = append(out.items, item.rebuilt())
	}
	return out
}

func TestRepeatedKeysAreFoundInLargeObjectsToo(t *testing.T) {
	for _, size := range []int{1, 11, 12, 13, 40} {
		var members []string
		for i := range size {
			members = append(members, fmt.Sprintf(`"k%d":%d`, i, i))
		}
		good := "{" + strings.Join(members, ",") + "}"
		if _, err := parse([]byte(good), 3); err != nil {
			t.Errorf("%d distinct keys: %v", size, err)
		}
		for _, twice := range []int{0, size / 2, size - 1} {
			bad := fmt.Sprintf(`{"list":[0,{%s,"k%d":1}]}`, strings.Join(members, ","), twice)
			_, err := parse([]byte(bad), 5)
			if known := fault.As(err); err == nil || known.Field != fmt.Sprintf("list[1].k%d", twice) {
				t.Errorf("k%d twice among %d: %v", twice, size, err)
			}
		}
	}
}

func TestDepthIsCountedInLevels(t *testing.T) {
	for depth := 1; depth < 6; depth++ {
		text := strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth)
		if _, err := parse([]byte(text), depth); err != nil {
			t.Errorf("%s at limit %d: %v", text, depth, err)
		}
		if _, err := parse([]byte(text), depth-1); err == nil {
			t.Errorf("%s passed the limit %d", text, depth-1)
		}
	}
}

// FuzzParse holds the decoder to encoding/json: it accepts nothing that encoding/json refuses, and reads the same values.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+3,"x\u00e9\ud83d\ude00\n",true,false,null,{}],"b":{"c":[]}}`, `{"a":1,"\u0061":2}`, "{\"a\":\"\xff\"}", `[[[[]]]]`, ` {} x`, `"\ud800"`, `1e999`, `{"a" : 1 , "b" : [ ] }`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parse(text, 50)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v is no Invalid", text, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q was accepted", text)
		}
		if !reflect.DeepEqual(n.value(), read(t, text)) {
			t.Fatalf("%q reads as %v", text, n.value())
		}
	})
}
