package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/store"
)

// keyEntry is the server key's name in a backup.
const keyEntry = "server.key"

// BackupOptions are the choices of a backup.
type BackupOptions struct {
	To  string // file; "" = a new one in the data folder's backups
	Key bool   // the server key too: whoever has the file can then make tokens
}

// Copied is what a backup or a restore was about.
type Copied struct {
	File    string
	Release string
	Schema  int64
	Driver  string
	Taken   time.Time
	Rows    int64
	Key     bool
}

// Backup writes one moment of the database to a file, whether a Neap works on it or not. The simulated cloud's own database is not part of it, as no cloud's is.
func Backup(ctx context.Context, c Config, o BackupOptions) (Copied, error) {
	if o.To == "" {
		o.To = filepath.Join(backups(c), "neap-"+time.Now().UTC().Format("20060102T150405.000")+".zip")
	}
	var extras []store.Extra
	if o.Key {
		key, err := os.ReadFile(keyFile(c))
		if err != nil {
			return Copied{}, fault.Of(fault.NotFound, "server key", "The server key %s cannot be read; leave --with-key out, or name it with --key-file.", keyFile(c)).With(err)
		}
		extras = []store.Extra{{Name: keyEntry, Content: key}}
	}
	m, err := store.Backup(ctx, stored(c), o.To, extras...)
	return copied(o.To, m), err
}

// Restore fills the data folder's database, or the one at the URL, with a backup: all of it or nothing, and only while no Neap works on it. The server key comes
// back too if the backup has it and the folder has none. What is restored only observes until it is accepted.
func Restore(ctx context.Context, c Config, from string, force bool) (done Copied, err error) {
	archive, err := store.OpenArchive(from)
	if err != nil {
		return Copied{}, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	done = copied(from, archive.Manifest)
	lock, err := claim(c.Data)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	err = archive.Restore(ctx, stored(c), store.RestoreOptions{Force: force, Mark: func(ctx context.Context, tx *store.Tx) error {
		return identity.MarkRestored(ctx, tx, archive.Taken)
	}})
	if err != nil {
		return done, err
	}
	done.Key, err = restoreKey(archive, keyFile(c))
	return done, err
}

// restoreKey puts the key into its place unless one is there: a key is never replaced unasked.
func restoreKey(archive *store.Archive, path string) (bool, error) {
	key, err := archive.Extra(keyEntry)
	if err != nil || key == nil {
		return false, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		there, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(there)) != strings.TrimSpace(string(key)) {
			err = fault.Of(fault.Conflict, "server key", "The database is restored, but %s is another key than the backup's, so no token would be valid: move it away and restore again.", path)
		}
		return false, err
	}
	if err != nil {
		return false, fmt.Errorf("restore the server key: %w", err)
	}
	_, err = file.Write(key)
	return err == nil, errors.Join(err, file.Sync(), file.Close())
}

func copied(file string, m store.Manifest) Copied {
	c := Copied{File: file, Release: m.Release, Schema: m.Schema, Driver: m.Driver, Taken: m.Taken}
	for _, t := range m.Tables {
		c.Rows += t.Rows
	}
	for _, e := range m.Extras {
		c.Key = c.Key || e.Name == keyEntry
	}
	return c
}

// stored says where a configuration's database is.
func stored(c Config) store.Config {
	s := store.Config{Log: c.Log, Hook: c.Hook, Release: c.Version, Backups: backups(c)}
	switch {
	case c.Database != "":
		s.URL = c.Database
	case c.Data != "":
		s.Path = filepath.Join(c.Data, "neap.db")
	default:
		s.Memory = true
	}
	return s
}

// backups is the folder of a data folder's backups, "" when nothing is kept.
func backups(c Config) string {
	if c.Data == "" {
		return ""
	}
	return filepath.Join(c.Data, "backups")
}

func keyFile(c Config) string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.Data, "server.key")
}
