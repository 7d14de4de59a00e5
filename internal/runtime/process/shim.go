//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/neap-cloud/neap/internal/runtime"
)

// Supervise is the process beside each task: it reads an order from standard input, runs it to its end and keeps what Neap wants to know. It outlives Neap. The result is
// the exit code of this process, which says nothing about the task's.
func Supervise() int {
	debug.SetGCPercent(25)
	debug.SetMemoryLimit(24 << 20)
	if err := supervise(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// pokeSignal tells a supervisor to look at the stop file. One that is not ready yet ignores it, and looks when it is.
const pokeSignal = syscall.SIGWINCH

// shim is a supervisor at work.
type shim struct {
	order
	groups  groups
	log     *logWriter
	readers sync.WaitGroup
	told    chan struct{} // there is more output
	signals chan os.Signal
	exited  chan syscall.WaitStatus
	main    int // process id of the command
}

func supervise(from io.Reader) error {
	s := &shim{told: make(chan struct{}, 1), signals: make(chan os.Signal, 16), exited: make(chan syscall.WaitStatus, 1)}
	// An order that was cut short, because Neap died meanwhile, does not decode: nothing begins.
	if err := json.NewDecoder(from).Decode(&s.order); err != nil {
		return fmt.Errorf("reading the order: %w", err)
	}
	s.groups = groups{hierarchies: s.Groups, id: s.ID}
	signal.Notify(s.signals, pokeSignal, syscall.SIGCHLD)
	// These are not for it. Were they ignored, the task would inherit that; what is handled it does not.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	if err := keepDescriptors(); err != nil {
		return err
	}
	unix.Umask(0o077)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming the parent of orphans: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	log, err := newLog(s.Folder, s.Room)
	if err != nil {
		return err
	}
	s.log = log
	return s.run()
}

// keepDescriptors keeps what this process has open from those that it starts; its lock is among that, and whatever whoever started Neap has forgotten to close.
func keepDescriptors() error {
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keeping open files from tasks: %w", err)
	}
	return nil
}

func (s *shim) run() error {
	if err := write(filepath.Join(s.Folder, begunFile), begun{Supervisor: os.Getpid(), Started: time.Now(), Limits: s.Groups.label()}, false); err != nil {
		return err
	}
	exit, err := s.launch()
	if err == nil {
		s.tell()
		go s.tellOutput()
		exit = s.wait()
	}
	s.endAll()
	s.drain()
	if memory := s.groups.ranOutOfMemory(); memory && exit.Code != 0 && !exit.Stopped && !exit.TimedOut {
		exit.OutOfMemory = true
		exit.Reason = fmt.Sprintf("It took more than its %d MiB of memory.", s.Resources.MemoryMiB)
	}
	if err := s.groups.remove(); err != nil {
		fmt.Fprintln(os.Stderr, "removing control groups:", err) // the next start of Neap does it
	}
	return write(filepath.Join(s.Folder, endedFile), ended{Ended: time.Now(), Exit: exit}, true)
}

// launch starts the command. An error means that nothing runs, and the exit says why.
func (s *shim) launch() (runtime.Exit, error) {
	if err := s.groups.limit(s.Resources); err != nil {
		return runtime.Exit{Code: 125, Reason: sentence(err)}, err
	}
	var pipes [2][2]*os.File
	for i := range pipes {
		r, w, err := os.Pipe()
		if err != nil {
			return runtime.Exit{Code: 125, Reason: sentence(err)}, err
		}
		defer w.Close()
		pipes[i] = [2]*os.File{r, w}
	}
	pid, err := start(&s.order, s.groups, pipes[0][1], pipes[1][1])
	if err != nil {
		var none *noCommandError
		if errors.As(err, &none) {
			return runtime.Exit{Code: none.code, Reason: none.Error()}, err
		}
		return runtime.Exit{Code: 125, Reason: sentence(err)}, err
	}
	s.main = pid
	s.readers.Go(func() { s.read(pipes[0][0], "stdout") })
	s.readers.Go(func() { s.read(pipes[1][0], "stderr") })
	return runtime.Exit{}, nil
}

func sentence(err error) string { return "It could not be started: " + err.Error() + "." }

// wait waits for the command's end, and brings it about when it is time.
func (s *shim) wait() runtime.Exit {
	var exit runtime.Exit
	var timeout, kill <-chan time.Time
	if s.Timeout > 0 {
		timeout = time.After(s.Timeout)
	}
	s.reap()
	s.poked(&exit, &kill)
	for {
		select {
		case status := <-s.exited:
			if status.Signaled() {
				exit.Signal = strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG")
				exit.Code = 128 + int(status.Signal())
				return exit
			}
			exit.Code = status.ExitStatus()
			return exit
		case got := <-s.signals:
			if got == pokeSignal {
				s.poked(&exit, &kill)
			} else {
				s.reap()
			}
		case <-timeout:
			if !exit.Stopped {
				exit.TimedOut = true
				exit.Reason = fmt.Sprintf("It ran for longer than its timeout of %v.", s.Timeout)
			}
			s.killOnce()
		case <-kill:
			s.killOnce()
		}
	}
}

// poked looks at the stop file: the first time it asks the command to end, and whenever the deadline is a sooner one it counts.
func (s *shim) poked(exit *runtime.Exit, kill *<-chan time.Time) {
	var asked stop
	if read(filepath.Join(s.Folder, stopFile), &asked) != nil || exit.TimedOut {
		return
	}
	if !exit.Stopped && asked.Grace > 0 {
		_ = unix.Kill(-s.main, unix.SIGTERM) // it may have ended just now
	}
	exit.Stopped = true
	*kill = time.After(asked.left(time.Now()))
}

// reap takes leave of every process that has ended: the command, and orphans of it.
func (s *shim) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil || pid <= 0:
			return
		case pid == s.main:
			s.exited <- status
		}
	}
}

// killOnce kills all of the task that can be found now, and tells whether there was any. Nothing but root can leave a control group.
func (s *shim) killOnce() bool {
	if s.groups.any() {
		return s.groups.kill()
	}
	found := descendants(os.Getpid())
	for _, pid := range found {
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended by itself
	}
	return len(found) > 0
}

// endAll ends what the command left behind, and returns once nothing of the task runs.
func (s *shim) endAll() {
	for wait := time.Millisecond; s.killOnce(); wait = min(2*wait, 100*time.Millisecond) {
		s.reap()
		select {
		case <-s.signals:
		case <-time.After(wait):
		}
		s.reap()
	}
}

// drain waits for the rest of the output. Nobody is left to write any, so its end is near; what holds a pipe open all the same is not waited for.
func (s *shim) drain() {
	done := make(chan struct{})
	go func() { s.readers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
	}
}

func (s *shim) read(from *os.File, stream string) {
	defer from.Close()
	var split splitter
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			s.log.write(time.Now(), stream, split.take(buffer[:n]))
			select {
			case s.told <- struct{}{}:
			default:
			}
		}
		if err != nil {
			s.log.write(time.Now(), stream, split.end())
			return
		}
	}
}

// tellOutput tells Neap of output, five times a second at most. The task's end needs no telling: Neap sees this process end.
func (s *shim) tellOutput() {
	for before := int64(0); ; <-s.told {
		if now := s.log.count(); now != before {
			before = now
			s.tell()
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// tell makes Neap look at the task. Without a Neap there is nobody to tell, and the next one looks by itself.
func (s *shim) tell() {
	pipe, err := os.OpenFile(s.Events, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer pipe.Close()
	_ = pipe.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = pipe.WriteString(s.ID + "\n") // shorter than what a pipe takes as a whole
}
