package identity

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
)

// newSigner makes the key that this installation's statements about itself are signed with. It is derived from the server key.
func newSigner(server []byte) (ed25519.PrivateKey, error) {
	seed, err := hkdf.Key(sha256.New, server, nil, "neap: signatures of the audit", ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Sign signs a message. Whoever holds the database, but not the server key, cannot.
func (i *Identity) Sign(message []byte) (signature []byte, err error) {
	key, err := i.key.load()
	if err != nil {
		return nil, err
	}
	return ed25519.Sign(key.signer, message), nil
}

// PublicKey is what Sign's signatures are verified with. It is no secret.
func (i *Identity) PublicKey() (ed25519.PublicKey, error) {
	key, err := i.key.load()
	if err != nil {
		return nil, err
	}
	return key.signer.Public().(ed25519.PublicKey), nil
}
