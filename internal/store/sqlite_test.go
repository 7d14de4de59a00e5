package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func TestAFileKeepsItsDocumentsAndIsItsOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder", "50% odd?#&name.db")
	db, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	insert(t, db, newBoat("act-1", "b-1"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if n := count(t, storetest.Open(t, store.Config{Path: path})); n != 1 {
		t.Errorf("%d boats after opening again", n)
	}
}

func TestOpeningASmallFileTakesNoTimeToSpeakOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "neap.db")
	storetest.Open(t, store.Config{Path: path})
	quickest := time.Hour
	for range 5 { // the machine may be busy: the best counts
		began := time.Now()
		storetest.Open(t, store.Config{Path: path})
		quickest = min(quickest, time.Since(began))
	}
	if quickest > 100*time.Millisecond {
		t.Errorf("took %v", quickest)
	}
}

func TestADamagedFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "neap.db")
	db, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	insert(t, db, newBoat("act-1", "b-1"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"not a database":      bytes.Repeat([]byte("hello "), 4000),
		"an overwritten page": append(append(append([]byte{}, data[:8192]...), bytes.Repeat([]byte{0xa5}, 4096)...), data[12288:]...),
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(t.Context(), store.Config{Path: path})
		if err == nil {
			t.Errorf("%s was opened", name)
			db.Close()
			continue
		}
		wantKind(t, err, fault.Unavailable)
	}
}

func TestProcessesMayOpenAnEmptyFileTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "neap.db")
	var opening sync.WaitGroup
	for range 4 {
		opening.Go(func() {
			db, err := store.Open(t.Context(), store.Config{Path: path})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	opening.Wait()
}

func TestExactlyOnePlaceMustBeGiven(t *testing.T) {
	for _, c := range []store.Config{{}, {Path: "x", Memory: true}, {Path: "x", URL: "y"}, {URL: "postgres://127.0.0.1:nonsense"}} {
		_, err := store.Open(t.Context(), c)
		wantKind(t, err, fault.Invalid)
	}
	_, err := store.Open(t.Context(), store.Config{URL: "postgres://neap@127.0.0.1:1/neap?connect_timeout=1"})
	wantKind(t, err, fault.Unavailable)
}

func TestMemoryLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	db, err := store.Open(t.Context(), store.Config{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}
