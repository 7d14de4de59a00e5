// Package chain is the arithmetic of a log in which nothing can be changed, removed or moved unnoticed.
//
// It owns the hash of an entry, the links between entries, signed marks, and the search for what does not fit. It must not know where a log is kept: the server
// and the command line verify with the same code. Start reading at Link and Walk.
package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256. As text it is 64 hex digits.
type Hash [sha256.Size]byte

// String is the hash as text.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash as text.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText wrote, and nothing else.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("a hash is %d hex digits, not %d characters", hex.EncodedLen(len(h)), len(text))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return err
	}
	for _, c := range text {
		if c >= 'A' && c <= 'F' {
			return fmt.Errorf("a hash has small letters only, not %c", c) // one hash has one text, so that no change of it passes
		}
	}
	return nil
}

// Entry is an entry of the log, letter by letter as it is stored. At is in microseconds since 1970.
type Entry struct {
	Seq      int64  `json:"seq"`
	ID       string `json:"id"`
	Account  string `json:"account"`
	Resource string `json:"resource"`
	Kind     string `json:"kind"`
	At       int64  `json:"at"`
	Doc      string `json:"doc"`
}

// append writes the entry so that no two entries give the same bytes: every text comes after its length.
func (e *Entry) append(to []byte) []byte {
	for _, text := range [...]string{e.ID, e.Account, e.Resource, e.Kind, e.Doc} {
		to = binary.BigEndian.AppendUint64(to, uint64(len(text)))
		to = append(to, text...)
	}
	to = binary.BigEndian.AppendUint64(to, uint64(e.At))
	return binary.BigEndian.AppendUint64(to, uint64(e.Seq))
}

// Digester computes digests one after the other. The zero value is ready; not safe for concurrent use.
type Digester struct{ bytes []byte }

// Digest is D(n), the hash of an entry alone.
func (d *Digester) Digest(e *Entry) Hash {
	d.bytes = e.append(d.bytes[:0])
	return sha256.Sum256(d.bytes)
}

// Link is H(n), the hash of an entry and of all before it, from H(n-1) and D(n).
func Link(before, digest Hash) Hash {
	var both [2 * sha256.Size]byte
	copy(both[:], before[:])
	copy(both[sha256.Size:], digest[:])
	return sha256.Sum256(both[:])
}
