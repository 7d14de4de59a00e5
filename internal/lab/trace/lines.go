package trace

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// limits bound what a file may ask of memory, however small it is packed.
type limits struct {
	text   int64 // bytes, unpacked
	line   int   // bytes
	series int
}

// usual are the limits of every file; docs/traces.md states them.
func usual() limits { return limits{text: 256 << 20, line: 4096, series: 250_000} }

// lines are the rows of one file, plain or gzip, counted and digested as they are read.
type lines struct {
	name      string
	limits    limits
	in        *bufio.Reader
	digest    hash.Hash
	number    int // of the line at hand, from 1
	fields    [][]byte
	simulated bool
	skipped   []Skip
}

// open looks at the first two bytes: gzip or plain text.
func open(name string, r io.Reader, within limits) (*lines, error) {
	l := &lines{name: name, limits: within, digest: sha256.New(), number: 1}
	packed := bufio.NewReader(r)
	magic, err := packed.Peek(2)
	if err != nil && err != io.EOF {
		return nil, l.broken(err)
	}
	var text io.Reader = packed
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if text, err = gzip.NewReader(packed); err != nil {
			return nil, l.broken(err)
		}
	}
	text = &bounded{in: text, left: within.text}
	l.in = bufio.NewReaderSize(io.TeeReader(text, l.digest), max(within.line+2, 64<<10))
	l.number = 0
	return l, nil
}

var errTooLarge = errors.New("too large")

// bounded fails where more than so many bytes come, instead of ending there.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(into []byte) (int, error) {
	n, err := b.in.Read(into)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// next is the next line that is not empty, without its end; io.EOF after the last one. It holds until the next call.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.in.ReadSlice('\n')
		if len(line) == 0 && err == io.EOF {
			return nil, io.EOF
		}
		l.number++
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return nil, l.broken(err)
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(line) > l.limits.line {
			return nil, l.refuse(fmt.Errorf("the line is longer than %d characters; a row of a trace never is", l.limits.line))
		}
		if l.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // spreadsheets begin a file with it
		}
		if len(line) > 0 {
			return line, nil
		}
	}
}

// header reads the comments and the header.
func (l *lines) header() (string, error) {
	for {
		line, err := l.next()
		if err == io.EOF {
			return "", l.empty("it has no header; expected " + knownHeaders())
		}
		if err != nil {
			return "", err
		}
		comment, isComment := strings.CutPrefix(string(line), "#")
		if !isComment {
			l.split(line)
			return string(bytes.Join(l.fields, []byte(","))), nil
		}
		if words := strings.Fields(comment); len(words) > 0 && strings.EqualFold(strings.TrimRight(words[0], ".,:;"), "simulated") {
			l.simulated = true
		}
	}
}

// each hands over the fields of every row below the header; they hold until add returns. A row that is to be left out is answered with the reason why.
func (l *lines) each(header string, add func(fields [][]byte) (skip string, err error)) error {
	columns := strings.Count(header, ",") + 1
	for {
		line, err := l.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if l.split(line); len(l.fields) != columns {
			return l.refuse(fmt.Errorf("the row has %s; expected %d: %s", counted(len(l.fields), "field"), columns, header))
		}
		skip, err := add(l.fields)
		if err != nil {
			return l.refuse(err)
		}
		if skip != "" {
			l.skip(skip)
		}
	}
}

// split cuts at the commas. No field of a trace holds a comma or a quotation mark, so that quotation marks around a field are all there is to take off.
func (l *lines) split(line []byte) {
	l.fields = l.fields[:0]
	for more := true; more; {
		var field []byte
		field, line, more = bytes.Cut(line, []byte(","))
		if n := len(field); n >= 2 && field[0] == '"' && field[n-1] == '"' {
			field = field[1 : n-1]
		}
		l.fields = append(l.fields, field)
	}
}

func (l *lines) skip(why string) {
	for n := range l.skipped {
		if l.skipped[n].Why == why {
			l.skipped[n].Rows++
			return
		}
	}
	l.skipped = append(l.skipped, Skip{Why: why, Rows: 1, First: l.number})
}

// sum is the digest of all that was read.
func (l *lines) sum() string { return hex.EncodeToString(l.digest.Sum(nil)) }

// refuse says what is wrong with the line at hand.
func (l *lines) refuse(what error) error { return l.refuseAt(l.number, what) }

func (l *lines) refuseAt(number int, what error) error {
	return fault.Of(fault.Invalid, "trace", "%s, line %d: %v.", l.name, number, what)
}

// empty says that something is missing from the whole file.
func (l *lines) empty(what string) error {
	return fault.Of(fault.Invalid, "trace", "%s: %s.", l.name, what)
}

// broken says that the file itself can't be read on.
func (l *lines) broken(err error) error {
	var inside *fs.PathError
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, errTooLarge):
		return l.refuse(fmt.Errorf("the file is larger than %d MiB when unpacked; split it by zone or by time", l.limits.text>>20))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return l.refuse(errors.New("the gzip data end too early; copy the file again"))
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &corrupt):
		return l.refuse(errors.New("the gzip data are damaged; copy the file again"))
	case errors.As(err, &inside):
		err = inside.Err // its text names the path, which the sentence does already
	}
	return l.refuse(fmt.Errorf("the file can't be read: %w", err))
}

// counted is "1 field", "2 fields".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
