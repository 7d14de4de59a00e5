package identity

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

const wrapping = "neap: the secret under the server key"

// nextKey is where a new server key stands until the database knows it.
func nextKey(file string) string { return file + ".next" }

// unwrap gives the secret that keys are derived from, and the server key that it stands under: the given one, or one that was about to replace it when a
// rotation was cut short. A server key that does not fit is its own secret; Start refuses it by its mark.
func (r *keyring) unwrap(server []byte) (right, secret []byte, err error) {
	if r.db == nil {
		return server, server, nil
	}
	doc, err := installations.Get(context.Background(), r.db, store.Installation(), self)
	if fault.Is(err, fault.NotFound) || err == nil && doc.Value.Wrapped == nil {
		return server, server, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if secret, fits, err := unwrapped(server, doc.Value.Wrapped); err != nil || fits {
		return server, secret, err
	}
	if r.file == "" {
		return server, server, nil
	}
	next, err := readKey(nextKey(r.file))
	if errors.Is(err, fs.ErrNotExist) {
		return server, server, nil
	}
	if err != nil {
		return nil, nil, err
	}
	secret, fits, err := unwrapped(next, doc.Value.Wrapped)
	if err != nil || !fits {
		return server, server, err
	}
	return next, secret, r.replace()
}

func unwrapped(server, wrapped []byte) (secret []byte, fits bool, err error) {
	seal, err := newSeal(server, wrapping)
	if err != nil {
		return nil, false, err
	}
	secret, fits = openWith(seal, wrapped, self)
	return secret, fits, nil
}

// replace puts the next key file in the place of the present one.
func (r *keyring) replace() error {
	return errors.Join(os.Rename(nextKey(r.file), r.file), syncFolder(filepath.Dir(r.file)))
}

// RotateKey replaces the server key: all tokens and sealed secrets stay valid, and the old key opens nothing any more. With a key file the new key is made and
// written there; without one it is next. Replicas that run go on; their next start needs the new key.
func (i *Identity) RotateKey(ctx context.Context, next []byte) error {
	k, err := i.key.load()
	if err != nil {
		return err
	}
	if i.key.file != "" {
		next = make([]byte, keySize)
		rand.Read(next) // never fails
		if err := writeWhole(nextKey(i.key.file), hex.EncodeToString(next)+"\n"); err != nil {
			return fault.Of(fault.Unavailable, "server key", "The new server key cannot be written to %s.", nextKey(i.key.file)).With(err)
		}
	}
	if len(next) < keySize {
		return fault.Of(fault.Invalid, "server key", "The new server key has %d bytes; it needs at least %d.", len(next), keySize)
	}
	seal, err := newSeal(next, wrapping)
	if err != nil {
		return err
	}
	mark, err := markOf(next)
	if err != nil {
		return err
	}
	err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		doc, err := installations.Get(ctx, tx, store.Installation(), self)
		if err != nil {
			return err
		}
		if doc.Value.KeyMark != k.mark {
			return fault.Of(fault.Conflict, "server key", "The server key is not the one of this database; nothing was changed.")
		}
		doc.Value.KeyMark, doc.Value.Wrapped = mark, sealWith(seal, k.secret, self)
		_, err = installations.Update(ctx, tx, doc)
		return err
	})
	if err != nil || i.key.file == "" {
		return err
	}
	return i.key.replace()
}

// writeWhole writes a file for its owner's eyes only, whole or not at all, over one that is there.
func writeWhole(file, text string) error {
	draft, err := os.CreateTemp(filepath.Dir(file), ".server-key-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = draft.WriteString(text)
	return errors.Join(err, draft.Sync(), draft.Close(), os.Rename(draft.Name(), file), syncFolder(filepath.Dir(file)))
}
