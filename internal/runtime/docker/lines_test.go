package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// cut runs bytes through a splitter in pieces of the given sizes, over and over.
func cut(data []byte, sizes []int) []string {
	var got []string
	var s splitter
	emit := func(_ time.Time, text string) { got = append(got, text) }
	for n := 0; len(data) > 0; n++ {
		size := min(sizes[n%len(sizes)], len(data))
		s.write(time.Unix(1, 0), data[:size], emit)
		data = data[size:]
	}
	s.end(time.Unix(2, 0), emit)
	return got
}

func TestTheSameBytesGiveTheSameLinesHoweverTheyAreCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"\n", "a", "é€", "\xff", "\xe2\x82", strings.Repeat("x", 9000), strings.Repeat("€", 6000), "\r\n", "😀"}), 0, 12).Draw(t, "parts")
		data := []byte(strings.Join(parts, ""))
		sizes := rapid.SliceOfN(rapid.IntRange(1, 20000), 1, 4).Draw(t, "sizes")
		whole, pieces := cut(data, []int{len(data) + 1}), cut(data, sizes)
		if !slices.Equal(whole, pieces) {
			t.Fatalf("%d lines whole, %d in pieces", len(whole), len(pieces))
		}
		for _, line := range whole {
			if len(line) > longestLine || !utf8.ValidString(line) || strings.Contains(line, "\n") {
				t.Fatalf("a line of %d bytes", len(line))
			}
		}
		if utf8.Valid(data) && strings.Join(whole, "") != strings.ReplaceAll(string(data), "\n", "") {
			t.Fatal("something got lost")
		}
	})
}

// framed is data in Docker's form.
func framed(stream byte, data string) []byte {
	header := make([]byte, 8)
	header[0] = stream
	binary.BigEndian.PutUint32(header[4:], uint32(len(data)))
	return append(header, data...)
}

func TestAnEntryOfTheLogGetsTheLineEndThatItLacks(t *testing.T) {
	full := strings.Repeat("y", entrySize)
	var in bytes.Buffer
	for _, text := range []string{"one\n", "", full, "rest", "last"} {
		in.Write(framed(1, "2026-01-02T03:04:05.123456789Z "+text))
	}
	f := &frames{in: bufio.NewReader(&in), stamped: true}
	var got []string
	for {
		one, err := f.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || one.at.Nanosecond() != 123456789 {
			t.Fatalf("%+v, %v", one.at, err)
		}
		got = append(got, string(one.data))
	}
	if want := []string{"one\n", "\n", full, "rest\n", "last\n"}; !slices.Equal(got, want) {
		t.Errorf("%.60q", got)
	}
}

func TestOutputInAnUnknownFormIsAnError(t *testing.T) {
	for what, data := range map[string][]byte{"stream": framed(7, "x"), "time": framed(1, "yesterday x"), "length": {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}} {
		f := &frames{in: bufio.NewReader(bytes.NewReader(data)), stamped: true}
		if _, err := f.next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", what, err)
		}
	}
	cutOff := &frames{in: bufio.NewReader(bytes.NewReader(framed(1, "hello")[:10]))}
	if _, err := cutOff.next(); !errors.Is(err, io.EOF) {
		t.Errorf("cut off: %v", err)
	}
}

func kept(t *testing.T) *lines {
	t.Helper()
	l := &lines{dir: t.TempDir()}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func fill(t *testing.T, l *lines, count int) {
	t.Helper()
	for n := range count {
		if err := l.add(stdout+n%2, time.Unix(int64(n), 0), fmt.Sprintf("%07d%s", l.count()+1, strings.Repeat("z", 200))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOutputIsBoundedAndKeepsItsBeginningAndItsEnd(t *testing.T) {
	l := kept(t)
	fill(t, l, 60_000)
	files, err := filepath.Glob(filepath.Join(l.dir, "*"))
	if err != nil || len(files) != 1+newestKept {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var size int64
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > (1+newestKept)*(segmentSize+(1<<15)) {
		t.Errorf("it takes %d bytes", size)
	}
	begin, err := l.read(0, 10)
	if err != nil || len(begin) != 10 || begin[0].N != 1 || begin[0].Dropped != 0 {
		t.Fatalf("%+v, %v", begin, err)
	}
	gap, err := l.read(l.segments[0].last, 2)
	if err != nil || len(gap) != 2 || gap[0].Dropped == 0 || gap[0].N != l.segments[0].last+1+gap[0].Dropped || gap[1].Dropped != 0 {
		t.Fatalf("%+v, %v", gap, err)
	}
	end, err := l.read(59_999, 10)
	if err != nil || len(end) != 1 || end[0].N != 60_000 || !strings.HasPrefix(end[0].Text, "0060000") {
		t.Fatalf("%+v, %v", end, err)
	}
}

func TestASuccessorGoesOnBehindTheLastWholeLine(t *testing.T) {
	l := kept(t)
	fill(t, l, 20_001)
	before, err := l.read(0, 30_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.flush(); err != nil {
		t.Fatal(err)
	}
	last := l.segments[len(l.segments)-1].name
	file, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"n":20002,"x":"cut o`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	next := &lines{dir: l.dir}
	if err := next.open(); err != nil {
		t.Fatal(err)
	}
	newest, first := next.position()
	if newest.N != 20_001 || newest.Out != 10_001 || newest.Err != 10_000 || !first.Equal(time.Unix(0, 0)) {
		t.Errorf("it stands at %+v since %v", newest, first)
	}
	if err := next.add(stdout, time.Unix(0, 0), "more"); err != nil {
		t.Fatal(err)
	}
	after, err := next.read(0, 30_000)
	if err != nil || len(after) != 20_002 || !slices.Equal(after[:20_001], before) {
		t.Fatalf("%d lines, %v", len(after), err)
	}
	if got := after[20_001]; got.Text != "more" || got.At.Before(after[20_000].At) {
		t.Errorf("the line behind is %+v, which comes after %v", got, after[20_000].At)
	}
	if err := next.close(); err != nil {
		t.Fatal(err)
	}
}

// replayed runs a log over what was taken down before.
func replayed(t *testing.T, l *lines, log []byte) []string {
	t.Helper()
	k := &keeper{Runtime: &Runtime{watches: newWatches()}, task: &task{lines: l}}
	c := k.replay(bytes.NewReader(log))
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	page, err := l.read(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range page {
		got = append(got, fmt.Sprintf("%d:%d:%s", line.N, line.Dropped, line.Text))
	}
	return got
}

// entryAt is an entry of the log.
func entryAt(stream byte, second int64, text string) []byte {
	return framed(stream, time.Unix(second, 0).UTC().Format(time.RFC3339Nano)+" "+text+"\n")
}

func TestTheLogFillsInWhatWasMissedAndNothingTwice(t *testing.T) {
	l := kept(t)
	// Live, the second stream was a little earlier than in the log.
	for n, line := range []struct {
		stream int
		text   string
	}{{stderr, "e1"}, {stdout, "o1"}, {stderr, "e2"}} {
		if err := l.add(line.stream, time.Unix(100+int64(n), 0), line.text); err != nil {
			t.Fatal(err)
		}
	}
	var log []byte
	for n, line := range []struct {
		stream byte
		text   string
	}{{1, "o1"}, {1, "o2"}, {2, "e1"}, {2, "e2"}, {2, "e3"}} {
		log = append(log, entryAt(line.stream, 99+int64(n), line.text)...)
	}
	want := []string{"1:0:e1", "2:0:o1", "3:0:e2", "4:0:o2", "5:0:e3"}
	for range 2 {
		if got := replayed(t, l, log); !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

func TestALogThatLostItsBeginningLeavesAGap(t *testing.T) {
	l := kept(t)
	for n := range int64(3) {
		if err := l.add(stdout, time.Unix(100+n, 0), fmt.Sprint("old", n)); err != nil {
			t.Fatal(err)
		}
	}
	overlapping := append(entryAt(1, 102, "old2"), entryAt(1, 103, "new")...)
	if got, want := replayed(t, l, overlapping), []string{"1:0:old0", "2:0:old1", "3:0:old2", "4:0:new"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if got := replayed(t, l, entryAt(1, 200, "much later")); got[len(got)-1] != "6:1:much later" {
		t.Fatalf("%q", got)
	}
}
