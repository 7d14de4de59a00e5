package chain

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Kinds of marks.
const (
	Began   = "began"   // the chain begins behind Seq; Hash is zero
	Sealed  = "sealed"  // a head: the entry Seq has this hash, and is the newest
	Pruned  = "pruned"  // retention has deleted everything up to Seq, which had this hash
	Rekeyed = "rekeyed" // from behind Seq on marks are signed with another key than before
	// Doubtful says that retention deleted entries that were not as they had been sealed, while Seq was the newest head.
	Doubtful = "doubtful"
	Broken   = "broken" // behind Seq the sealer did not find the head that it had signed, and went on from what was there
)

// Mark is a signed statement about a place in the chain.
type Mark struct {
	Kind      string    `json:"kind"`
	Seq       int64     `json:"seq"`
	Hash      Hash      `json:"hash"`
	At        time.Time `json:"at"`  // to the microsecond
	Key       string    `json:"key"` // KeyMark of the key that signed
	Signature []byte    `json:"signature"`
}

// Message is what is signed.
func (m *Mark) Message() []byte {
	return fmt.Appendf(nil, "neap audit mark 1\n%s\n%d\n%s\n%d\n%s\n", m.Kind, m.Seq, m.Hash, m.At.UnixMicro(), m.Key)
}

// SignedBy reports whether the mark was signed with the private half of public and is unchanged since.
func (m *Mark) SignedBy(public ed25519.PublicKey) bool {
	return len(public) == ed25519.PublicKeySize && m.Key == KeyMark(public) && ed25519.Verify(public, m.Message(), m.Signature)
}

// KeyMark tells a public key from others, in 16 hex digits.
func KeyMark(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}
