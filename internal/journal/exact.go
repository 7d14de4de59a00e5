package journal

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
)

// exact is bytes that come back as they were, inside a JSON document. A json.RawMessage would not: encoding reformats it. Compressed, because the markets that
// plans are made on are large and repetitive.
type exact []byte

// MarshalJSON writes the compressed bytes in base64.
func (e exact) MarshalJSON() ([]byte, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(e); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return json.Marshal(packed.Bytes())
}

// UnmarshalJSON restores the bytes.
func (e *exact) UnmarshalJSON(data []byte) error {
	var packed []byte
	if err := json.Unmarshal(data, &packed); err != nil {
		return err
	}
	content, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	*e = content
	return err
}
