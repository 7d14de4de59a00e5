package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/runtime"
)

// The labels by which containers and volumes are known, and a lost record made again.
const (
	labelInstallation = "neap.installation"
	labelTask         = "neap.task"
	labelTimeout      = "neap.timeout" // in nanoseconds from the container's start
	labelCheckpoint   = "neap.checkpoint"
)

// Where a task finds its checkpoint folder.
const (
	checkpointVariable = "NEAP_CHECKPOINT_DIR"
	checkpointParent   = "/neap"
	checkpointFolder   = "checkpoint"
	checkpointPath     = checkpointParent + "/" + checkpointFolder
)

const (
	mostProcesses = 4096
	logSize       = "16m" // of one of two files; it only bridges the time in which nobody of us reads
)

func (r *Runtime) containerName(id string) string { return "neap-" + r.config.Installation + "-" + id }

// volumeName is made of a digest, because a checkpoint's name is free.
func (r *Runtime) volumeName(checkpoint string) string {
	sum := sha256.Sum256([]byte(checkpoint))
	return "neap-" + r.config.Installation + "-checkpoint-" + hex.EncodeToString(sum[:12])
}

// create makes a task's container, which does not run yet. One that is there already is as good.
func (k *keeper) create(ctx context.Context, spec runtime.Spec) error {
	if err := k.image(ctx, spec); err != nil {
		return err
	}
	if spec.Checkpoint != "" {
		labels := map[string]string{labelInstallation: k.config.Installation, labelCheckpoint: spec.Checkpoint}
		if _, err := k.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: k.volumeName(spec.Checkpoint), Labels: labels}); err != nil {
			return err
		}
	}
	_, err := k.docker.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: k.containerName(spec.ID), Config: k.inside(spec), HostConfig: k.around(spec),
	})
	switch {
	case errdefs.IsConflict(err): // whose it is shows when it is looked at
	case errdefs.IsInvalidArgument(err):
		return &hopeless{codeNotBegun, fmt.Sprintf("Docker refuses to make its container: %v.", err)}
	case err != nil:
		return err
	}
	return k.change(func(r *record) { r.Created, r.Spec.Env = true, nil })
}

// inside is what the task itself sees.
func (r *Runtime) inside(spec runtime.Spec) *container.Config {
	labels := maps.Clone(spec.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[labelInstallation], labels[labelTask] = r.config.Installation, spec.ID
	if spec.Timeout > 0 {
		labels[labelTimeout] = strconv.FormatInt(int64(spec.Timeout), 10)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		env = append(env, name+"="+spec.Env[name])
	}
	if spec.Checkpoint != "" {
		labels[labelCheckpoint] = spec.Checkpoint
		env = append(env, checkpointVariable+"="+checkpointPath)
	}
	return &container.Config{Image: spec.Image, Cmd: spec.Command, Env: env, Labels: labels}
}

// around is what keeps the task in bounds.
func (r *Runtime) around(spec runtime.Spec) *container.HostConfig {
	memory, processes, init := spec.Resources.MemoryMiB<<20, int64(mostProcesses), true
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(r.config.Network),
		LogConfig:   container.LogConfig{Type: "local", Config: map[string]string{"max-size": logSize, "max-file": "2"}},
		Init:        &init, // it ends what the command leaves behind, and passes signals on
		SecurityOpt: []string{"no-new-privileges"},
		CapDrop:     []string{"ALL"},
		// Docker's own list without what reaches beyond the container: no devices, raw packets, audit records.
		CapAdd:    []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"},
		Resources: container.Resources{NanoCPUs: spec.Resources.MilliCPU * 1e6, Memory: memory, MemorySwap: memory, PidsLimit: &processes},
	}
	if spec.Resources.GPUs > 0 {
		host.DeviceRequests = []container.DeviceRequest{{Count: int(spec.Resources.GPUs), Capabilities: [][]string{{"gpu"}}}}
	}
	if spec.Checkpoint != "" {
		host.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: r.volumeName(spec.Checkpoint), Target: checkpointPath}}
	}
	return host
}

// openCheckpoint lets every user write to the checkpoint folder: Docker gives it to root, and an image may run as somebody else.
func (r *Runtime) openCheckpoint(ctx context.Context, id string) error {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: checkpointFolder + "/", Mode: 0o1777}); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	_, err := r.docker.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: checkpointParent, Content: &packed})
	return err
}

func (r *Runtime) removeContainer(ctx context.Context, id string) error {
	found, err := r.docker.ContainerInspect(ctx, r.containerName(id), client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("docker: looking at the container of task %s: %w", id, err)
	}
	if found.Container.Config == nil || found.Container.Config.Labels[labelTask] != id {
		return nil // somebody else's
	}
	_, err = r.docker.ContainerRemove(ctx, found.Container.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("docker: removing the container of task %s: %w", id, err)
	}
	return nil
}

func (r *Runtime) removeCheckpoint(ctx context.Context, checkpoint string) error {
	_, err := r.docker.VolumeRemove(ctx, r.volumeName(checkpoint), client.VolumeRemoveOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("docker: removing a checkpoint's volume: %w", err)
	}
	return nil
}

// adopt takes in containers of this installation that no record is left of, as after the folder was lost: their labels say what must be known. It removes those that
// are left of tasks that have ended.
func (r *Runtime) adopt() {
	for attempt := 0; r.ctx.Err() == nil; attempt++ {
		ours := client.Filters{}.Add("label", labelInstallation+"="+r.config.Installation)
		found, err := r.docker.ContainerList(r.ctx, client.ContainerListOptions{All: true, Filters: ours})
		if err == nil {
			for _, each := range found.Items {
				id := each.Labels[labelTask]
				if t := r.find(id); t == nil {
					r.adoptOne(id, each)
				} else if t.now().over() {
					err = errors.Join(err, r.removeContainer(r.ctx, id))
				}
			}
		}
		if err == nil {
			return
		}
		select {
		case <-r.ctx.Done():
		case <-time.After(r.pauses[min(attempt, len(r.pauses)-1)]):
		}
	}
}

func (r *Runtime) adoptOne(id string, found container.Summary) {
	timeout, err := strconv.ParseInt(found.Labels[labelTimeout], 10, 64)
	if err != nil {
		timeout = 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.tasks[id]; known || !taskID.MatchString(id) {
		return
	}
	t := newTask(r.folder(id), record{Created: true, Spec: runtime.Spec{ID: id, Image: found.Image, Timeout: time.Duration(timeout), Checkpoint: found.Labels[labelCheckpoint]}})
	if err := t.record.enter(t.dir); err != nil {
		r.config.Log.Error("a container without a record can't be taken in", "task", id, "err", err)
		return
	}
	r.tasks[id] = t
	r.work.Go(func() { r.keep(t) })
}
