package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/neap-cloud/neap/internal/fault"
)

// health remembers that the database could not take the last write for want of room, or was found damaged, until a write succeeds.
type health struct{ trouble atomic.Pointer[fault.Error] }

// note takes in how a transaction ended.
func (h *health) note(err error) {
	if err == nil {
		if h.trouble.Load() != nil {
			h.trouble.Store(nil)
		}
		return
	}
	if full(err) || damaged(err) {
		h.trouble.Store(fault.As(failure(err)))
	}
}

// probe repeats a write that changes nothing when the last one failed: a process with nothing else to write finds out that way that there is room again.
func (db *DB) probe(ctx context.Context) error {
	if db.health.trouble.Load() == nil {
		return nil
	}
	err := db.attempt(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "UPDATE schema_compat SET release = release WHERE one = 1")
		return err
	})
	if trouble := db.health.trouble.Load(); trouble != nil {
		return trouble
	}
	return err
}

// full reports whether the disk, or the operator's limit on it, left no room for a write.
func full(err error) bool {
	var lite *driver.Error
	if errors.As(err, &lite) && lite.Code()&0xff == codes.SQLITE_FULL {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "53100" || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// damaged reports whether SQLite met something in the file that cannot be.
func damaged(err error) bool {
	var lite *driver.Error
	return errors.As(err, &lite) && (lite.Code()&0xff == codes.SQLITE_CORRUPT || lite.Code()&0xff == codes.SQLITE_NOTADB)
}

// unopened says why the file cannot be opened, and what to do.
func (c Config) unopened(err error) error {
	switch {
	case full(err):
		return failure(err)
	case damaged(err):
		return c.broken(err)
	}
	return fault.Of(fault.Unavailable, "store", "The database %q cannot be opened.", c.Path).With(err)
}

// broken refuses a damaged file and names the newest backup there is.
func (c Config) broken(cause error) error {
	advice := "restore it from a backup with neap restore"
	if newest := newestBackup(c.Backups); newest != "" {
		advice = "the newest backup beside it is " + newest + "; restore it with: neap restore " + newest + " --data " + filepath.Dir(c.Path) + " --force"
	}
	return fault.Of(fault.Unavailable, "store", "The database %q is damaged, so it was not touched: %s", c.Path, advice).With(cause)
}

func newestBackup(folder string) string {
	listed, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	newest, at := "", int64(0)
	for _, f := range listed {
		info, err := f.Info()
		if err == nil && strings.HasSuffix(f.Name(), ".zip") && info.ModTime().UnixNano() > at {
			newest, at = filepath.Join(folder, f.Name()), info.ModTime().UnixNano()
		}
	}
	return newest
}

// unfinished refuses to make a new database where a restore was cut short between putting the old file aside and the new one in its place.
func unfinished(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	aside, err := filepath.Glob(path + ".replaced-*")
	if err != nil || len(aside) == 0 {
		return err
	}
	aside = slices.DeleteFunc(aside, func(name string) bool { return strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-shm") })
	if len(aside) == 0 {
		return nil
	}
	return fault.Of(fault.Conflict, "store", "A restore of the database %q was cut short: the old one is in %s, and no new one has taken its place. Repeat the restore, or give the old file (with its -wal and -shm) its name back.",
		path, slices.Max(aside))
}
