package docker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// lines is the output of one task as it is kept: in files of which the first stays, and then the newest few. Docker's own log can't be that: it keeps no beginning,
// numbers nothing, and its readers miss lines where it moves on to another file.
type lines struct {
	dir string

	mu       sync.Mutex
	unread   bool // the files have not been looked at: nothing is added to them any more
	segments []*segment
	writer   *bufio.Writer
	file     *os.File
	last     entry     // the newest line
	first    time.Time // when the first came
}

// segment is one file.
type segment struct {
	name        string
	first, last int64
	size        int64
	marks       []mark // of every so many lines, where it begins
}

type mark struct{ n, offset int64 }

// entry is one line in a file.
type entry struct {
	N      int64  `json:"n"`
	At     int64  `json:"t"` // nanoseconds since 1970
	Out    int64  `json:"o"` // lines of stdout up to here
	Err    int64  `json:"e"` // lines of stderr up to here
	Stream int    `json:"s"`
	Text   string `json:"x"`
}

const (
	segmentSize = 2 << 20
	newestKept  = 3 // segments, with the one that is written to, beside the first
	marksEvery  = 128
	segmentEnd  = ".lines"
)

// open finds what is there; of a line that was cut off by a crash nothing is kept.
func (l *lines) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.scanAll()
}

func (l *lines) scanAll() error {
	names, err := filepath.Glob(filepath.Join(l.dir, "*"+segmentEnd))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := l.scan(name); err != nil {
			return fmt.Errorf("docker: kept output: %w", err)
		}
	}
	return nil
}

func (l *lines) scan(name string) error {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	in, s := bufio.NewReaderSize(file, 1<<16), &segment{name: name}
	for {
		raw, err := in.ReadBytes('\n')
		var e entry
		if err != nil || json.Unmarshal(raw, &e) != nil {
			break
		}
		s.add(e, int64(len(raw)))
		if l.last.N == 0 {
			l.first = time.Unix(0, e.At)
		}
		l.last = e
	}
	if s.last == 0 {
		return os.Remove(name)
	}
	l.segments = append(l.segments, s)
	return file.Truncate(s.size)
}

func (s *segment) add(e entry, size int64) {
	if s.first == 0 {
		s.first = e.N
	}
	if (e.N-s.first)%marksEvery == 0 {
		s.marks = append(s.marks, mark{n: e.N, offset: s.size})
	}
	s.last = e.N
	s.size += size
}

// count is the number of the newest line.
func (l *lines) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.N
}

// position is how far each stream has been taken down, and when the first and the newest line came.
func (l *lines) position() (newest entry, first time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.first
}

// skip leaves out a number, for lines of which nobody knows how many they were.
func (l *lines) skip() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last.N++
}

// add takes down a line. It may stand in memory until flush.
func (l *lines) add(stream int, at time.Time, text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry{N: l.last.N + 1, At: max(at.UnixNano(), l.last.At), Out: l.last.Out, Err: l.last.Err, Stream: stream, Text: text}
	if stream == stdout {
		e.Out++
	} else {
		e.Err++
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := l.room(e.N); err != nil {
		return fmt.Errorf("docker: keeping output: %w", err)
	}
	if _, err := l.writer.Write(append(raw, '\n')); err != nil {
		return errors.Join(fmt.Errorf("docker: keeping output: %w", err), l.abandon())
	}
	if l.last.N == 0 {
		l.first = time.Unix(0, e.At)
	}
	l.last = e
	l.segments[len(l.segments)-1].add(e, int64(len(raw))+1)
	return nil
}

// room opens the file that the next line goes to.
func (l *lines) room(next int64) error {
	full := len(l.segments) == 0 || l.segments[len(l.segments)-1].size >= segmentSize
	if l.file != nil && !full {
		return nil
	}
	if err := l.shut(); err != nil {
		return err
	}
	if full {
		l.segments = append(l.segments, &segment{name: filepath.Join(l.dir, fmt.Sprintf("%015d%s", next, segmentEnd))})
	}
	file, err := os.OpenFile(l.segments[len(l.segments)-1].name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	l.file, l.writer = file, bufio.NewWriterSize(file, 1<<16)
	if len(l.segments) > 1+newestKept {
		if err := os.Remove(l.segments[1].name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l.segments = slices.Delete(l.segments, 1, 2)
	}
	return nil
}

func (l *lines) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushed()
}

func (l *lines) flushed() error {
	if l.writer == nil {
		return nil
	}
	if err := l.writer.Flush(); err != nil {
		return errors.Join(fmt.Errorf("docker: keeping output: %w", err), l.abandon())
	}
	return nil
}

// abandon forgets what could not be written: what the files hold is taken from them anew, and the rest comes again from Docker's log.
func (l *lines) abandon() error {
	err := l.file.Close()
	l.file, l.writer, l.segments, l.last, l.first = nil, nil, nil, entry{}, time.Time{}
	return errors.Join(err, l.scanAll())
}

// close lets go of the file.
func (l *lines) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shut()
}

func (l *lines) shut() error {
	if l.file == nil {
		return nil
	}
	if err := l.flushed(); err != nil {
		return err
	}
	err := l.file.Close()
	l.file, l.writer = nil, nil
	return err
}

// read gives at most limit lines from the one behind number after on.
func (l *lines) read(after int64, limit int) ([]runtime.Line, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unread {
		l.unread = false
		if err := l.scanAll(); err != nil {
			return nil, err
		}
	}
	if err := l.flushed(); err != nil {
		return nil, err
	}
	var page []runtime.Line
	before := max(after, 0)
	for _, s := range l.segments {
		if s.last <= before || len(page) >= limit {
			continue
		}
		found, err := s.read(before, limit-len(page))
		if err != nil {
			return nil, fmt.Errorf("docker: kept output: %w", err)
		}
		for _, e := range found {
			page = append(page, runtime.Line{N: e.N, At: time.Unix(0, e.At), Stream: streamName(e.Stream), Text: e.Text, Dropped: e.N - before - 1})
			before = e.N
		}
	}
	return page, nil
}

func (s *segment) read(after int64, limit int) ([]entry, error) {
	file, err := os.Open(s.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var from int64
	for _, m := range s.marks {
		if m.n <= after+1 {
			from = m.offset
		}
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(file, 1<<16)
	var found []entry
	for len(found) < limit {
		raw, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if e.N > after {
			found = append(found, e)
		}
	}
	return found, nil
}

func streamName(stream int) string {
	if stream == stdout {
		return "stdout"
	}
	return "stderr"
}

// mentions says whether the newest line holds a text.
func (l *lines) mentions(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.last.Text, text)
}
