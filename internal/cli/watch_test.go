package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/clock"
)

// frames is a writer that tells of every frame, so that a test knows when one was drawn.
type frames struct {
	mu    sync.Mutex
	all   bytes.Buffer
	drawn chan string
}

func (f *frames) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drawn <- string(p)
	return f.all.Write(p)
}

// watch follows a sequence of fetches with a clock that the test steps; next gives each frame.
func watch(t *testing.T, terminal bool, fetch func(n int) (page, error)) (next func() string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	manual := clock.NewManual(noon())
	out := &frames{drawn: make(chan string, 1)}
	s := &shell{watch: true, world: World{Clock: manual, Terminal: terminal}}
	cmd := &cobra.Command{}
	cmd.SetOut(out)
	cmd.SetContext(ctx)
	done := make(chan error, 1)
	n := 0
	go func() {
		done <- s.show(cmd, func(context.Context) (page, error) {
			n++
			return fetch(n)
		})
	}()
	first := true
	next = func() string {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for {
			if !first {
				manual.Advance(watchEvery)
			}
			select {
			case frame := <-out.drawn:
				first = false
				return frame
			case <-deadline:
				t.Fatal("no frame was drawn")
			case <-time.After(time.Millisecond): // the follower may not have asked the clock yet
			}
		}
	}
	end = func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			return errors.New("watching did not end")
		}
	}
	return next, end
}

func textPage(text string) page {
	return page{raw: []byte(`"x"`), text: func(w io.Writer, _ bool) error {
		_, err := io.WriteString(w, text)
		return err
	}}
}

func TestWatchRedrawsInPlaceOnATerminal(t *testing.T) {
	next, end := watch(t, true, func(n int) (page, error) { return textPage("a" + number(n) + "\nb\n"), nil })
	if got := next(); got != "\x1b[2J\x1b[Ha1\x1b[K\nb\x1b[K\n\x1b[J" {
		t.Errorf("%q", got)
	}
	if got := next(); !strings.HasPrefix(got, "\x1b[Ha") || strings.Contains(got, "\x1b[2J") {
		t.Errorf("%q", got)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestWatchAppendsElsewhere(t *testing.T) {
	next, end := watch(t, false, func(n int) (page, error) { return textPage("a\n"), nil })
	if got := next(); got != "a\n" {
		t.Errorf("%q", got)
	}
	if got := next(); got != "\na\n" {
		t.Errorf("%q", got)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestWatchWaitsForAServerThatIsAway(t *testing.T) {
	next, end := watch(t, false, func(n int) (page, error) {
		if n == 1 {
			return page{}, &unreachable{at: "http://127.0.0.1:1", cause: errors.New("connection refused")}
		}
		return textPage("back\n"), nil
	})
	if got := next(); !strings.Contains(got, "No Neap answers") {
		t.Errorf("%q", got)
	}
	if got := next(); got != "\nback\n" {
		t.Errorf("%q", got)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestWatchEndsWhenTheServerRefuses(t *testing.T) {
	refuses := &refusal{status: 400, faults: []remoteFault{{Message: "Gone."}}}
	_, end := watch(t, false, func(n int) (page, error) { return page{}, refuses })
	if err := end(); err != nil && !errors.Is(err, refuses) {
		t.Error(err)
	}
	s := &shell{watch: true, world: World{Clock: clock.NewManual(noon())}}
	cmd := &cobra.Command{}
	cmd.SetContext(context.Background())
	if err := s.show(cmd, func(context.Context) (page, error) { return page{}, refuses }); !errors.Is(err, refuses) {
		t.Errorf("%v", err)
	}
}
