package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// overfill writes pairs until there is no room, in several goroutines at once, and returns the ids that were acknowledged.
func overfill(t *testing.T, db *store.DB, round string) (kept []string) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for n := 0; n < 20000; n++ {
				id := fmt.Sprintf("%s-%d-%05d", round, w, n)
				err := pair(db, id)
				if err != nil {
					if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Message, "full") {
						t.Errorf("a write without room: %v", err)
					}
					return
				}
				mu.Lock()
				kept = append(kept, id)
				mu.Unlock()
			}
			t.Error("the disk is never full")
		})
	}
	all.Wait()
	return kept
}

// pair writes two documents that belong together.
func pair(db *store.DB, id string) error {
	return db.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
		for _, half := range []string{"/a", "/b"} {
			if _, err := things.Insert(ctx, tx, store.Doc[thing]{Meta: store.Meta{ID: id + half, Account: "act-1", Parent: id}, Value: thing{Text: strings.Repeat("x", 3000)}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// whole checks that exactly the acknowledged pairs are there.
func whole(t *testing.T, db *store.DB, kept []string) {
	t.Helper()
	if n := seen(t, db); n != 2*len(kept) {
		t.Errorf("%d documents for %d acknowledged pairs", n, len(kept))
	}
	for _, id := range kept {
		if n, err := things.Count(t.Context(), db, store.Installation(), store.Query{Parent: id}); err != nil || n != 2 {
			t.Fatalf("pair %s has %d documents, %v", id, n, err)
		}
	}
}

func TestAFullFileRefusesWritesWholeAnswersReadsAndRecoversWithoutARestart(t *testing.T) {
	db := storetest.SQLite(t).Open(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.Limit(t.Context(), 400))
	kept := overfill(t, db, "one")
	whole(t, db, kept)
	if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "full") {
		// A probe that fits in the room that is left is a good sign and a true one.
		if err != nil || pair(db, "fits") == nil {
			t.Errorf("ready with a full file: %v", err)
		}
	}
	must(db.Limit(t.Context(), 100_000))
	must(db.Ping(t.Context()))
	must(pair(db, "two"))
	must(db.Ping(t.Context()))
	whole(t, db, append(kept, "two"))
}

// small mounts a file system of so many megabytes; "" where that is not allowed.
func small(t *testing.T, megabytes int) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=700", megabytes)); err != nil {
		t.Logf("a small file system cannot be mounted here (%v): a really full disk is not tried; a full file is, in the test above", err)
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func TestAFullDiskRefusesWritesWholeRefusesAStartWithAdviceAndRecovers(t *testing.T) {
	folder := small(t, 8)
	if folder == "" {
		return
	}
	c := store.Config{Path: filepath.Join(folder, "neap.db")}
	db := storetest.Open(t, c)
	kept := overfill(t, db, "one")
	whole(t, db, kept)
	ballast := filepath.Join(folder, "ballast")
	fillUp(t, ballast)
	if err := pair(db, "none"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a write on a full disk: %v", err)
	}
	if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "full") {
		t.Errorf("ready on a full disk: %v", err)
	}
	// A first start there is refused in words, and leaves nothing that would pass for a database.
	_, err := store.Open(t.Context(), store.Config{Path: filepath.Join(folder, "other", "neap.db")})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("a first start on a full disk: %v", err)
	}
	// So is a backup.
	if _, err := store.Backup(t.Context(), c, filepath.Join(folder, "backup.zip")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a backup on a full disk: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(folder, "backup*")); err != nil || len(left) > 0 {
		t.Errorf("the backup that did not fit left %v, %v", left, err)
	}
	if err := errors.Join(os.Remove(ballast), syscall.Mount("", folder, "", syscall.MS_REMOUNT, "size=32m")); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("not ready although there is room: %v", err)
	}
	if err := pair(db, "two"); err != nil {
		t.Errorf("a write although there is room: %v", err)
	}
	whole(t, db, append(kept, "two"))
	storetest.Open(t, store.Config{Path: filepath.Join(folder, "other", "neap.db")})
}

// fillUp writes until there is no room at all.
func fillUp(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for block := 1 << 16; block > 0; {
		if _, err := file.Write(make([]byte, block)); err != nil {
			block /= 2
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedFileIsRefusedWithTheNewestBackupsName(t *testing.T) {
	at := storetest.SQLite(t)
	db, err := store.Open(t.Context(), at.Config)
	if err != nil {
		t.Fatal(err)
	}
	furnish(t, db, 300)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	at.Config.Backups = filepath.Join(filepath.Dir(at.Config.Path), "backups")
	file := filepath.Join(at.Config.Backups, "good.zip")
	if _, err := store.Backup(t.Context(), at.Config, file); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(at.Config.Path)
	if err != nil {
		t.Fatal(err)
	}
	for what, harm := range map[string]func([]byte){
		"header": func(b []byte) { copy(b, "something else altogether") },
		"schema": func(b []byte) { flip(b[100:4096]) },
		"middle": func(b []byte) { flip(b[len(b)/2 : len(b)/2+8192]) },
	} {
		bad := append([]byte(nil), good...)
		harm(bad)
		if err := os.WriteFile(at.Config.Path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(t.Context(), at.Config)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "neap restore "+file) {
			t.Errorf("%s: %v", what, err)
		}
		after, err := os.ReadFile(at.Config.Path)
		if err != nil || string(after) != string(bad) {
			t.Errorf("%s: the damaged file was changed, %v", what, err)
		}
	}
	if err := restore(t, file, at.Config, store.RestoreOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if n := seen(t, at.Open(t)); n != 300 {
		t.Errorf("after the restore there are %d documents", n)
	}
}

func flip(b []byte) {
	for i := range b {
		b[i] ^= 0xff
	}
}

func TestDamageInALargeFileIsFoundBesideTheWork(t *testing.T) {
	at := storetest.SQLite(t)
	db, err := store.Open(t.Context(), at.Config)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		if _, err := things.Insert(t.Context(), db, store.Doc[thing]{Meta: store.Meta{ID: fmt.Sprintf("big-%02d", n)}, Value: thing{Text: strings.Repeat("x", 2<<20)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(at.Config.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	bad := make([]byte, 1<<14)
	flip(bad)
	if _, err := file.WriteAt(bad, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	db = at.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for db.Ping(ctx) == nil {
		select {
		case <-ctx.Done():
			t.Fatal("the damage is never found")
		case <-tick.C:
		}
	}
	if err := db.Ping(t.Context()); !strings.Contains(err.Error(), "damaged") {
		t.Errorf("what is said: %v", err)
	}
}
