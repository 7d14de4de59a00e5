package dialecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Sample is one published request and what it is answered.
type Sample struct {
	Title   string
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status int
		Body   json.RawMessage
	}
}

// Find reads the sample of this title from testdata/samples. Replacements come in pairs, as strings.NewReplacer's do: a sample names objects by ids of its own.
func Find(t *testing.T, file, title string, replacements ...string) Sample {
	t.Helper()
	content, err := os.ReadFile("testdata/samples/" + file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var all []Sample
	if err := json.Unmarshal([]byte(strings.NewReplacer(replacements...).Replace(string(content))), &all); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(s Sample) bool { return s.Title == title })
	if at < 0 {
		t.Fatalf("there is no sample %q in %s", title, file)
	}
	return all[at]
}

// Agrees compares an answer with the sample's: the same status and members, of the same types, with the same values. Members named in free may have other values,
// and null where the sample has one.
func (s Sample) Agrees(t *testing.T, status int, body []byte, free ...string) {
	t.Helper()
	var want, got any
	for text, into := range map[*[]byte]*any{(*[]byte)(&s.Response.Body): &want, &body: &got} {
		if err := json.Unmarshal(bytes.TrimSpace(*text), into); err != nil {
			t.Fatalf("%s: %v in %s", s.Title, err, *text)
		}
	}
	if status != s.Response.Status {
		t.Errorf("%s: status %d, want %d; %s", s.Title, status, s.Response.Status, body)
		return
	}
	for _, difference := range differences("", want, got, free) {
		t.Errorf("%s: %s", s.Title, difference)
	}
}

func differences(path string, want, got any, free []string) (found []string) {
	leaf := path[strings.LastIndexByte(path, '.')+1:]
	if slices.Contains(free, strings.TrimRight(leaf, "[0123456789]")) && (got == nil || reflect.TypeOf(want) == reflect.TypeOf(got)) {
		return nil
	}
	switch want := want.(type) {
	case map[string]any:
		object, is := got.(map[string]any)
		if !is || !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(object))) {
			return []string{fmt.Sprintf("%s is %v, want the members of %v", path, got, want)}
		}
		for name, value := range want {
			found = append(found, differences(path+"."+name, value, object[name], free)...)
		}
	case []any:
		list, is := got.([]any)
		if !is || len(list) != len(want) {
			return []string{fmt.Sprintf("%s is %v, want %v", path, got, want)}
		}
		for n := range want {
			found = append(found, differences(fmt.Sprintf("%s[%d]", path, n), want[n], list[n], free)...)
		}
	default:
		if want != got {
			found = append(found, fmt.Sprintf("%s is %v, want %v", path, got, want))
		}
	}
	return found
}
