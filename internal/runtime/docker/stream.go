package docker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// The streams of a task, as Docker numbers them.
const (
	stdout = 1
	stderr = 2
)

// frame is a piece of one stream.
type frame struct {
	stream int
	at     time.Time
	data   []byte
}

// frames reads the form in which Docker sends two streams over one connection: eight bytes of header, then a piece.
type frames struct {
	in *bufio.Reader
	// stamped says that this is the kept log: every piece begins with its time, and is one entry of the log.
	stamped bool
	buffer  []byte
}

// longestFrame is more than Docker ever sends at once.
const longestFrame = 1 << 20

// next gives the next piece, which is valid until the one after; io.EOF at the end.
func (f *frames) next() (frame, error) {
	var header [8]byte
	if _, err := io.ReadFull(f.in, header[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF // it was cut off; what is missing comes again from the log
		}
		return frame{}, err
	}
	length := int(binary.BigEndian.Uint32(header[4:]))
	if header[0] > stderr || length > longestFrame {
		return frame{}, fmt.Errorf("docker: output in a form that is not known: stream %d, %d bytes", header[0], length)
	}
	if cap(f.buffer) < length+1 {
		f.buffer = make([]byte, length+1)
	}
	data := f.buffer[:length]
	if _, err := io.ReadFull(f.in, data); err != nil {
		return frame{}, io.EOF
	}
	got := frame{stream: max(int(header[0]), stdout), data: data}
	if !f.stamped {
		got.at = time.Now()
		return got, nil
	}
	return logEntry(got)
}

// entrySize is where Docker cuts a line without end into several entries of its log.
const entrySize = 16 << 10

// logEntry takes the time off, and restores the line end that some versions leave out behind the last piece of a long line, and behind a last line without one.
func logEntry(f frame) (frame, error) {
	stamp, text, found := strings.Cut(string(f.data[:min(len(f.data), 64)]), " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if !found || err != nil {
		return frame{}, fmt.Errorf("docker: an entry of the log without a time: %.20q", text)
	}
	f.at, f.data = at, f.data[len(stamp)+1:]
	if len(f.data) < entrySize && (len(f.data) == 0 || f.data[len(f.data)-1] != '\n') {
		f.data = append(f.data, '\n')
	}
	return f, nil
}

// longestLine is how much of a line is one; more of it is another.
const longestLine = 16 << 10

// splitter makes lines of what one stream brings. The same bytes give the same lines, however they are cut into pieces.
type splitter struct {
	line  strings.Builder
	at    time.Time
	begun bool
	rest  []byte // the beginning of a character
}

func (s *splitter) write(at time.Time, data []byte, emit func(at time.Time, text string)) {
	if len(s.rest) > 0 {
		data = append(s.rest, data...)
		s.rest = nil
	}
	for len(data) > 0 {
		if data[0] == '\n' {
			s.open(at)
			s.emit(emit)
			data = data[1:]
			continue
		}
		if data[0] < utf8.RuneSelf {
			s.open(at)
			n := s.plain(data)
			if n == 0 {
				s.emit(emit)
				continue
			}
			s.line.Write(data[:n])
			data = data[n:]
			continue
		}
		if !utf8.FullRune(data) {
			s.rest = append([]byte(nil), data...)
			return
		}
		r, size := utf8.DecodeRune(data)
		s.put(at, r, emit)
		data = data[size:]
	}
}

// plain counts the simple characters at the beginning of data that still fit.
func (s *splitter) plain(data []byte) int {
	room := min(len(data), longestLine-s.line.Len())
	for i := range room {
		if data[i] >= utf8.RuneSelf || data[i] == '\n' {
			return i
		}
	}
	return room
}

func (s *splitter) put(at time.Time, r rune, emit func(time.Time, string)) {
	if s.line.Len()+utf8.RuneLen(r) > longestLine {
		s.emit(emit)
	}
	s.open(at)
	s.line.WriteRune(r)
}

func (s *splitter) open(at time.Time) {
	if !s.begun {
		s.begun, s.at = true, at
	}
}

func (s *splitter) emit(emit func(time.Time, string)) {
	emit(s.at, s.line.String())
	s.line.Reset()
	s.begun = false
}

// end gives the last line when it has no line end.
func (s *splitter) end(at time.Time, emit func(time.Time, string)) {
	if len(s.rest) > 0 {
		for range s.rest {
			s.put(at, utf8.RuneError, emit)
		}
		s.rest = nil
	}
	if s.begun {
		s.emit(emit)
	}
}
