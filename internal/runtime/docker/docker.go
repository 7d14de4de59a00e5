// Package docker runs tasks as containers of this machine's Docker.
//
// It owns what it keeps of every task in a folder of its own (a record, and the output), and the containers and volumes that carry its installation's label; it
// touches no others. It must not know jobs. A container outlives this process: its successor finds it by the record, and goes on. Start reading at Runtime and keep.
package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/runtime"
)

// Config is what a Runtime needs.
type Config struct {
	Socket       string // of Docker's daemon: "/var/run/docker.sock"
	Dir          string // a folder of its own; it must outlive the process, and nobody else uses it
	Installation string // stands in the names and labels of containers and volumes; letters and digits
	Network      string // that tasks join: a bridge of Docker's; "" = Docker's usual one, "none" = no network
	GPUs         int64  // how many tasks may be given; 0 = Docker is not set up for GPUs here
	Log          *slog.Logger
}

// Runtime is a runtime.Runtime. Make one with Open.
type Runtime struct {
	config  Config
	docker  *client.Client
	watches *watches
	begin   chan struct{} // holds as many as may be created and started at once: Docker gets slower, not faster, with more
	pauses  []time.Duration

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	tasks map[string]*task
}

const startsAtOnce = 8

// Open finds the tasks of its predecessor in the folder, and goes on with them. Docker need not answer yet.
func Open(config Config) (*Runtime, error) {
	if !plainName.MatchString(config.Installation) || config.Network == "host" || strings.HasPrefix(config.Network, "container:") {
		return nil, fmt.Errorf("docker: installation %q, network %q: the first has to be letters and digits, the second a bridge of Docker's or none", config.Installation, config.Network)
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("docker: the folder for tasks: %w", err)
	}
	api, err := client.New(client.WithHost("unix://" + config.Socket))
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	r := &Runtime{
		config: config, docker: api, watches: newWatches(), begin: make(chan struct{}, startsAtOnce), tasks: map[string]*task{},
		pauses: []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if err := r.load(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.work.Go(r.adopt)
	return r, nil
}

// Close lets go of all tasks without touching them: they run on.
func (r *Runtime) Close() error {
	r.cancel()
	r.work.Wait()
	return r.docker.Close()
}

// Info is part of runtime.Runtime.
func (r *Runtime) Info() runtime.Info {
	return runtime.Info{Name: "docker", Local: true, Checkpoints: true}
}

var (
	_ runtime.Runtime = (*Runtime)(nil)
	_ runtime.Lister  = (*Runtime)(nil)
)

func never(format string, args ...any) error {
	return &runtime.Refusal{Kind: runtime.Never, Message: fmt.Sprintf(format, args...)}
}

// plainName is what may stand in the name of a container; Docker itself wants a letter or digit first.
var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9]+$`)
	taskID    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$`)
)

// Check is part of runtime.Runtime.
func (r *Runtime) Check(ctx context.Context, spec runtime.Spec) error {
	if err := r.sensible(spec); err != nil {
		return err
	}
	info, err := r.docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("docker: asking what machine it runs on: %w", err)
	}
	machine := runtime.Resources{MilliCPU: int64(info.Info.NCPU) * 1000, MemoryMiB: info.Info.MemTotal >> 20}
	if spec.Resources.MilliCPU > machine.MilliCPU || spec.Resources.MemoryMiB > machine.MemoryMiB {
		return never("It asks for %g vCPUs and %d MiB, and this machine has %g and %d.",
			float64(spec.Resources.MilliCPU)/1000, spec.Resources.MemoryMiB, float64(machine.MilliCPU)/1000, machine.MemoryMiB)
	}
	return nil
}

// sensible says what about a task is wrong wherever Docker runs.
func (r *Runtime) sensible(spec runtime.Spec) error {
	if !taskID.MatchString(spec.ID) {
		return never("%q is no id of a task: it takes 1 to 64 letters, digits, dots and hyphens, a letter or digit first.", spec.ID)
	}
	if _, err := reference.ParseNormalizedNamed(spec.Image); err != nil || spec.Image == "host" {
		return never("%q is no image that Docker could run; give a reference like registry/name:tag.", spec.Image)
	}
	if spec.Resources.MilliCPU < 0 || spec.Resources.MemoryMiB < 0 || spec.Resources.GPUs < 0 || spec.Timeout < 0 {
		return never("Resources and the timeout must not be negative.")
	}
	if spec.Resources.MemoryMiB > 0 && spec.Resources.MemoryMiB < leastMemoryMiB {
		return never("It asks for %d MiB, and Docker gives no less than %d.", spec.Resources.MemoryMiB, leastMemoryMiB)
	}
	if spec.Resources.GPUs > r.config.GPUs {
		return never("It asks for %d GPUs, and tasks can have %d here.", spec.Resources.GPUs, r.config.GPUs)
	}
	for name, value := range spec.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return never("%q is no name of an environment variable, or its value holds a zero byte.", name)
		}
	}
	for _, word := range spec.Command {
		if strings.ContainsRune(word, 0) {
			return never("The command holds a zero byte.")
		}
	}
	return nil
}

const leastMemoryMiB = 6 // Docker's own bound

// Start is part of runtime.Runtime. It returns once the task is on record; the image is fetched and the container made behind it.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.sensible(spec); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.tasks[spec.ID]; known {
		return nil
	}
	if err := r.ctx.Err(); err != nil {
		return fmt.Errorf("docker: the runtime is closed: %w", err)
	}
	t := newTask(r.folder(spec.ID), record{Spec: spec})
	if err := t.record.enter(t.dir); err != nil {
		return err
	}
	r.tasks[spec.ID] = t
	r.work.Go(func() { r.keep(t) })
	return nil
}

func (r *Runtime) folder(id string) string { return filepath.Join(r.config.Dir, id) }

func (r *Runtime) find(id string) *task {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tasks[id]
}

// Known is part of runtime.Lister.
func (r *Runtime) Known(context.Context) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.tasks)), nil
}

// Tasks is part of runtime.Runtime. While Docker does not answer it tells what was known last, and says so.
func (r *Runtime) Tasks(ctx context.Context, ids []string) ([]runtime.Task, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []runtime.Task
	for _, id := range ids {
		if t := r.find(id); t != nil {
			found = append(found, t.view())
		}
	}
	return found, nil
}

// Watch is part of runtime.Runtime.
func (r *Runtime) Watch(ctx context.Context) <-chan []string { return r.watches.watch(ctx) }

// Stop is part of runtime.Runtime.
func (r *Runtime) Stop(ctx context.Context, id string, grace time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t := r.find(id); t != nil {
		return t.askToEnd(time.Now().Add(grace))
	}
	return nil
}

// Output is part of runtime.Runtime.
func (r *Runtime) Output(ctx context.Context, id string, after int64, limit int) ([]runtime.Line, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := r.find(id)
	if t == nil {
		return nil, nil
	}
	return t.lines.read(after, limit)
}

// Forget is part of runtime.Runtime.
func (r *Runtime) Forget(ctx context.Context, id string, checkpoint string) error {
	t := r.find(id)
	if t != nil {
		if state := t.view().State; state != runtime.Ended && state != runtime.Lost {
			return nil
		}
		if err := r.removeContainer(ctx, id); err != nil {
			return err
		}
	}
	if checkpoint != "" {
		if err := r.removeCheckpoint(ctx, checkpoint); err != nil {
			return err
		}
	}
	if t == nil {
		return nil
	}
	if err := t.lines.close(); err != nil {
		return err
	}
	if err := os.RemoveAll(t.dir); err != nil {
		return fmt.Errorf("docker: dropping what was kept of task %s: %w", id, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tasks, id)
	return nil
}
