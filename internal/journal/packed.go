package journal

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"

	"github.com/klauspost/compress/flate" // compress/flate's form, in half of its time
)

// packed is compressed bytes, base64 in JSON. They come back as they were; a json.RawMessage would not, because encoding reformats it. Compressed, because the
// markets that plans are made on are large and repetitive.
type packed []byte

// packer uses its writers again: each is more than half a megabyte, far more than what is packed.
type packer struct{ writers sync.Pool }

func (p *packer) pack(content []byte) (packed, error) {
	var small bytes.Buffer
	w, again := p.writers.Get().(*flate.Writer)
	if again {
		w.Reset(&small)
	} else {
		var err error
		if w, err = flate.NewWriter(&small, flate.BestSpeed); err != nil {
			return nil, err
		}
	}
	defer p.writers.Put(w)
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err := w.Close()
	return small.Bytes(), err
}

func (p packed) unpack() (json.RawMessage, error) {
	return io.ReadAll(flate.NewReader(bytes.NewReader(p)))
}
