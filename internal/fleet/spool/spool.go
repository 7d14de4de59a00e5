package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/neap-cloud/neap/internal/cloud"
)

// spool keeps notices on this machine's disk while the store is away, so that a crash loses none. It is a file of JSON lines, flushed to disk before add
// returns, and emptied once the store has all of it. Without a path it is kept in memory. Safe for concurrent use.
type spool struct {
	path string

	mu   sync.Mutex
	kept []spooled
	seen map[string]bool // ids of kept
	read bool            // what an earlier process left has been taken in
}

// spooled is a notice with the place in which it was given.
type spooled struct {
	Account string       `json:"account"`
	Region  string       `json:"region"`
	Notice  cloud.Notice `json:"notice"`
}

func (s spooled) place() place { return place{s.Account, s.Region} }

func (s spooled) key() string { return s.Account + "/" + s.Region + "/" + s.Notice.ID }

func newSpool(path string) *spool { return &spool{path: path, seen: map[string]bool{}} }

// add keeps notices, each once.
func (s *spool) add(p place, notices ...cloud.Notice) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	var lines bytes.Buffer
	var fresh []spooled
	for _, n := range notices {
		entry := spooled{p.Account, p.Region, n}
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

func (s *spool) keep(entry spooled) {
	if key := entry.key(); !s.seen[key] {
		s.seen[key] = true
		s.kept = append(s.kept, entry)
	}
}

// all are the notices that are kept, oldest first.
func (s *spool) all() ([]spooled, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, err
	}
	return append([]spooled(nil), s.kept...), nil
}

// drop forgets the oldest n notices, which the store has now. What came in meanwhile stays.
func (s *spool) drop(n int) error {
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
func (s *spool) load() error {
	if s.read || s.path == "" {
		return nil
	}
	text, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(whole) {
		var entry spooled
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
func (s *spool) append(lines []byte) (err error) {
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
