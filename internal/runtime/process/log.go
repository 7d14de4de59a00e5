package process

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// A task's log is a few files in its folder, written by its supervisor only and read by whoever likes:
//
//	head      the first lines, up to a size: each its length, time, stream and text
//	head.at   where every strideth line of head begins, so that any line is found at once
//	tail.N    the newest lines in two files at most, the first line's number in their names; the older one goes when both are full
//	lines     the number of the newest line
//
// A record that was cut short, by a death in the middle of it, counts as never written.

const (
	stride     = 64
	prefixSize = 4 + 8 + 1
	linesFile  = "lines"
)

// room is how much of a task's output is kept.
type room struct {
	Head int64 `json:"head"` // bytes from the beginning on
	Tail int64 `json:"tail"` // at least so many of the end
}

// logWriter keeps a task's output. It is safe for concurrent use.
type logWriter struct {
	mu     sync.Mutex
	folder string
	room   room
	head   *os.File
	index  *os.File
	counts *os.File
	tail   *os.File // nil while head has room
	tails  []string // names, oldest first
	size   int64    // of head or the newest tail
	full   bool     // it takes no more, since it could not be written to
	lines  int64
	last   time.Time
	buffer []byte
}

func newLog(folder string, r room) (*logWriter, error) {
	w := &logWriter{folder: folder, room: r}
	var err error
	for _, f := range []struct {
		name string
		file **os.File
	}{{"head", &w.head}, {"head.at", &w.index}, {linesFile, &w.counts}} {
		if *f.file, err = os.OpenFile(filepath.Join(folder, f.name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// write adds lines of one stream, in one go. A full disk costs lines, not the task: the numbers go on, so that the gap shows.
func (w *logWriter) write(at time.Time, stream string, lines []string) {
	if len(lines) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if at.Before(w.last) {
		at = w.last // a clock that was put back must not make lines seem out of order
	}
	w.last = at
	for _, line := range lines {
		w.add(at, stream, line)
	}
	w.flush()
}

func (w *logWriter) add(at time.Time, stream, text string) {
	need := int64(prefixSize + len(text))
	limit := w.room.Head
	if w.tail != nil {
		limit = w.room.Tail
	}
	if w.full || w.size+need > limit {
		w.flush()
		w.turn()
	}
	if w.full {
		w.lines++
		return
	}
	if w.tail == nil && w.lines%stride == 0 {
		begins := binary.LittleEndian.AppendUint64(nil, uint64(w.size))
		if _, err := w.index.WriteAt(begins, w.lines/stride*8); err != nil {
			w.full = true
			w.lines++
			return
		}
	}
	w.buffer = binary.LittleEndian.AppendUint32(w.buffer, uint32(len(text)))
	w.buffer = binary.LittleEndian.AppendUint64(w.buffer, uint64(at.UnixNano()))
	w.buffer = append(w.buffer, stream[3]) // "stdout", "stderr"
	w.buffer = append(w.buffer, text...)
	w.size += need
	w.lines++
}

// turn begins the next file of the tail.
func (w *logWriter) turn() {
	name := filepath.Join(w.folder, fmt.Sprintf("tail.%020d", w.lines+1))
	next, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if w.full = err != nil; w.full {
		return
	}
	if w.tail != nil {
		w.tail.Close()
	}
	w.tail, w.size = next, 0
	w.tails = append(w.tails, name)
	if len(w.tails) > 2 && os.Remove(w.tails[0]) == nil {
		w.tails = w.tails[1:]
	}
}

// flush brings what was added into the file, or none of it.
func (w *logWriter) flush() {
	to := w.head
	if w.tail != nil {
		to = w.tail
	}
	if _, err := to.Write(w.buffer); err != nil {
		w.full = true
		w.size -= int64(len(w.buffer))
		_ = to.Truncate(w.size) // where even that fails a reader stops at what is cut short
	}
	w.buffer = w.buffer[:0]
	_, _ = w.counts.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(w.lines)), 0) // overwriting in place needs no room
}

// count is the number of the newest line.
func (w *logWriter) count() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines
}

// linesOf is the number of the newest line in a folder's log; 0 where there is none.
func linesOf(folder string) int64 {
	content, err := os.ReadFile(filepath.Join(folder, linesFile))
	if err != nil || len(content) < 8 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(content))
}

// readLog gives at most limit lines behind number after. It reads no more than stride lines of the head in vain, and at most the whole tail.
func readLog(folder string, after int64, limit int) ([]runtime.Line, error) {
	lines, err := readHead(folder, after, limit)
	if err != nil {
		return nil, err
	}
	if len(lines) < limit {
		last := after
		if len(lines) > 0 {
			last = lines[len(lines)-1].N
		}
		tail, err := readTail(folder, last, limit-len(lines))
		if err != nil {
			return nil, err
		}
		lines = append(lines, tail...)
	}
	for i := range lines {
		lines[i].Dropped = lines[i].N - after - 1
		after = lines[i].N
	}
	return lines, nil
}

func readHead(folder string, after int64, limit int) ([]runtime.Line, error) {
	index, err := os.Open(filepath.Join(folder, "head.at"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it has not begun
	}
	if err != nil {
		return nil, err
	}
	defer index.Close()
	var at [8]byte
	block := after / stride
	if _, err := index.ReadAt(at[:], block*8); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil // the head is shorter
		}
		return nil, err
	}
	head, err := os.Open(filepath.Join(folder, "head"))
	if err != nil {
		return nil, err
	}
	defer head.Close()
	if _, err := head.Seek(int64(binary.LittleEndian.Uint64(at[:])), io.SeekStart); err != nil {
		return nil, err
	}
	return readRecords(bufio.NewReaderSize(head, 64<<10), block*stride+1, after, limit)
}

// readTail tries again when the writer has just removed what it was about to read.
func readTail(folder string, after int64, limit int) ([]runtime.Line, error) {
	for range 100 {
		lines, err := readTails(folder, after, limit)
		if !errors.Is(err, fs.ErrNotExist) {
			return lines, err
		}
	}
	return nil, fmt.Errorf("the log in %s changes too fast to be read", folder)
}

func readTails(folder string, after int64, limit int) ([]runtime.Line, error) {
	names, err := filepath.Glob(filepath.Join(folder, "tail.*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var lines []runtime.Line
	for _, name := range names {
		first, err := strconv.ParseInt(strings.TrimPrefix(filepath.Base(name), "tail."), 10, 64)
		if err != nil {
			return nil, err
		}
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		more, err := readRecords(bufio.NewReaderSize(file, 64<<10), first, after, limit-len(lines))
		file.Close()
		if err != nil {
			return nil, err
		}
		if lines = append(lines, more...); len(lines) >= limit {
			break
		}
	}
	return lines, nil
}

// readRecords reads lines from number n on, and keeps those behind after.
func readRecords(from *bufio.Reader, n, after int64, limit int) ([]runtime.Line, error) {
	var lines []runtime.Line
	var prefix [prefixSize]byte
	for ; len(lines) < limit; n++ {
		if _, err := io.ReadFull(from, prefix[:]); err != nil {
			return lines, unlessShort(err)
		}
		size := int(binary.LittleEndian.Uint32(prefix[:]))
		if size > longestLine {
			return lines, fmt.Errorf("line %d of the log claims to have %d bytes", n, size)
		}
		if n <= after {
			if _, err := from.Discard(size); err != nil {
				return lines, unlessShort(err)
			}
			continue
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(from, text); err != nil {
			return lines, unlessShort(err)
		}
		stream := "stdout"
		if prefix[12] == 'e' {
			stream = "stderr"
		}
		lines = append(lines, runtime.Line{N: n, At: time.Unix(0, int64(binary.LittleEndian.Uint64(prefix[4:]))), Stream: stream, Text: string(text)})
	}
	return lines, nil
}

func unlessShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
