package identity

import (
	"bytes"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestASealedSecretOpensForItsUseAndKeyOnly(t *testing.T) {
	ours := New(Config{Key: bytes.Repeat([]byte{1}, keySize)})
	theirs := New(Config{Key: bytes.Repeat([]byte{2}, keySize)})
	sealed, err := ours.Seal([]byte("canary"), "webhook whk-1")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("canary")) {
		t.Error("the sealed bytes show the secret")
	}
	if again, err := ours.Seal([]byte("canary"), "webhook whk-1"); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealing twice shows that two secrets are the same: %v", err)
	}
	if plain, err := ours.Open(sealed, "webhook whk-1"); err != nil || string(plain) != "canary" {
		t.Errorf("opened: %q, %v", plain, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another key": func() ([]byte, error) { return theirs.Open(sealed, "webhook whk-1") },
		"another use": func() ([]byte, error) { return ours.Open(sealed, "webhook whk-2") },
		"changed":     func() ([]byte, error) { return ours.Open(changed, "webhook whk-1") },
		"cut short":   func() ([]byte, error) { return ours.Open(sealed[:5], "webhook whk-1") },
		"nothing":     func() ([]byte, error) { return ours.Open(nil, "webhook whk-1") },
	} {
		if plain, err := open(); !fault.Is(err, fault.Conflict) || plain != nil {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
}
