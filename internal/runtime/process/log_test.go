package process_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/process"
)

// Whatever is written, and wherever one begins to read: the lines are those that were written, and each gap is told exactly.
func TestALogGivesBackWhatItKeptAndTellsWhatItDropped(t *testing.T) {
	rapid.Check(t, func(c *rapid.T) {
		folder, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			c.Fatal(err)
		}
		head, tail := int64(rapid.IntRange(20, 9000).Draw(c, "head")), int64(rapid.IntRange(500, 3000).Draw(c, "tail"))
		log, err := process.NewLog(folder, head, tail)
		if err != nil {
			c.Fatal(err)
		}
		var wrote []string
		for range rapid.IntRange(0, 40).Draw(c, "batches") {
			var batch []string
			for range rapid.IntRange(0, 20).Draw(c, "lines") {
				batch = append(batch, fmt.Sprintf("%d %s", len(wrote)+len(batch)+1, strings.Repeat("x", rapid.IntRange(0, 60).Draw(c, "length"))))
			}
			log(batch)
			wrote = append(wrote, batch...)
		}
		if n := process.LinesOf(folder); n != int64(len(wrote)) {
			c.Fatalf("it says %d lines, %d were written", n, len(wrote))
		}
		for _, after := range []int{0, rapid.IntRange(0, len(wrote)).Draw(c, "after"), len(wrote)} {
			last, kept := int64(after), 0
			for {
				lines, err := process.ReadLog(folder, last, rapid.IntRange(1, 70).Draw(c, "limit"))
				if err != nil {
					c.Fatal(err)
				}
				if len(lines) == 0 {
					break
				}
				for _, l := range lines {
					if l.N != last+1+l.Dropped || l.Text != wrote[l.N-1] || l.Stream != "stderr" {
						c.Fatalf("after %d came %+v", last, l)
					}
					last, kept = l.N, kept+len(l.Text)+13
				}
			}
			if last != int64(len(wrote)) {
				c.Fatalf("the last line read is %d of %d", last, len(wrote))
			}
			if after == 0 && (int64(kept) > head+2*tail || int64(kept) < min(tail/2, int64(len(strings.Join(wrote, ""))))) {
				c.Fatalf("%d bytes are kept of %d + %d", kept, head, tail)
			}
		}
	})
}

func TestALogThatWasCutShortEndsBeforeTheCut(t *testing.T) {
	folder := t.TempDir()
	log, err := process.NewLog(folder, 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	log([]string{"one", "two", "three"})
	name := filepath.Join(folder, "head")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := range whole {
		if err := os.WriteFile(name, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		lines, err := process.ReadLog(folder, 0, 10)
		if want := size / 16; err != nil || len(lines) != want && size < 32 { // of 13 + 3 bytes are the first two
			t.Errorf("%d bytes: %d lines, %v", size, len(lines), err)
		}
	}
}

// However a stream is cut into pieces, the same lines come of it; together they are what was written.
func TestLinesDoNotDependOnHowAStreamIsCut(t *testing.T) {
	rapid.Check(t, func(c *rapid.T) {
		part := rapid.OneOf(rapid.SampledFrom([]string{"\n", "\r\n", "é€", "\xff", "\x00", "\xe2\x82", "a"}), rapid.Just(strings.Repeat("b", 5000)), rapid.Just(strings.Repeat("€", 4000)), rapid.Just(strings.Repeat("\xff", 7000)))
		stream := []byte(strings.Join(rapid.SliceOfN(part, 0, 12).Draw(c, "stream"), ""))
		whole := process.Split(stream)
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(rapid.IntRange(1, 6000).Draw(c, "piece"), len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if cut := process.Split(pieces...); strings.Join(cut, "\n") != strings.Join(whole, "\n") || len(cut) != len(whole) {
			c.Fatalf("%d lines of the whole, %d of the pieces", len(whole), len(cut))
		}
		for _, line := range whole {
			if len(line) > 16<<10 || !utf8.ValidString(line) || strings.ContainsAny(line, "\n\x00") {
				c.Fatalf("%d bytes are no line", len(line))
			}
		}
		want := strings.ReplaceAll(string(bytes.ReplaceAll(bytes.ReplaceAll(stream, []byte("\r\n"), []byte("\n")), []byte{0}, []byte("\uFFFD"))), "\n", "")
		var runes strings.Builder
		for _, r := range want { // an invalid byte each becomes one replacement character
			runes.WriteRune(r)
		}
		if got := strings.Join(whole, ""); got != strings.TrimSuffix(runes.String(), "\r") && got != runes.String() {
			c.Fatalf("%d bytes of %d are left", len(got), runes.Len())
		}
	})
}

func BenchmarkReadingALineInTheMiddle(b *testing.B) {
	folder := b.TempDir()
	log, err := process.NewLog(folder, 64<<20, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		batch := make([]string, 1000)
		for j := range batch {
			batch[j] = fmt.Sprintf("line %d with some text", i*1000+j)
		}
		log(batch)
	}
	var lines []runtime.Line
	for b.Loop() {
		if lines, err = process.ReadLog(folder, 700_000, 10); err != nil || len(lines) != 10 {
			b.Fatal(len(lines), err)
		}
	}
}

func BenchmarkSplitting(b *testing.B) {
	chunk := []byte(strings.Repeat("a line of some eighty bytes, as programs write them to tell what they are doing\n", 800))
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		process.Split(chunk)
	}
}

func TestALogGoesOnAfterItCouldNotBeWritten(t *testing.T) {
	folder := t.TempDir()
	log, err := process.NewLog(folder, 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	log([]string{"one"})
	process.BreakLog(t, folder, func() { log([]string{"lost", "lost"}) })
	log([]string{"four"})
	lines, err := process.ReadLog(folder, 0, 10)
	if err != nil || len(lines) != 2 || lines[1].N != 4 || lines[1].Dropped != 2 || lines[1].Text != "four" || time.Since(lines[1].At) > time.Minute {
		t.Errorf("%+v, %v", lines, err)
	}
}
