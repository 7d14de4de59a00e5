package identity

import (
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

const (
	keySize  = 32
	hashSize = sha256.Size
)

// key is what tokens are hashed and secrets are sealed with. All of it is derived from one secret, which is the first server key, or stands in the database
// under the present one: so the server key can be replaced without making tokens void.
type key struct {
	secret []byte
	mark   string // of the server key
	seal   cipher.AEAD
	signer ed25519.PrivateKey
	hashes sync.Pool // of hash.Hash
}

func newKey(server, secret []byte) (*key, error) {
	hashing, err := hkdf.Key(sha256.New, secret, nil, "neap: hashes of tokens", keySize)
	if err != nil {
		return nil, err
	}
	mark, err := markOf(server)
	if err != nil {
		return nil, err
	}
	seal, err := newSeal(secret, "neap: secrets that are known again")
	if err != nil {
		return nil, err
	}
	signer, err := newSigner(secret)
	if err != nil {
		return nil, err
	}
	return &key{secret: secret, mark: mark, seal: seal, signer: signer, hashes: sync.Pool{New: func() any { return hmac.New(sha256.New, hashing) }}}, nil
}

func markOf(server []byte) (string, error) {
	mark, err := hkdf.Key(sha256.New, server, nil, "neap: mark of the server key", 8)
	return hex.EncodeToString(mark), err
}

// hash is the keyed hash of a token's text.
func (k *key) hash(text string) (sum [hashSize]byte) {
	h, _ := k.hashes.Get().(hash.Hash)
	defer k.hashes.Put(h)
	h.Reset()
	var buffer [tokenSize]byte
	// A hash.Hash never returns an error from Write.
	h.Write(buffer[:copy(buffer[:], text)])
	h.Sum(sum[:0])
	return sum
}

// keyring holds the server key once it is known.
type keyring struct {
	db    *store.DB
	given []byte
	file  string
	mu    sync.RWMutex
	known *key
}

func newKeyring(db *store.DB, given []byte, file string) *keyring {
	return &keyring{db: db, given: given, file: file}
}

// load reads the key where it is kept.
func (r *keyring) load() (*key, error) { return r.open(readKey) }

// make reads the key, or makes one where there is none.
func (r *keyring) make() (*key, error) {
	return r.open(func(file string) ([]byte, error) {
		server, err := readKey(file)
		if errors.Is(err, fs.ErrNotExist) {
			return makeKey(file)
		}
		return server, err
	})
}

func (r *keyring) open(read func(file string) ([]byte, error)) (*key, error) {
	r.mu.RLock()
	known := r.known
	r.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil {
		return r.known, nil
	}
	server := r.given
	switch {
	case (len(r.given) == 0) == (r.file == ""):
		return nil, fault.Of(fault.Invalid, "server key", "Say where the server key is: exactly one of a key file and a key.")
	case r.file != "":
		var err error
		if server, err = read(r.file); err != nil {
			return nil, fault.Of(fault.Unavailable, "server key", "The server key cannot be read from %s; without it no token can be checked.", r.file).With(err)
		}
	}
	if len(server) < keySize {
		return nil, fault.Of(fault.Invalid, "server key", "The server key has %d bytes; it needs at least %d.", len(server), keySize)
	}
	server, secret, err := r.unwrap(server)
	if err != nil {
		return nil, err
	}
	made, err := newKey(server, secret)
	r.known = made
	return made, err
}

// readKey reads a key file: hex digits on one line.
func readKey(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(strings.TrimSpace(string(text)))
}

// makeKey writes a new key file, whole or not at all, and never over another one: of several that start at once, one wins and all use its key.
func makeKey(file string) ([]byte, error) {
	server := make([]byte, keySize)
	// crypto/rand.Read never fails.
	rand.Read(server)
	draft, err := os.CreateTemp(filepath.Dir(file), ".server-key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	_, err = draft.WriteString(hex.EncodeToString(server) + "\n")
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err == nil {
		err = os.Link(draft.Name(), file)
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err := errors.Join(err, os.Remove(draft.Name()), syncFolder(filepath.Dir(file))); err != nil {
		return nil, err
	}
	return readKey(file)
}

// syncFolder makes a new name in a folder survive a crash.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
