package plan

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Change is one value of the intent.
type Change struct {
	Path   string
	Before json.RawMessage // nil = was not there
	After  json.RawMessage // nil = is no longer there
}

// Differences compares the encoding of an intent of old with one of now, value by value, in the order of their paths.
func Differences(before json.RawMessage, now Intent) []Change {
	after, err := json.Marshal(now)
	if err != nil {
		return nil
	}
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	flatten("", before, was)
	flatten("", after, is)
	paths := map[string]bool{}
	for p := range was {
		paths[p] = true
	}
	for p := range is {
		paths[p] = true
	}
	var list []Change
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if !bytes.Equal(was[p], is[p]) {
			list = append(list, Change{p, was[p], is[p]})
		}
	}
	return list
}

// flatten writes the values of a document under their paths; lists are values.
func flatten(path string, text json.RawMessage, into map[string]json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || len(members) == 0 {
		into[path] = text
		return
	}
	for name, value := range members {
		flatten(joined(path, name), value, into)
	}
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
