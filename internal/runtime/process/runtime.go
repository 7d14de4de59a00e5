//go:build linux

package process

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/runtime"
)

// Runtime runs tasks as processes. Several may not share a folder.
type Runtime struct {
	config   Config
	groups   hierarchies
	images   *images
	places   places
	events   *os.File // a named pipe into which supervisors write the ids of their tasks
	lock     *os.File
	watchers watchers
	waiting  sync.WaitGroup

	mu       sync.Mutex
	accounts *accounts
	tasks    map[string]*task
	closed   bool
	attended map[*os.File]bool // supervisors of an earlier Neap; Close closes them, so that nobody waits on them
}

// record is what is known of a task before it begins.
type record struct {
	ID         string    `json:"id"`
	Mark       string    `json:"mark"`
	UID        int       `json:"uid"`
	Checkpoint string    `json:"checkpoint,omitempty"`
	Made       time.Time `json:"made"`
}

// task is one that was begun, or is about to be. The lock of Runtime guards it.
type task struct {
	record
	ready   chan struct{} // closed once it is known whether it could be begun
	failed  error         // why not
	onFile  bool
	ended   *ended // once it has; then it never changes again
	lines   int64  // of one that has ended
	started begun  // of one that has ended
}

// places are the folders below Config.Folder.
type places struct{ control, records, tasks, images, work, checkpoints string }

func (p places) of(id string) string          { return filepath.Join(p.tasks, id) }
func (p places) recordOf(id string) string    { return filepath.Join(p.records, id) }
func (p places) workOf(id string) string      { return filepath.Join(p.work, id) }
func (p places) checkpointOf(n string) string { return filepath.Join(p.checkpoints, n) }

// names are what ids and names of checkpoints look like; they become names of files.
var names = regexp.MustCompile(`^[A-Za-z0-9-][A-Za-z0-9.-]{0,63}$`)

// New opens a folder of tasks, and finds again what an earlier Neap started in it. What of that has lost its supervisor is ended before New returns.
func New(c Config) (*Runtime, error) {
	c = c.complete()
	folder, err := filepath.Abs(c.Folder)
	if err != nil {
		return nil, err
	}
	c.Folder = folder
	r := &Runtime{config: c, tasks: map[string]*task{}, attended: map[*os.File]bool{}}
	if err := keepDescriptors(); err != nil { // supervisors live long, and would hold them open
		return nil, err
	}
	if r.accounts, err = newAccounts(c); err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		return nil, fmt.Errorf("opening the folder of tasks %s: %w", folder, err)
	}
	r.groups = detect(cgroupRoot, "neap-"+fingerprint(folder))
	r.images = newImages(c, r.places)
	if err := r.adopt(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.waiting.Go(r.listen)
	c.Log.Info("tasks run as processes", "folder", folder, "limits", r.groups.label(), "images", r.images.summary(), "adopted", len(r.tasks))
	return r, nil
}

func fingerprint(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:12] }

// open makes the folders and takes the lock on them.
func (r *Runtime) open() error {
	top := r.config.Folder
	if err := os.MkdirAll(top, 0o711); err != nil {
		return err
	}
	control := filepath.Join(top, "control")
	work, err := r.workFolder()
	if err != nil {
		return err
	}
	r.places = places{
		control: control, records: filepath.Join(control, "records"), tasks: filepath.Join(control, "tasks"), images: filepath.Join(control, "images"),
		work: filepath.Join(work, "work"), checkpoints: filepath.Join(work, "checkpoints"),
	}
	for _, folder := range []string{control, r.places.records, r.places.tasks, r.places.images} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	for _, folder := range []string{work, r.places.work, r.places.checkpoints} {
		if err := makeOwn(folder, 0o711); err != nil { // tasks pass through, and see no others' names
			return err
		}
	}
	if r.lock, err = os.OpenFile(filepath.Join(control, lockFile), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err = takeLock(r.lock); err == nil {
		r.events, err = openEvents(filepath.Join(control, "events"))
	}
	if err != nil {
		return errors.Join(err, r.lock.Close())
	}
	return nil
}

func openEvents(name string) (*os.File, error) {
	if err := unix.Mkfifo(name, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// Open for writing too, so that it does not end when the last supervisor closes it.
	return os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0)
}

// takeLock waits a moment: what a process that is just being started inherits holds a lock until it runs its own program.
func takeLock(file *os.File) error {
	for patience := 100; ; patience-- {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if patience == 0 {
			return errors.New("another Neap uses it")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// workFolder is where tasks work: in the folder, unless users of tasks can't reach it there.
func (r *Runtime) workFolder() (string, error) {
	top := r.config.Folder
	if r.accounts.fixed != nil && !r.accounts.fixed.change {
		return top, nil
	}
	for at := top; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return "", err
		}
		if info.Mode()&0o001 == 0 {
			return filepath.Join("/var/tmp", "neap-"+fingerprint(top)), nil
		}
		if at == filepath.Dir(at) {
			return top, nil
		}
	}
}

// makeOwn makes a folder, or makes sure that the one that is there is this user's own.
func makeOwn(name string, mode fs.FileMode) error {
	if err := os.MkdirAll(name, mode); err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Lstat(name, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to somebody else; remove it", name)
	}
	return os.Chmod(name, mode)
}

// Close lets go of the folder, and removes what lies outside of it and is empty. Tasks go on.
func (r *Runtime) Close() error {
	r.mu.Lock()
	files := []*os.File{r.events, r.lock}
	for pidfd := range r.attended {
		files = append(files, pidfd)
	}
	clear(r.attended)
	first := !r.closed
	r.closed = true
	busy := false
	for _, t := range r.tasks {
		busy = busy || t.ended == nil
	}
	r.mu.Unlock()
	if !first {
		return nil
	}
	var failed error
	for _, file := range files {
		failed = errors.Join(failed, file.Close())
	}
	r.waiting.Wait()
	if busy {
		return failed // a supervisor may be about to make its task's group
	}
	r.groups.removeEmpty()
	if outside := filepath.Dir(r.places.work); outside != r.config.Folder {
		for _, folder := range []string{r.places.work, r.places.checkpoints, outside} {
			_ = os.Remove(folder) // it is in use
		}
	}
	return failed
}

// Info says that tasks run here, and keep their checkpoints.
func (r *Runtime) Info() runtime.Info {
	return runtime.Info{Name: "process", Local: true, Checkpoints: true}
}

func never(format string, values ...any) *runtime.Refusal {
	return &runtime.Refusal{Kind: runtime.Never, Message: fmt.Sprintf(format, values...)}
}

// Check refuses what is malformed, and images that this machine can't or may not run.
func (r *Runtime) Check(ctx context.Context, spec runtime.Spec) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !names.MatchString(spec.ID) {
		return never("A task can't be called %q; letters, digits, \"-\" and \".\" make up its id, at most 64, and the first is no \".\".", spec.ID)
	}
	if spec.Checkpoint != "" && !names.MatchString(spec.Checkpoint) {
		return never("A checkpoint can't be called %q; letters, digits, \"-\" and \".\" make up its name, at most 64, and the first is no \".\".", spec.Checkpoint)
	}
	if spec.Resources.GPUs > 0 {
		return never("This machine hands out no GPUs to its processes.")
	}
	for _, name := range sorted(spec.Env) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(spec.Env[name], "\x00") {
			return never("The environment can't hold the variable %q: its name must not be empty or hold a \"=\", and neither name nor value may hold a NUL.", name)
		}
	}
	if slices.ContainsFunc(spec.Command, func(word string) bool { return strings.Contains(word, "\x00") }) {
		return never("A command can't hold a NUL.")
	}
	return r.images.check(spec)
}

func sorted(env map[string]string) []string {
	var all []string
	for name := range env {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Start begins a task, once. Where its image has to be unpacked first, that is waited for.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) error {
	if err := r.Check(ctx, spec); err != nil {
		return err
	}
	t, mine, err := r.claim(spec)
	if err != nil {
		return err
	}
	if !mine {
		select {
		case <-t.ready:
			return t.failed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err = r.begin(ctx, t, spec)
	r.mu.Lock()
	if err != nil {
		t.failed = err
		r.drop(t)
	}
	r.mu.Unlock()
	close(t.ready)
	return err
}

// claim gives the task of an id, and whether the caller is the one to begin it.
func (r *Runtime) claim(spec runtime.Spec) (t *task, mine bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.tasks[spec.ID]; ok {
		return t, false, nil
	}
	if r.closed {
		return nil, false, errors.New("this runtime was closed")
	}
	who, err := r.accounts.take()
	if err != nil {
		return nil, false, err
	}
	t = &task{record: record{ID: spec.ID, Mark: ident.Hex(16), UID: who.uid, Checkpoint: spec.Checkpoint, Made: time.Now()}, ready: make(chan struct{})}
	r.tasks[spec.ID] = t
	return t, true, nil
}

// drop forgets a task in memory; its user is free for another.
func (r *Runtime) drop(t *task) {
	if t.ended == nil {
		r.accounts.free(t.UID)
	}
	delete(r.tasks, t.ID)
}

// Known is runtime.Lister's.
func (r *Runtime) Known(context.Context) (ids []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.tasks)), nil
}

// Tasks tells how tasks stand, from their files where they go on.
func (r *Runtime) Tasks(ctx context.Context, ids []string) ([]runtime.Task, error) {
	var found []runtime.Task
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.mu.Lock()
		t, known := r.tasks[id]
		known = known && t.onFile
		var copied task
		if known {
			copied = *t
		}
		r.mu.Unlock()
		if known {
			found = append(found, r.describe(copied))
		}
	}
	return found, ctx.Err()
}

func (r *Runtime) describe(t task) runtime.Task {
	told := runtime.Task{ID: t.ID, State: runtime.Starting}
	if t.ended != nil {
		told.State, told.Started, told.Limits, told.Lines = runtime.Ended, t.started.Started, t.started.Limits, t.lines
		told.Ended, told.Exit, told.Reason = t.ended.Ended, t.ended.Exit, t.ended.Reason
		if t.ended.Lost {
			told.State = runtime.Lost
		}
		return told
	}
	var b begun
	if read(filepath.Join(r.places.of(t.ID), begunFile), &b) == nil {
		told.State, told.Started, told.Limits = runtime.Running, b.Started, b.Limits
		told.Lines = linesOf(r.places.of(t.ID))
	}
	return told
}

// Watch tells of tasks as their supervisors do.
func (r *Runtime) Watch(ctx context.Context) <-chan []string { return r.watchers.add(ctx) }

// Output reads a task's log.
func (r *Runtime) Output(ctx context.Context, id string, after int64, limit int) ([]runtime.Line, error) {
	if err := ctx.Err(); err != nil || limit <= 0 || !r.knows(id) {
		return nil, err
	}
	return readLog(r.places.of(id), max(after, 0), limit)
}

func (r *Runtime) knows(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.tasks[id]
	return ok && t.onFile
}

// Forget drops a task's record first, so that what a crash leaves of it is rubbish for the next New.
func (r *Runtime) Forget(ctx context.Context, id, checkpoint string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	t, known := r.tasks[id]
	if known && t.ended == nil {
		r.mu.Unlock()
		return nil
	}
	for _, other := range r.tasks {
		if other.ended == nil && other.Checkpoint == checkpoint {
			checkpoint = "" // somebody works with it
		}
	}
	r.mu.Unlock()
	if known {
		if err := r.forget(t); err != nil {
			return fmt.Errorf("forgetting the task %s: %w", id, err)
		}
	}
	if checkpoint == "" || !names.MatchString(checkpoint) {
		return nil
	}
	return os.RemoveAll(r.places.checkpointOf(checkpoint))
}

func (r *Runtime) forget(t *task) error {
	if err := os.Remove(r.places.recordOf(t.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncFolder(r.places.records); err != nil {
		return err
	}
	r.mu.Lock()
	if r.tasks[t.ID] == t {
		r.drop(t)
	}
	r.mu.Unlock()
	return errors.Join(os.RemoveAll(r.places.of(t.ID)), os.RemoveAll(r.places.workOf(t.ID)))
}

func (r *Runtime) log() *slog.Logger { return r.config.Log }
