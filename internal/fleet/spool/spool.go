// Package spool keeps interruption notices on this machine's disk while the store is away.
//
// It owns the file, and the watch that fills and empties it. It must not know the store: it is told how to ask for it. Start reading at File, then Watch.
package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Place is one region of one account: where notices, prices and instances are looked for.
type Place struct{ Account, Region string }

func (p Place) String() string { return p.Account + "/" + p.Region }

// PlaceOf reads what String wrote.
func PlaceOf(text string) Place {
	account, region, _ := strings.Cut(text, "/")
	return Place{account, region}
}

// File keeps notices, so that a crash loses none: JSON lines, flushed to disk before Add returns, and emptied once the store has all of them. Without a path it
// is kept in memory. Safe for concurrent use.
type File struct {
	path string

	mu   sync.Mutex
	kept []Entry
	seen map[string]bool // ids of kept
	read bool            // what an earlier process left has been taken in
}

// Entry is a notice with the place in which it was given.
type Entry struct {
	Account string       `json:"account"`
	Region  string       `json:"region"`
	Notice  cloud.Notice `json:"notice"`
}

// Place is where the notice was given.
func (s Entry) Place() Place { return Place{s.Account, s.Region} }

func (s Entry) key() string { return s.Account + "/" + s.Region + "/" + s.Notice.ID }

// New keeps notices in the file of that path, or with "" in memory.
func New(path string) *File { return &File{path: path, seen: map[string]bool{}} }

// Add keeps notices, each once. When it returns they are on the disk.
func (s *File) Add(p Place, notices ...cloud.Notice) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	var lines bytes.Buffer
	var fresh []Entry
	for _, n := range notices {
		entry := Entry{p.Account, p.Region, n}
		if s.seen[entry.key()] {
			continue
		}
		line, err := json.Marshal(entry)
		if err != nil {
			return fmt.Errorf("encode notice %s: %w", n.ID, err)
		}
		lines.Write(append(line, '\n'))
		fresh = append(fresh, entry)
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := s.append(lines.Bytes()); err != nil {
		return fmt.Errorf("keep %d notices in the spool: %w", len(fresh), err)
	}
	for _, entry := range fresh {
		s.keep(entry)
	}
	return nil
}

func (s *File) keep(entry Entry) {
	if key := entry.key(); !s.seen[key] {
		s.seen[key] = true
		s.kept = append(s.kept, entry)
	}
}

// All are the notices that are kept, oldest first.
func (s *File) All() ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, err
	}
	return append([]Entry(nil), s.kept...), nil
}

// Drop forgets the oldest n notices, which the store has now. What came in meanwhile stays.
func (s *File) Drop(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.kept[n:]
	s.kept, s.seen = nil, map[string]bool{}
	var lines bytes.Buffer
	for _, entry := range rest {
		line, err := json.Marshal(entry)
		if err != nil {
			return fmt.Errorf("encode notice %s: %w", entry.Notice.ID, err)
		}
		lines.Write(append(line, '\n'))
		s.keep(entry)
	}
	if s.path == "" {
		return nil
	}
	if lines.Len() == 0 {
		return os.Truncate(s.path, 0)
	}
	if err := os.Remove(s.path); err != nil {
		return err
	}
	return s.append(lines.Bytes())
}

// load takes in what an earlier process left. A last line that a crash cut off was never promised to anybody, and is left out. The lock is held.
func (s *File) load() error {
	if s.read || s.path == "" {
		return nil
	}
	text, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(whole) {
		var entry Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("the spool %s can't be read: move it away after looking into it: %w", s.path, err)
		}
		s.keep(entry)
	}
	if len(whole) < len(text) {
		if err := os.Truncate(s.path, int64(len(whole))); err != nil {
			return err
		}
	}
	s.read = true
	return nil
}

// append writes lines and waits until they are on the disk. The lock is held.
func (s *File) append(lines []byte) (err error) {
	if s.path == "" {
		return nil
	}
	_, missing := os.Stat(s.path)
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := file.Write(lines); err != nil {
		return errors.Join(err, file.Truncate(info.Size())) // no half line may stand before the next one
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if missing == nil {
		return nil
	}
	folder, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
