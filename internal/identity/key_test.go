package identity

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestAKeyFileIsMadeOnceForItsOwnerOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server-key")
	const starts = 16
	marks := make(chan string, starts)
	var all sync.WaitGroup
	for range starts {
		all.Go(func() {
			made, err := newKeyring(nil, nil, file).make()
			if err != nil {
				t.Error(err)
				return
			}
			marks <- made.mark
		})
	}
	all.Wait()
	close(marks)
	first := <-marks
	for mark := range marks {
		check(t, "mark", mark, first)
	}
	info, err := os.Stat(file)
	must(t, err)
	check(t, "mode", info.Mode().Perm(), 0o600)
	left, err := os.ReadDir(filepath.Dir(file))
	must(t, err)
	check(t, "files left", len(left), 1)
}

func TestLoadingMakesNoKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server-key")
	_, err := newKeyring(nil, nil, file).load()
	check(t, "kind", fault.KindOf(err), fault.Unavailable)
	if _, err := os.Stat(file); err == nil {
		t.Error("loading made a key file")
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(folder, name)
		must(t, os.WriteFile(file, []byte(content), 0o600))
		return file
	}
	for name, c := range map[string]struct {
		ring *keyring
		want fault.Kind
	}{
		"no key at all":     {newKeyring(nil, nil, ""), fault.Invalid},
		"two keys":          {newKeyring(nil, testKey, write("fine", "00")), fault.Invalid},
		"a short key":       {newKeyring(nil, []byte("short"), ""), fault.Invalid},
		"a short key file":  {newKeyring(nil, nil, write("short", "abcd\n")), fault.Invalid},
		"no hex":            {newKeyring(nil, nil, write("text", "let me in")), fault.Unavailable},
		"an empty key file": {newKeyring(nil, nil, write("empty", "")), fault.Invalid},
	} {
		_, err := c.ring.make()
		check(t, name, fault.KindOf(err), c.want)
	}
}

func TestHashesDependOnTheKeyAndTheText(t *testing.T) {
	one, err := newKey(testKey, testKey)
	must(t, err)
	two, err := newKey([]byte("ffffffffffffffffffffffffffffffff"), []byte("ffffffffffffffffffffffffffffffff"))
	must(t, err)
	a, b := mint().text, mint().text
	check(t, "the same again", one.hash(a), one.hash(a))
	if one.hash(a) == one.hash(b) || one.hash(a) == two.hash(a) {
		t.Error("different inputs give the same hash")
	}
}
