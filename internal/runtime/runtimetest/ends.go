package runtimetest

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// The cases of this file are about how tasks begin and end.

func (s *suite) exitCodes() {
	for _, code := range []int{0, 1, 3, 255} {
		task, _ := s.run(s.script("exit " + strconv.Itoa(code)))
		s.exited(task, runtime.Exit{Code: code})
		if task.Started.IsZero() || time.Since(task.Started) > s.Patience+time.Minute || time.Until(task.Ended) > time.Minute {
			s.Errorf("it ran from %v to %v, now it is %v", task.Started, task.Ended, time.Now())
		}
	}
}

func (s *suite) signals() {
	task, _ := s.run(s.script("kill -KILL $$"))
	s.exited(task, runtime.Exit{Code: 137, Signal: "KILL"})
}

func (s *suite) unknownCommand() {
	spec := s.script()
	spec.Command = []string{"ffmepg-" + s.mark, "-i", "x"}
	task, _ := s.run(spec)
	s.exited(task, runtime.Exit{Code: 127})
	if !strings.Contains(task.Exit.Reason, spec.Command[0]) {
		s.Errorf("the reason is %q, which does not name the command", task.Exit.Reason)
	}
}

func (s *suite) refusesIDs() {
	for _, id := range []string{"", "..", "../" + s.mark, "a/" + s.mark, "a b", strings.Repeat("a", 65), "ä"} {
		spec := s.script("exit 0")
		spec.ID = id
		s.refusedForGood("Check of the id "+id, s.Runtime.Check(s.Context(), spec))
		s.refusedForGood("Start with the id "+id, s.Runtime.Start(s.Context(), spec))
	}
	spec := s.script("exit 0")
	spec.ID = strings.Repeat("a", 64-len(s.mark)) + s.mark
	s.exited(s.ended(s.start(spec)), runtime.Exit{})
}

func (s *suite) honoursContext() {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	word := sleeper()
	spec := s.script("exec " + word)
	if err := s.Runtime.Start(ctx, spec); err == nil {
		s.Error("Start goes on although its context ended")
	}
	if _, err := s.Runtime.Tasks(ctx, []string{spec.ID}); err == nil {
		s.Error("Tasks goes on although its context ended")
	}
	if _, ok := s.find(spec.ID); ok || s.alive(word) > 0 {
		s.Error("a task was begun all the same")
	}
}

// family is a script whose processes ignore TERM, leave their parents, their group and their session, and say when they are all there.
func family() (script []string, words []string) {
	for range 5 {
		words = append(words, sleeper())
	}
	return []string{
		"trap '' TERM",
		words[0] + " &",
		"(" + words[1] + " & ) &",
		"setsid " + words[2] + " &",
		"(setsid sh -c '(" + words[3] + " & ) & exit 0' & ) &",
		"echo there",
		"while :; do " + words[4] + "; done",
	}, words
}

// born waits until all of a family live.
func (s *suite) born(id string, words []string) {
	s.Helper()
	s.saying(id, 1)
	for _, word := range words {
		s.eventually(word+" runs", func() bool { return s.alive(word) > 0 })
	}
}

func (s *suite) timeout() {
	script, words := family()
	spec := s.script(script...)
	spec.Timeout = s.Timeout
	task := s.ended(s.start(spec))
	if !task.Exit.TimedOut || task.Exit.Stopped || task.Exit.Code == 0 || task.Ended.Sub(task.Started) < s.Timeout-50*time.Millisecond {
		s.Errorf("it ran for %v and ended with %+v, want a timeout after %v", task.Ended.Sub(task.Started), task.Exit, s.Timeout)
	}
	s.gone(words...)
	in, _ := s.run(s.script("exit 4"))
	s.exited(in, runtime.Exit{Code: 4})
}

func (s *suite) stopAsks() {
	id := s.start(s.script("trap 'echo asked; exit 7' TERM", "echo ready", "while :; do sleep 1 & wait; done"))
	s.saying(id, 1)
	s.stop(id, s.Patience)
	s.exited(s.ended(id), runtime.Exit{Code: 7, Stopped: true})
	s.wrote(s.outputOf(id), "stdout", "ready", "asked")
}

func (s *suite) stopForces() {
	script, words := family()
	id := s.start(s.script(script...))
	s.born(id, words)
	asked := time.Now()
	s.stop(id, time.Second)
	s.stop(id, s.Patience) // a later end than the one that is coming changes nothing
	task := s.ended(id)
	s.exited(task, runtime.Exit{Code: 137, Signal: "KILL", Stopped: true})
	if took := time.Since(asked); took < 900*time.Millisecond {
		s.Errorf("it had %v of its grace of a second", took)
	}
	s.gone(words...)
}

func (s *suite) stopAtOnce() {
	script, words := family()
	id := s.start(s.script(script...))
	s.born(id, words)
	s.stop(id, s.Patience)
	s.stop(id, 0) // a sooner end counts
	s.exited(s.ended(id), runtime.Exit{Code: 137, Signal: "KILL", Stopped: true})
	s.gone(words...)
}

func (s *suite) leftBehind() {
	words := []string{sleeper(), sleeper(), sleeper()}
	id := s.start(s.script(words[0]+" >/dev/null 2>&1 &", "setsid "+words[1]+" &", "(setsid "+words[2]+" & ) &", "echo there", "exit 5"))
	s.exited(s.ended(id), runtime.Exit{Code: 5})
	s.gone(words...)
	s.wrote(s.outputOf(id), "", "there")
}

func (s *suite) stopsInVain() {
	task, _ := s.run(s.script("exit 6"))
	for _, grace := range []time.Duration{0, time.Second} {
		s.stop(task.ID, grace)
		s.stop("task-"+s.mark+".unknown", grace)
	}
	after, _ := s.find(task.ID)
	s.exited(after, runtime.Exit{Code: 6})
	if _, ok := s.find("task-" + s.mark + ".unknown"); ok {
		s.Error("a Stop made a task")
	}
}

func (s *suite) startsOnce() {
	word := sleeper()
	runs := s.script("echo ran", "exec "+word)
	id := s.start(runs)
	s.saying(id, 1)
	s.start(runs)
	s.eventually("it runs", func() bool { return s.alive(word) == 1 })
	s.stop(id, 0)
	s.ended(id)
	s.gone(word)
	s.start(runs)
	s.exited(s.ended(id), runtime.Exit{Code: 137, Signal: "KILL", Stopped: true})
	if n := s.alive(word); n > 0 {
		s.Errorf("it runs again after it was stopped")
	}
	s.wrote(s.outputOf(id), "stdout", "ran")
}

func (s *suite) startsOnceAtOnce() {
	word := sleeper()
	spec := s.script("echo ran", "exec "+word)
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			if err := s.Runtime.Start(s.Context(), spec); err != nil {
				s.Errorf("Start: %v", err)
			}
		})
	}
	wait.Wait()
	s.saying(spec.ID, 1)
	s.eventually("it runs", func() bool { return s.alive(word) == 1 })
	s.stop(spec.ID, 0)
	s.ended(spec.ID)
	s.gone(word)
	s.wrote(s.outputOf(spec.ID), "stdout", "ran")
}

func (s *suite) memory() {
	spec := s.script("x=$(head -c 400000000 /dev/zero | tr '\\0' x)", "echo ${#x}")
	spec.Resources.MemoryMiB = 64
	task, lines := s.run(spec)
	if !task.Exit.OutOfMemory || task.Exit.Code == 0 || len(lines) > 0 && lines[0].Text == "400000000" {
		s.Errorf("it ended with %+v and wrote %q", task.Exit, texts(lines, ""))
	}
	spec = s.script("x=$(head -c 4000000 /dev/zero | tr '\\0' x)", "echo ${#x}")
	spec.Resources.MemoryMiB = 64
	task, lines = s.run(spec)
	s.exited(task, runtime.Exit{})
	s.wrote(lines, "", "4000000")
}
