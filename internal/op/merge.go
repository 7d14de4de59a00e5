package op

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// mergeDepth bounds the documents that MergePatch reads; requests are held to a smaller limit before.
const mergeDepth = 1000

// MergePatch applies an RFC 7396 merge patch to a document: null removes, arrays replace, objects merge. Key order of the target is kept, new
// keys follow in the order of the patch, and values that the patch does not name keep their spelling. The result has no insignificant space.
func MergePatch(target, patch []byte) ([]byte, error) {
	old, err := parse(target, mergeDepth)
	if err != nil {
		return nil, fmt.Errorf("target of the merge: %w", err)
	}
	change, err := parse(patch, mergeDepth)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(target) + len(patch))
	// Compacting well-formed text into memory cannot fail.
	err = json.Compact(&out, merge(old, change).append(nil))
	return out.Bytes(), err
}

func merge(old, change node) node {
	if change.kind != isObject {
		return change
	}
	merged := node{kind: isObject}
	named := make(map[string]node, len(change.members))
	for _, m := range change.members {
		named[m.key] = m.value
	}
	known := make(map[string]bool, len(old.members))
	for _, m := range old.members { // none when old is not an object, as the RFC wants
		known[m.key] = true
		to, ok := named[m.key]
		switch {
		case !ok:
			merged.members = append(merged.members, m)
		case to.kind != isNull:
			m.value = merge(m.value, to)
			merged.members = append(merged.members, m)
		}
	}
	for _, m := range change.members {
		if !known[m.key] && m.value.kind != isNull {
			m.value = merge(node{}, m.value)
			merged.members = append(merged.members, m)
		}
	}
	return merged
}
