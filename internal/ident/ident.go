// Package ident makes the names of things.
//
// It owns the shape of ids and their randomness. It must not know what the ids name. Start reading at New.
package ident

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// New returns prefix + "-" + 8 hex digits ("sig-1a2b3c4d"). 32 random bits can clash: insert, and retry with another on fault.Exists.
func New(prefix string) string { return prefix + "-" + Hex(4) }

// Hex returns 2n random hex digits.
func Hex(n int) string {
	bytes := make([]byte, n)
	// crypto/rand.Read never fails: it ends the process when the system has no randomness.
	rand.Read(bytes)
	return hex.EncodeToString(bytes)
}

// UUID returns a random version 4 UUID.
func UUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
