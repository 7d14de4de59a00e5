package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"

	"github.com/neap-cloud/neap/internal/fault"
)

// newSeal makes what secrets are encrypted with that must be known again later, as a hash is not enough for them.
func newSeal(secret []byte, use string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, use, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seal encrypts a secret for the database. use names what it is for and whose it is ("webhook whk-1a2b"): sealed bytes open for that use only.
func (i *Identity) Seal(plain []byte, use string) ([]byte, error) {
	key, err := i.key.load()
	if err != nil {
		return nil, err
	}
	return sealWith(key.seal, plain, use), nil
}

func sealWith(seal cipher.AEAD, plain []byte, use string) []byte {
	nonce := make([]byte, seal.NonceSize(), seal.NonceSize()+len(plain)+seal.Overhead())
	rand.Read(nonce) // never fails
	return seal.Seal(nonce, nonce, plain, []byte(use))
}

// Open decrypts what Seal made for the same use; fault.Conflict when it was made with another server key, for another use, or was changed.
func (i *Identity) Open(sealed []byte, use string) ([]byte, error) {
	key, err := i.key.load()
	if err != nil {
		return nil, err
	}
	if plain, fits := openWith(key.seal, sealed, use); fits {
		return plain, nil
	}
	return nil, fault.Of(fault.Conflict, "secret", "The stored secret cannot be opened with this server key; set it anew.")
}

func openWith(seal cipher.AEAD, sealed []byte, use string) (plain []byte, fits bool) {
	size := seal.NonceSize()
	if len(sealed) <= size {
		return nil, false
	}
	plain, err := seal.Open(nil, sealed[:size], sealed[size:], []byte(use))
	return plain, err == nil
}
