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

// health remembers that the database could not take a write for want of room, or was found damaged, until a probe shows that this is over. A small write that
// happens to find room does not prove that the next one will.
type health struct{ trouble atomic.Pointer[fault.Error] }

// note takes in why a transaction failed.
func (h *health) note(err error) {
	if full(err) || damaged(err) {
		h.trouble.Store(fault.As(failure(err)))
	}
}

// probe looks, after trouble, whether there is room again: by a write that changes nothing, and on SQLite by one that takes as much room as a busy second.
func (db *DB) probe(ctx context.Context) error {
	trouble := db.health.trouble.Load()
	if trouble == nil {
		return nil
	}
	if damaged(trouble) || errors.Is(trouble, errDamaged) {
		return trouble // nothing that is written mends it
	}
	err := db.engine.room()
	if err == nil {
		err = db.attempt(ctx, touch)
	}
	if err != nil {
		return trouble
	}
	db.health.trouble.CompareAndSwap(trouble, nil)
	return nil
}

// TryWrite fails while the database takes no writes. It changes nothing.
func (db *DB) TryWrite(ctx context.Context) error { return db.Tx(ctx, touch) }

func touch(ctx context.Context, tx *Tx) error {
	_, err := tx.Exec(ctx, "UPDATE schema_compat SET release = release WHERE one = 1")
	return err
}

// probeSize is the room that has to be free before a file that was full takes part again.
const probeSize = 1 << 20

func (p *postgres) room() error { return nil } // the probing write asks the server

func (s *sqlite) room() error {
	name := s.path + ".probe"
	defer func() { _ = os.Remove(name) }() // the next probe writes it anew
	return os.WriteFile(name, make([]byte, probeSize), 0o600)
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

// errDamaged marks what a check found, as opposed to what a statement met.
var errDamaged = errors.New("the file is damaged")

// checkBeside checks a file that is too large to be checked before the start, while it is being used; what it finds is said in the log and by Ping.
func (s *sqlite) checkBeside(db *DB, c Config) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s.unchecked = func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		err := verdict(ctx, s.readers, c)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.Log.Error("the database is damaged", "error", err)
		found := fault.As(failure(err))
		db.health.trouble.Store(fault.Of(found.Kind, found.Noun, "%s", found.Message).With(errors.Join(errDamaged, err)))
	}()
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
