package identity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestReplacingTheServerKeyKeepsTokensAndSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.key")
	db := database(t)
	i := New(Config{DB: db, KeyFile: file})
	_, admin, _, err := i.Start(t.Context())
	must(t, err)
	sealed, err := i.Seal([]byte("canary"), "test")
	must(t, err)
	old, err := os.ReadFile(file)
	must(t, err)

	for range 2 { // the second time the secret stands under a key already
		must(t, i.RotateKey(t.Context(), nil))
		i = New(Config{DB: db, KeyFile: file})
		_, _, _, err = i.Start(t.Context())
		must(t, err)
		_, err = i.Authenticate(t.Context(), bearer(admin))
		must(t, err)
		plain, err := i.Open(sealed, "test")
		must(t, err)
		check(t, "secret", string(plain), "canary")
	}

	must(t, os.WriteFile(file, old, 0o600))
	_, _, _, err = New(Config{DB: db, KeyFile: file}).Start(t.Context())
	check(t, "the old key", fault.KindOf(err), fault.Conflict)
}

func TestARotationThatWasCutShortIsFinishedByTheNextStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.key")
	db := database(t)
	i := New(Config{DB: db, KeyFile: file})
	_, admin, _, err := i.Start(t.Context())
	must(t, err)
	old, err := os.ReadFile(file)
	must(t, err)
	must(t, i.RotateKey(t.Context(), nil))
	// As if the process had ended before the new key file took the place of the old one.
	must(t, os.Rename(file, nextKey(file)))
	must(t, os.WriteFile(file, old, 0o600))
	i = New(Config{DB: db, KeyFile: file})
	_, _, _, err = i.Start(t.Context())
	must(t, err)
	_, err = i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	_, err = os.Stat(nextKey(file))
	check(t, "the next key is still beside it", err == nil, false)

	// As if it had ended before the database knew the new key.
	must(t, os.WriteFile(nextKey(file), old, 0o600))
	i = New(Config{DB: db, KeyFile: file})
	_, _, _, err = i.Start(t.Context())
	must(t, err)
}

func TestAKeyInTheEnvironmentIsReplacedByAnother(t *testing.T) {
	db := database(t)
	i := New(Config{DB: db, Key: testKey})
	_, admin, _, err := i.Start(t.Context())
	must(t, err)
	next := []byte("another server key of 32 bytes!!")
	check(t, "a short key", fault.KindOf(i.RotateKey(t.Context(), []byte("short"))), fault.Invalid)
	must(t, i.RotateKey(t.Context(), next))
	i = New(Config{DB: db, Key: next})
	_, _, _, err = i.Start(t.Context())
	must(t, err)
	_, err = i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	_, _, _, err = New(Config{DB: db, Key: testKey}).Start(t.Context())
	check(t, "the old key", fault.KindOf(err), fault.Conflict)
}

func TestAResetWithANewKeyLeavesTheOldOneBehind(t *testing.T) {
	db := database(t)
	i := New(Config{DB: db, Key: testKey})
	_, _, _, err := i.Start(t.Context())
	must(t, err)
	must(t, i.RotateKey(t.Context(), []byte("another server key of 32 bytes!!")))
	lost := []byte("a third server key, 32 bytes long")
	i = New(Config{DB: db, Key: lost})
	admin, err := i.ResetAdmin(t.Context())
	must(t, err)
	i = New(Config{DB: db, Key: lost})
	_, _, _, err = i.Start(t.Context())
	must(t, err)
	_, err = i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
}
