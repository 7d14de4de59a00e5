package runtimetest

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/runtime"
)

// The cases of this file are about what a runtime keeps and tells, and about its own end.

func (s *suite) unknownTasks() {
	task, _ := s.run(s.script("exit 0"))
	other, _ := s.run(s.script("exit 1"))
	found, err := s.Runtime.Tasks(s.Context(), []string{"task-" + s.mark + ".unknown", other.ID, "../" + task.ID, task.ID})
	if err != nil {
		s.Fatalf("Tasks: %v", err)
	}
	var ids []string
	for _, t := range found {
		ids = append(ids, t.ID)
	}
	slices.Sort(ids)
	if want := []string{task.ID, other.ID}; !slices.Equal(ids, want) {
		s.Errorf("found %q, want %q", ids, want)
	}
	if none, err := s.Runtime.Tasks(s.Context(), nil); err != nil || len(none) != 0 {
		s.Errorf("asked for none: %+v, %v", none, err)
	}
}

// watch asks only when it is told to, so that what is not told is not seen.
func (s *suite) watch() {
	told := s.Runtime.Watch(s.Context())
	id := s.start(s.script("sleep 2", "echo a", "sleep 2", "echo b", "sleep 2"))
	want := []string{"running", "running 1", "running 2", "ended 2"}
	var seen []string
	for patience := time.After(s.Patience); !slices.Contains(seen, "ended 2"); {
		select {
		case ids, open := <-told:
			if !open {
				s.Fatalf("it ends by itself, having told %q", seen)
			}
			if slices.Contains(ids, id) {
				task, _ := s.find(id)
				now := string(task.State)
				if task.Lines > 0 {
					now += " " + strconv.Itoa(int(task.Lines))
				}
				if task.State != runtime.Starting && !slices.Contains(seen, now) {
					seen = append(seen, now)
				}
			}
		case <-patience:
			s.Fatalf("told %q, want %q", seen, want)
		}
	}
	if !slices.Equal(seen, want) {
		s.Errorf("told %q, want %q", seen, want)
	}
}

func (s *suite) forgets() {
	word := sleeper()
	running := s.start(s.script("echo here", "exec "+word))
	s.saying(running, 1)
	s.eventually("it sleeps", func() bool { return s.alive(word) > 0 })
	s.forget(running, "")
	if task, ok := s.find(running); !ok || task.State != runtime.Running || s.alive(word) == 0 {
		s.Errorf("after it was to be forgotten while it runs: %+v", task)
	}
	s.wrote(s.outputOf(running), "", "here")
	s.stop(running, 0)
	s.ended(running)
	for range 2 {
		s.forget(running, "")
		s.forget("task-"+s.mark+".unknown", "")
	}
	if task, ok := s.find(running); ok {
		s.Errorf("it is still known: %+v", task)
	}
}

func (s *suite) reopen() {
	s.Helper()
	s.Runtime = s.Reopen(s.T)
}

func (s *suite) reattaches() {
	spec := s.script("i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo $i; sleep 0.05; done", "exit 3")
	id := s.start(spec)
	s.saying(id, 5)
	before, _ := s.find(id)
	read := s.outputOf(id)
	s.reopen()
	s.start(spec)
	task, _ := s.find(id)
	if task.State != runtime.Running || !task.Started.Equal(before.Started) || task.Lines < int64(len(read)) || task.Limits != before.Limits {
		s.Errorf("was %+v, is %+v", before, task)
	}
	told := s.Runtime.Watch(s.Context())
	s.saying(id, int64(len(read))+1)
	for patience, heard := time.After(s.Patience), false; !heard; {
		select {
		case ids := <-told:
			heard = slices.Contains(ids, id)
		case <-patience:
			s.Fatal("the successor's Watch tells nothing of it")
		}
	}
	s.exited(s.ended(id), runtime.Exit{Code: 3})
	var want []string
	for i := range 100 {
		want = append(want, strconv.Itoa(i+1))
	}
	all := s.outputOf(id)
	s.wrote(all, "stdout", want...)
	for i, l := range read {
		if !all[i].At.Equal(l.At) {
			s.Errorf("line %d was written at %v, now it says %v", l.N, l.At, all[i].At)
		}
	}
}

func (s *suite) remembers() {
	spec := s.script("echo once", "exit 4")
	before, _ := s.run(spec)
	forgotten, _ := s.run(s.script("exit 0"))
	s.forget(forgotten.ID, "")
	meanwhile := s.start(s.script("echo there; sleep 1; exit 5"))
	s.reopen()
	s.start(spec)
	after, _ := s.find(spec.ID)
	s.exited(after, runtime.Exit{Code: 4})
	if !after.Started.Equal(before.Started) || !after.Ended.Equal(before.Ended) {
		s.Errorf("was %+v, is %+v", before, after)
	}
	s.wrote(s.outputOf(spec.ID), "", "once")
	if task, ok := s.find(forgotten.ID); ok {
		s.Errorf("what was forgotten is back: %+v", task)
	}
	s.exited(s.ended(meanwhile), runtime.Exit{Code: 5})
	s.wrote(s.outputOf(meanwhile), "", "there")
}

func (s *suite) stopsInherited() {
	script, words := family()
	id := s.start(s.script(script...))
	s.born(id, words)
	s.reopen()
	s.stop(id, time.Second)
	s.exited(s.ended(id), runtime.Exit{Code: 137, Signal: "KILL", Stopped: true})
	s.gone(words...)
}

func (s *suite) many() {
	count := s.Many
	ids := make([]string, count)
	specs := make(chan int)
	all := make([]runtime.Spec, count)
	for i := range all {
		all[i] = s.script("echo $NEAP_N; exit " + strconv.Itoa(i%7))
		all[i].Env, all[i].Resources = map[string]string{"NEAP_N": strconv.Itoa(i)}, runtime.Resources{MilliCPU: 100, MemoryMiB: 32}
		ids[i] = all[i].ID
	}
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for i := range specs {
				if err := s.Runtime.Start(s.Context(), all[i]); err != nil {
					s.Errorf("Start: %v", err)
				}
			}
		})
	}
	for i := range all {
		specs <- i
	}
	close(specs)
	wait.Wait()
	for i, id := range ids {
		s.exited(s.ended(id), runtime.Exit{Code: i % 7})
		s.wrote(s.outputOf(id), "stdout", strconv.Itoa(i))
	}
	if found, err := s.Runtime.Tasks(s.Context(), ids); err != nil || len(found) != count {
		s.Errorf("asked for all: %d, %v", len(found), err)
	}
}
