package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"

	"github.com/neap-cloud/neap/internal/fault"
)

// newSeal makes what secrets are encrypted with that must be known again later, as a hash is not enough for them. It is derived from the server key.
func newSeal(server []byte) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, server, nil, "neap: secrets that are known again", keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
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
	nonce := make([]byte, key.seal.NonceSize(), key.seal.NonceSize()+len(plain)+key.seal.Overhead())
	rand.Read(nonce) // never fails
	return key.seal.Seal(nonce, nonce, plain, []byte(use)), nil
}

// Open decrypts what Seal made for the same use; fault.Conflict when it was made with another server key, for another use, or was changed.
func (i *Identity) Open(sealed []byte, use string) ([]byte, error) {
	key, err := i.key.load()
	if err != nil {
		return nil, err
	}
	if size := key.seal.NonceSize(); len(sealed) > size {
		if plain, err := key.seal.Open(nil, sealed[:size], sealed[size:], []byte(use)); err == nil {
			return plain, nil
		}
	}
	return nil, fault.Of(fault.Conflict, "secret", "The stored secret cannot be opened with this server key; set it anew.")
}
