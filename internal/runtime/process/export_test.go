package process

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/neap-cloud/neap/internal/runtime"
)

// WithoutGroups makes a runtime as it is on a machine without control groups.
func (r *Runtime) WithoutGroups() {
	r.groups.removeEmpty()
	r.groups = hierarchies{}
}

// WithoutOverlay makes a runtime as it is on a machine that can't lay a folder over another.
func (r *Runtime) WithoutOverlay(err error) { r.images.able.overlay = err }

// Unpack unpacks an archive.
func Unpack(ctx context.Context, name, folder string) error {
	_, err := unpack(ctx, name, folder)
	return err
}

// NewLog makes a log, and gives what writes lines to it.
func NewLog(folder string, head, tail int64) (func([]string), error) {
	log, err := newLog(folder, room{Head: head, Tail: tail})
	return func(lines []string) { log.write(time.Now(), "stderr", lines) }, err
}

// LinesOf and ReadLog read a log.
func LinesOf(folder string) int64 { return linesOf(folder) }

func ReadLog(folder string, after int64, limit int) ([]runtime.Line, error) {
	return readLog(folder, after, limit)
}

// BreakLog lets nothing be written to large files while something happens, as a full disk would.
func BreakLog(t *testing.T, _ string, while func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 8, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	while()
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
}

// Split gives the lines of a stream that comes in pieces.
func Split(pieces ...[]byte) []string {
	var s splitter
	var lines []string
	for _, p := range pieces {
		lines = append(lines, s.take(p)...)
	}
	return append(lines, s.end()...)
}
