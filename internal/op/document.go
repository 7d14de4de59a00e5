package op

import (
	"encoding/json"

	"github.com/neap-cloud/neap/internal/fault"
)

// Document is a JSON object as the client sent it. Reading twice the same key is refused at decoding, as are depth and size beyond the limits.
type Document json.RawMessage

// MarshalJSON gives the document itself.
func (d Document) MarshalJSON() ([]byte, error) { return json.RawMessage(d).MarshalJSON() }

// parseDocument reads a request's body: one JSON object and nothing else.
func parseDocument(body []byte, maxDepth int) (node, error) {
	root, err := parse(body, maxDepth)
	if err != nil {
		return node{}, err
	}
	if root.kind != isObject {
		return node{}, fault.Of(fault.Invalid, "body", "The body must be a JSON object, got %s.", describe(root.value()))
	}
	return root, nil
}

// UnmarshalJSON keeps the value as it stands.
func (d *Document) UnmarshalJSON(value []byte) error {
	return (*json.RawMessage)(d).UnmarshalJSON(value)
}
