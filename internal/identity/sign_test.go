package identity

import (
	"bytes"
	"crypto/ed25519"
	"testing"
)

func TestWhatTheServerKeySignsIsVerifiedWithItsPublicKeyAndNoOther(t *testing.T) {
	message := []byte("up to here")
	var first ed25519.PublicKey
	var signature []byte
	for n, c := range []struct {
		fill  byte
		valid bool
	}{{1, true}, {1, true}, {2, false}} {
		i := New(Config{Key: bytes.Repeat([]byte{c.fill}, keySize)})
		public, err := i.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = public
			if signature, err = i.Sign(message); err != nil {
				t.Fatal(err)
			}
		}
		if got := ed25519.Verify(public, message, signature); got != c.valid || public.Equal(first) != c.valid {
			t.Errorf("with server key %d the signature counts: %t", c.fill, got)
		}
	}
	if ed25519.Verify(first, []byte("up to there"), signature) {
		t.Error("another message has the same signature")
	}
}

func TestWithoutTheServerKeyNothingIsSigned(t *testing.T) {
	i := New(Config{KeyFile: t.TempDir() + "/none"})
	if _, err := i.Sign(nil); err == nil {
		t.Error("signed")
	}
	if _, err := i.PublicKey(); err == nil {
		t.Error("there is a public key")
	}
}
