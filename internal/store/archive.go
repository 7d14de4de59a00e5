package store

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// A backup is a zip file that any tool opens. Each table is a text of one JSON array per line, the first of which names the columns; texts of documents are kept
// letter by letter. The manifest comes last and holds the SHA-256 of every other entry, so a file that was cut short or changed is noticed before it is used.
const (
	archiveFormat = 1
	manifestName  = "manifest.json"
	tableFolder   = "tables/"
	extraFolder   = "extra/"
)

// Manifest says what a backup holds.
type Manifest struct {
	Format  int       `json:"format"`
	Release string    `json:"release"` // of the Neap that took it
	Schema  int64     `json:"schema"`  // newest migration of the database
	Driver  string    `json:"driver"`  // of the database; it restores into either kind
	Taken   time.Time `json:"taken"`   // wall time of the snapshot
	Tables  []Entry   `json:"tables"`
	Extras  []Entry   `json:"extras,omitempty"`
}

// Entry is one part of a backup.
type Entry struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows,omitempty"` // of a table
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// archiveWriter writes a backup beside its final place, and moves it there when it is whole.
type archiveWriter struct {
	path string
	file *os.File
	zip  *zip.Writer
}

func newArchive(path string) (*archiveWriter, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fault.Of(fault.Exists, "backup", "There is a file %s already; choose another name.", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.Of(fault.Unavailable, "backup", "The folder of %s cannot be made.", path).With(err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*") // for its owner only
	if err != nil {
		return nil, fault.Of(fault.Unavailable, "backup", "The backup %s cannot be written.", path).With(err)
	}
	return &archiveWriter{path: path, file: file, zip: zip.NewWriter(file)}, nil
}

// entry writes one part through fill and describes it.
func (a *archiveWriter) entry(folder, name string, fill func(io.Writer) error) (Entry, error) {
	part, err := a.zip.CreateHeader(&zip.FileHeader{Name: folder + name, Method: zip.Deflate, Modified: time.Now().UTC()})
	if err != nil {
		return Entry{}, err
	}
	sum := summed{hash: sha256.New()}
	buffered := bufio.NewWriterSize(io.MultiWriter(part, &sum), 1<<16)
	if err := errors.Join(fill(buffered), buffered.Flush()); err != nil {
		return Entry{}, err
	}
	return Entry{Name: name, Bytes: sum.bytes, SHA256: hex.EncodeToString(sum.hash.Sum(nil))}, nil
}

// finish adds the manifest, brings everything to the disk, and only then gives the file its name.
func (a *archiveWriter) finish(m Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if _, err = a.entry("", manifestName, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	if err := errors.Join(a.zip.Close(), a.file.Sync(), a.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(a.file.Name(), a.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(a.path))
}

// abandon removes what was written.
func (a *archiveWriter) abandon() {
	_ = a.file.Close() // closed already, or of no use any more
	_ = os.Remove(a.file.Name())
}

type summed struct {
	hash  hash.Hash
	bytes int64
}

func (s *summed) Write(p []byte) (int, error) {
	s.bytes += int64(len(p))
	return s.hash.Write(p)
}

// syncFolder makes renames in a folder outlast a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Archive is an opened backup whose every byte has been checked.
type Archive struct {
	Manifest
	path string
	zip  *zip.ReadCloser
}

// OpenArchive opens a backup and checks all of it before anything is used. fault.Invalid for a file that is damaged, cut short, or no backup of Neap.
func OpenArchive(path string) (_ *Archive, err error) {
	reader, err := zip.OpenReader(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fault.Of(fault.NotFound, "backup", "There is no file %s.", path)
		}
		return nil, fault.Of(fault.Invalid, "backup", "The file %s is no backup, or was cut short; use another one.", path).With(err)
	}
	a := &Archive{path: path, zip: reader}
	defer func() {
		if err != nil {
			err = errors.Join(err, reader.Close())
		}
	}()
	text, err := a.read(manifestName)
	if err == nil {
		err = json.Unmarshal(text, &a.Manifest)
	}
	if err != nil {
		return nil, a.damaged(manifestName, err)
	}
	if a.Format != archiveFormat {
		return nil, fault.Of(fault.Invalid, "backup", "The backup %s has format %d, and this release reads format %d; use the release that made it (%s), or a newer one.", path, a.Format, archiveFormat, a.Release)
	}
	for _, e := range a.Tables {
		if err := a.check(tableFolder, e, true); err != nil {
			return nil, err
		}
	}
	for _, e := range a.Extras {
		if err := a.check(extraFolder, e, false); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Close lets go of the file.
func (a *Archive) Close() error { return a.zip.Close() }

// Extra is a part beside the tables, such as the server key; nil when the backup has none of this name.
func (a *Archive) Extra(name string) ([]byte, error) {
	for _, e := range a.Extras {
		if e.Name == name {
			return a.read(extraFolder + name)
		}
	}
	return nil, nil
}

func (a *Archive) check(folder string, e Entry, lines bool) error {
	part, err := a.zip.Open(folder + e.Name)
	if err != nil {
		return a.damaged(e.Name, err)
	}
	defer part.Close()
	sum := summed{hash: sha256.New()}
	counted := newlines{}
	if _, err := io.Copy(io.MultiWriter(&sum, &counted), part); err != nil {
		return a.damaged(e.Name, err)
	}
	switch {
	case sum.bytes != e.Bytes, hex.EncodeToString(sum.hash.Sum(nil)) != e.SHA256:
		return a.damaged(e.Name, errors.New("its checksum is not the manifest's"))
	case lines && counted.n != e.Rows+1:
		return a.damaged(e.Name, fmt.Errorf("it has %d lines for %d rows", counted.n, e.Rows))
	}
	return nil
}

func (a *Archive) damaged(part string, cause error) error {
	return fault.Of(fault.Invalid, "backup", "The backup %s is damaged (%s); nothing was changed. Use another one.", a.path, part).With(cause)
}

func (a *Archive) read(name string) ([]byte, error) {
	part, err := a.zip.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(part)
	return text, errors.Join(err, part.Close())
}

type newlines struct{ n int64 }

func (l *newlines) Write(p []byte) (int, error) {
	l.n += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// rows hands every row of a table to take, in order. Numbers come as int64, texts as string, missing values as nil.
func (a *Archive) rows(ctx context.Context, table string, begin func(columns []string) error, take func(values []any) error) error {
	part, err := a.zip.Open(tableFolder + table)
	if err != nil {
		return a.damaged(table, err)
	}
	defer part.Close()
	lines := json.NewDecoder(bufio.NewReaderSize(part, 1<<16))
	lines.UseNumber()
	var columns []string
	if err := lines.Decode(&columns); err != nil {
		return a.damaged(table, err)
	}
	if err := begin(columns); err != nil {
		return err
	}
	for lines.More() {
		if err := ctx.Err(); err != nil {
			return err
		}
		values := make([]any, 0, len(columns))
		if err := lines.Decode(&values); err != nil || len(values) != len(columns) {
			return a.damaged(table, err)
		}
		for n, v := range values {
			if number, is := v.(json.Number); is {
				if values[n], err = number.Int64(); err != nil {
					return a.damaged(table, err)
				}
			}
		}
		if err := take(values); err != nil {
			return err
		}
	}
	return nil
}
