//go:build linux

package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// adopt takes over what earlier Neaps started in this folder, and removes what they left half done.
func (r *Runtime) adopt() error {
	entries, err := os.ReadDir(r.places.records)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".new-") {
			if err := os.Remove(filepath.Join(r.places.records, e.Name())); err != nil {
				return err
			}
			continue
		}
		if err := r.adoptOne(e.Name()); err != nil {
			return fmt.Errorf("taking over the task %s: %w", e.Name(), err)
		}
	}
	return r.sweep()
}

func (r *Runtime) adoptOne(id string) error {
	t := &task{ready: make(chan struct{}), onFile: true}
	close(t.ready)
	if err := read(r.places.recordOf(id), &t.record); err != nil {
		return err
	}
	r.tasks[id] = t
	folder := r.places.of(id)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(folder, endedFile))
	if err == nil || !r.supervised(folder) {
		r.supervisorEnded(t)
		return nil
	}
	r.accounts.reserve(t.UID)
	r.waiting.Go(func() { r.attend(t) })
	return nil
}

// supervised says whether a task's supervisor lives: it holds the lock as long as it does.
func (r *Runtime) supervised(folder string) bool {
	lock, err := os.Open(filepath.Join(folder, lockFile))
	if err != nil {
		return false // it is made before the record
	}
	defer lock.Close()
	return unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// attend waits for the end of a supervisor that an earlier Neap started.
func (r *Runtime) attend(t *task) {
	folder := r.places.of(t.ID)
	for r.supervised(folder) {
		pidfd, err := r.supervisor(folder)
		if err == nil && !r.waitFor(pidfd) {
			return // closed meanwhile
		}
		if err != nil {
			// It has not said yet which process it is, or the kernel is too old to wait for it: look again.
			time.Sleep(50 * time.Millisecond)
		}
		if r.isClosed() {
			return
		}
	}
	r.supervisorEnded(t)
}

func (r *Runtime) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// supervisor gives a handle on the process that supervises a task; it is that process's for certain if the lock is held afterwards.
func (r *Runtime) supervisor(folder string) (*os.File, error) {
	var b begun
	if err := read(filepath.Join(folder, begunFile), &b); err != nil {
		return nil, err
	}
	descriptor, err := unix.PidfdOpen(b.Supervisor, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(descriptor), "supervisor")
	if !r.supervised(folder) {
		return nil, errors.Join(errors.New("it has ended"), file.Close())
	}
	return file, nil
}

// waitFor waits for the end of a process; false when this runtime was closed before.
func (r *Runtime) waitFor(pidfd *os.File) bool {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		pidfd.Close()
		return false
	}
	r.attended = append(r.attended, pidfd)
	r.mu.Unlock()
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Read(func(descriptor uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(descriptor), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	return err == nil
}

// sweep removes folders and control groups of tasks that nobody knows, or that have ended.
func (r *Runtime) sweep() error {
	for _, place := range []string{r.places.tasks, r.places.work} {
		entries, err := os.ReadDir(place)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if t := r.tasks[e.Name()]; t != nil && (t.ended == nil || place == r.places.tasks) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(place, e.Name())); err != nil {
				return err
			}
		}
	}
	for _, id := range r.groups.stale() {
		if t := r.tasks[id]; t == nil || t.ended != nil {
			r.endRemains(&task{record: record{ID: id, Mark: "none"}})
		}
	}
	return r.images.sweep()
}

// listen hears what supervisors tell, until the pipe is closed.
func (r *Runtime) listen() {
	for lines := bufio.NewScanner(r.events); lines.Scan(); {
		if id := lines.Text(); r.knows(id) {
			r.watchers.tell(id)
		}
	}
}

// Stop leaves word in the task's folder, where its supervisor finds it sooner or later, and pokes it.
func (r *Runtime) Stop(ctx context.Context, id string, grace time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t, known := r.tasks[id]
	if !known || !t.onFile || t.ended != nil {
		return nil
	}
	folder := r.places.of(id)
	name := filepath.Join(folder, stopFile)
	asked := stop{Grace: grace, Deadline: time.Now().Add(grace)}
	var before stop
	if err := read(name, &before); err == nil && before.Deadline.Before(asked.Deadline) {
		asked = before
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := write(name, asked, false); err != nil {
		return err
	}
	pidfd, err := r.supervisor(folder)
	if err != nil {
		return nil // it has not come so far yet and will look then, or it has just ended
	}
	defer pidfd.Close()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.Signal(pokeSignal), nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("telling the supervisor of %s: %w", id, err)
	}
	return nil
}
