package runtimetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The cases of this file are about what tasks write and what they get.

func (s *suite) output() {
	began := time.Now()
	task, lines := s.run(s.script("echo one", "sleep 1", "echo two >&2", "sleep 1", "echo three", "echo '  four\tfive '", "sleep 1", "echo six >&2"))
	s.wrote(lines, "stdout", "one", "three", "  four\tfive ")
	s.wrote(lines, "stderr", "two", "six")
	s.wrote(lines, "", "one", "two", "three", "  four\tfive ", "six")
	if len(lines) != 5 {
		s.FailNow()
	}
	if task.Lines != int64(len(lines)) {
		s.Errorf("it says %d lines, there are %d", task.Lines, len(lines))
	}
	last := began.Add(-time.Minute)
	for i, l := range lines {
		if l.At.Before(last) || l.At.After(time.Now().Add(time.Minute)) {
			s.Errorf("line %d was written at %v, the one before at %v, now it is %v", l.N, l.At, last, time.Now())
		}
		if i < 2 && lines[i+1].At.Sub(l.At) < 500*time.Millisecond {
			s.Errorf("line %d comes %v after the one before, want a second", l.N+1, lines[i+1].At.Sub(l.At))
		}
		last = l.At
	}
}

func (s *suite) pages() {
	task, all := s.run(s.script("i=0; while [ $i -lt 250 ]; do i=$((i+1)); echo line $i; done"))
	if len(all) != 250 || task.Lines != 250 {
		s.Fatalf("%d lines, it says %d", len(all), task.Lines)
	}
	for _, after := range []int64{0, 1, 99, 248, 249, 250, 251, 9999} {
		for _, limit := range []int{1, 7, 1000} {
			page, err := s.Runtime.Output(s.Context(), task.ID, after, limit)
			if err != nil {
				s.Fatalf("Output: %v", err)
			}
			from := min(int(after), 250)
			want := texts(all[from:min(from+limit, 250)], "")
			if got := texts(page, ""); !slices.Equal(got, want) || len(page) > 0 && page[0].N != after+1 {
				s.Errorf("%d lines after line %d: %q, want %q", limit, after, got, want)
			}
		}
	}
}

func (s *suite) longLines() {
	_, lines := s.run(s.script("head -c 40000 /dev/zero | tr '\\0' a", "echo", "i=0; while [ $i -lt 9000 ]; do i=$((i+1)); printf 'é€'; done", "echo", "echo end"))
	all := texts(lines, "stdout")
	if len(all) < 3 || all[len(all)-1] != "end" {
		s.Fatalf("%d lines", len(all))
	}
	if len(all[0]) != longestLine {
		s.Errorf("the first was cut at %d bytes, want %d", len(all[0]), longestLine)
	}
	if strings.Join(all[:len(all)-1], "") != strings.Repeat("a", 40000)+strings.Repeat("é€", 9000) {
		s.Error("the pieces are not what was written")
	}
	if len(all) != 3+3+1 {
		s.Errorf("%d lines, want three pieces of each of both, and the end", len(all))
	}
}

func (s *suite) invalidText() {
	_, lines := s.run(s.script(`printf 'a\377\376b\n\303\050\n'`, "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); printf '\\377\\377\\377\\377\\377\\377\\377\\377\\377\\377'; done"))
	all := texts(lines, "stdout") // that they are valid was looked at
	if len(all) < 3 || !strings.HasPrefix(all[0], "a\uFFFD") || !strings.HasSuffix(all[0], "\uFFFDb") || all[1] != "\uFFFD(" {
		s.Errorf("became %.200q", all)
	}
}

func (s *suite) unfinishedLines() {
	_, lines := s.run(s.script(`printf '\na\n\n\nb'`, `printf 'c' >&2`))
	s.wrote(lines, "stdout", "", "a", "", "", "b")
	s.wrote(lines, "stderr", "c")
	task, none := s.run(s.script("exit 0"))
	if len(none) != 0 || task.Lines != 0 {
		s.Errorf("a silent task wrote %q, %d lines", texts(none, ""), task.Lines)
	}
}

func (s *suite) flood() {
	line := strings.Repeat("x", 92) // and seven digits
	task, lines := s.run(s.script(fmt.Sprintf("awk 'BEGIN { for (i = 1; i <= %d; i++) printf \"%%07d%s\\n\", i }'", s.Flood, line)))
	gaps, dropped := 0, int64(0)
	for _, l := range lines {
		if want := fmt.Sprintf("%07d%s", l.N, line); l.Text != want {
			s.Fatalf("line %d reads %q", l.N, l.Text)
		}
		if dropped += l.Dropped; l.Dropped > 0 {
			gaps++
		}
	}
	if len(lines) < 2 || lines[0].N != 1 || lines[len(lines)-1].N != int64(s.Flood) || task.Lines != int64(s.Flood) {
		s.Fatalf("%d lines of %d, it says %d", len(lines), s.Flood, task.Lines)
	}
	if gaps != 1 || dropped+int64(len(lines)) != int64(s.Flood) {
		s.Errorf("%d gaps; %d lines kept and %d dropped of %d", gaps, len(lines), dropped, s.Flood)
	}
	middle := lines[len(lines)/2].N
	page, err := s.Runtime.Output(s.Context(), task.ID, int64(s.Flood)/2, 3)
	if err != nil || len(page) == 0 || page[0].N <= int64(s.Flood)/2 || page[0].N != int64(s.Flood)/2+1+page[0].Dropped {
		s.Errorf("from the middle on (%d is kept): %+v, %v", middle, page, err)
	}
}

func (s *suite) env() {
	secret := "s3cret-" + s.mark
	word := sleeper()
	spec := s.script(`printf '%s\n' "$NEAP_SECRET" "$NEAP_ODD" "${HOME:+home}" "$PATH"`, word)
	spec.Env = map[string]string{"NEAP_SECRET": secret, "NEAP_ODD": "a b\n'c' \"$HOME\" =é", "PATH_OF": "x"}
	id := s.start(spec)
	s.saying(id, 1)
	s.eventually("it sleeps", func() bool { return s.alive(word) > 0 })
	if n := s.alive(secret); n > 0 {
		s.Errorf("%d argument lists hold a value of its env", n)
	}
	s.stop(id, 0)
	s.ended(id)
	all := texts(s.outputOf(id), "stdout")
	if len(all) != 5 || !slices.Equal(all[:4], []string{secret, "a b", `'c' "$HOME" =é`, "home"}) || all[4] == "" {
		s.Errorf("it got %q", all)
	}
}

func (s *suite) workingDirectory() {
	first, second := s.script("ls mine-"+s.mark+" 2>/dev/null", "echo x >mine-"+s.mark, "cat mine-"+s.mark), s.script("ls mine-"+s.mark+" 2>/dev/null; exit 0")
	_, lines := s.run(first)
	s.wrote(lines, "stdout", "x")
	task, lines := s.run(second)
	if s.wrote(lines, "stdout"); task.Exit.Code != 0 {
		s.Errorf("ended with %+v", task.Exit)
	}
}

func (s *suite) checkpoints() {
	var id string
	name := "job-" + s.mark
	for i, want := range [][]string{nil, {"0"}, {"1"}} {
		spec := s.script(`cat "$NEAP_CHECKPOINT_DIR/at" 2>/dev/null`, fmt.Sprintf(`echo %d >"$NEAP_CHECKPOINT_DIR/at"`, i))
		spec.Checkpoint = name
		_, lines := s.run(spec)
		s.wrote(lines, "stdout", want...)
		if id = spec.ID; i == 0 {
			s.forget(id, "") // this alone drops no checkpoint
		}
	}
	other := s.script(`ls "$NEAP_CHECKPOINT_DIR"`)
	other.Checkpoint = "other-" + s.mark
	_, lines := s.run(other)
	s.wrote(lines, "stdout")
	none := s.script(`echo "${NEAP_CHECKPOINT_DIR-none}"`)
	_, lines = s.run(none)
	s.wrote(lines, "stdout", "none")
	s.forget(id, name)
	fresh := s.script(`ls "$NEAP_CHECKPOINT_DIR"`)
	fresh.Checkpoint = name
	_, lines = s.run(fresh)
	s.wrote(lines, "stdout")
}

func (s *suite) forget(id, checkpoint string) {
	s.Helper()
	if err := s.Runtime.Forget(s.Context(), id, checkpoint); err != nil {
		s.Fatalf("Forget: %v", err)
	}
}

func (s *suite) watchEnds() {
	ctx, cancel := context.WithCancel(s.Context())
	told := s.Runtime.Watch(ctx)
	cancel()
	for patience := time.After(s.Patience); ; {
		select {
		case _, open := <-told:
			if !open {
				return
			}
		case <-patience:
			s.Fatal("it goes on after its context ended")
		}
	}
}
