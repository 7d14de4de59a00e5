//go:build linux

package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/neap-cloud/neap/internal/runtime"
)

// begin makes what a task needs, puts it on record and starts its supervisor. After an error nothing of it has run, and nothing is left.
func (r *Runtime) begin(ctx context.Context, t *task, spec runtime.Spec) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.undo(t))
		}
	}()
	o := &order{
		ID: t.ID, Mark: t.Mark, Folder: r.places.of(t.ID), Events: filepath.Join(r.places.control, "events"), Command: spec.Command,
		UID: t.UID, GID: t.UID, Timeout: spec.Timeout, Resources: spec.Resources, Groups: r.groups, Room: room{Head: r.config.Head, Tail: r.config.Tail},
	}
	if fixed := r.accounts.fixed; fixed != nil {
		o.GID, o.Switch = fixed.gid, fixed.change
	} else {
		o.Switch = true
	}
	if err := os.Mkdir(o.Folder, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(o.Folder, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	// The supervisor inherits the lock: from here on until its end it looks alive to whoever comes.
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	if err := r.furnish(ctx, o, spec); err != nil {
		return err
	}
	if err := write(r.places.recordOf(t.ID), t.record, true); err != nil {
		return err
	}
	r.mu.Lock()
	t.onFile = true
	r.mu.Unlock()
	return r.supervise(t, o, lock)
}

// undo removes what begin made. The record goes first: without it the rest is rubbish.
func (r *Runtime) undo(t *task) error {
	r.mu.Lock()
	t.onFile = false
	r.mu.Unlock()
	err := os.Remove(r.places.recordOf(t.ID))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, syncFolder(r.places.records), os.RemoveAll(r.places.of(t.ID)), os.RemoveAll(r.places.workOf(t.ID)))
}

// furnish makes the task's folders and its environment.
func (r *Runtime) furnish(ctx context.Context, o *order, spec runtime.Spec) error {
	top := r.places.workOf(o.ID)
	work, temporary := filepath.Join(top, "work"), filepath.Join(top, "tmp")
	for _, folder := range []string{top, work, temporary} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if err := r.give(folder, o); err != nil {
			return err
		}
	}
	checkpoint := ""
	if spec.Checkpoint != "" {
		checkpoint = r.places.checkpointOf(spec.Checkpoint)
		if err := os.MkdirAll(checkpoint, 0o700); err != nil {
			return err
		}
		if err := r.handOver(checkpoint, o); err != nil {
			return fmt.Errorf("handing over the checkpoint folder: %w", err)
		}
	}
	o.Work = work
	env := environment{"PATH": usualPath, "HOME": work, "TMPDIR": temporary, "LANG": "C.UTF-8"}
	if checkpoint != "" {
		env["NEAP_CHECKPOINT_DIR"] = checkpoint
	}
	if spec.Image != hostImage {
		if err := r.images.furnish(ctx, o, env, spec, checkpoint); err != nil {
			return err
		}
	}
	for name, value := range spec.Env {
		env[name] = value
	}
	env[markVariable] = o.Mark
	o.Env = env.list()
	return nil
}

type environment map[string]string

func (e environment) list() []string {
	var all []string
	for _, name := range sorted(e) {
		all = append(all, name+"="+e[name])
	}
	return all
}

func (r *Runtime) give(name string, o *order) error {
	if !o.Switch {
		return nil
	}
	return os.Lchown(name, o.UID, o.GID)
}

// handOver gives a task what its predecessor, which had another user, left in a folder. Only what belongs to users of tasks, or is the folder itself, changes hands.
func (r *Runtime) handOver(folder string, o *order) error {
	if !o.Switch {
		return nil
	}
	root, err := os.OpenRoot(folder) // within it no link leads outside
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || name != "." && !r.accounts.ours(int(stat.Uid)) {
			return nil
		}
		return root.Lchown(name, o.UID, o.GID)
	})
}

// supervise starts the supervisor, and waits for its end beside everything else.
func (r *Runtime) supervise(t *task, o *order, lock *os.File) error {
	content, err := json.Marshal(o)
	if err != nil {
		return err
	}
	complaints, err := os.OpenFile(filepath.Join(o.Folder, "supervisor.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer complaints.Close()
	command := exec.Command(r.config.Shim[0], r.config.Shim[1:]...)
	command.Args[0] = "neap"
	command.Dir = "/"
	command.Env = []string{"PATH=" + usualPath, "GOMAXPROCS=1"} // nothing of Neap's own, which may hold its keys
	command.Stdin, command.Stderr = bytes.NewReader(content), complaints
	command.ExtraFiles = []*os.File{lock}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends Neap's terminal or group does not end it
	if err := command.Start(); err != nil {
		return err
	}
	go func() {
		_ = command.Wait() // how it ended says nothing: its files do
		if !r.isClosed() {
			r.supervisorEnded(t)
		}
	}()
	return nil
}

// supervisorEnded finds out how a task ended. If its supervisor died before it could say, nothing of the task may go on.
func (r *Runtime) supervisorEnded(t *task) {
	folder := r.places.of(t.ID)
	end := &ended{}
	if err := read(filepath.Join(folder, endedFile), end); err != nil {
		r.endRemains(t)
		*end = ended{Ended: time.Now(), Lost: true, Reason: r.lossOf(folder)}
		// If this can't be written the next Neap comes to the same result.
		if err := write(filepath.Join(folder, endedFile), end, true); err != nil {
			r.log().Error("a lost task can't be put on record", "task", t.ID, "error", err)
		}
	}
	var b begun
	if err := read(filepath.Join(folder, begunFile), &b); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log().Error("reading when a task began", "task", t.ID, "error", err)
	}
	if err := errors.Join(os.RemoveAll(r.places.workOf(t.ID)), os.RemoveAll(filepath.Join(folder, "root"))); err != nil {
		r.log().Error("removing what a task left", "task", t.ID, "error", err)
	}
	r.mu.Lock()
	t.ended, t.started, t.lines = end, b, linesOf(folder)
	r.accounts.free(t.UID)
	r.mu.Unlock()
	r.watchers.tell(t.ID)
}

func (r *Runtime) lossOf(folder string) string {
	if _, err := os.Stat(filepath.Join(folder, begunFile)); errors.Is(err, fs.ErrNotExist) {
		return "It never began: Neap or its supervisor was ended before."
	}
	return "Its supervisor was ended from outside, so all of it was ended and its exit code is not known."
}

// endRemains ends all that is left of a task without its supervisor, and returns once nothing of it runs.
func (r *Runtime) endRemains(t *task) {
	g := groups{hierarchies: r.groups, id: t.ID}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		inGroups := g.kill()
		marked := killMarked(t.Mark)
		if !inGroups && !marked {
			break
		}
		time.Sleep(wait)
	}
	if err := g.remove(); err != nil {
		r.log().Error("removing a control group", "task", t.ID, "error", err)
	}
}
