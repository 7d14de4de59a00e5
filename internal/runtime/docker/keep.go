package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/runtime"
)

// keep brings a task to its end, from wherever it stands, and tries again what fails for now.
func (r *Runtime) keep(t *task) {
	k := &keeper{Runtime: r, task: t}
	attempt := 0
	for {
		err := k.advance(r.ctx)
		if t.now().over() || r.ctx.Err() != nil {
			break
		}
		var end *hopeless
		if errors.As(err, &end) {
			if err = k.conclude(runtime.Ended, runtime.Exit{Code: end.code, Reason: end.sentence}, time.Now()); err == nil {
				break
			}
		}
		if err == nil {
			attempt = 0
			continue
		}
		r.config.Log.Warn("a container's task has to wait", "task", t.now().Spec.ID, "err", err)
		if t.because(fmt.Sprintf("Docker can't go on with it for now: %v.", err)) {
			r.watches.tell(t.now().Spec.ID, false)
		}
		select {
		case <-r.ctx.Done():
		case <-t.changed:
		case <-time.After(r.pauses[min(attempt, len(r.pauses)-1)]):
		}
		attempt++
	}
	if err := t.lines.close(); err != nil {
		r.config.Log.Warn("output of a container's task", "task", t.now().Spec.ID, "err", err)
	}
}

// hopeless ends a task that can't be begun.
type hopeless struct {
	code     int
	sentence string
}

func (h *hopeless) Error() string { return h.sentence }

// Docker's own codes for what never began.
const (
	codeNotBegun   = 125
	codeNotAllowed = 126
	codeUnknown    = 127
)

// keeper is a task's life in this process.
type keeper struct {
	*Runtime
	*task
	watched  bool      // this process saw it end
	complete bool      // all of its output has been taken down
	broke    time.Time // when Docker went away while it ran
	pulls    int       // attempts at its image that failed
}

// advance takes a task as far as it goes: to its end, or to an error after which to try again.
func (k *keeper) advance(ctx context.Context) error {
	now := k.now()
	found, err := k.docker.ContainerInspect(ctx, k.containerName(now.Spec.ID), client.ContainerInspectOptions{})
	switch {
	case errdefs.IsNotFound(err) && now.Created:
		return k.lose("Its container was removed by somebody else.")
	case errdefs.IsNotFound(err) && !now.EndBy.IsZero():
		return k.conclude(runtime.Ended, killed(), time.Now())
	case errdefs.IsNotFound(err):
		return k.create(ctx, now.Spec)
	case err != nil:
		return err
	}
	if found.Container.Config == nil || found.Container.State == nil || found.Container.Config.Labels[labelTask] != now.Spec.ID {
		return &hopeless{codeNotBegun, "Another container has the name " + k.containerName(now.Spec.ID) + "; remove it."}
	}
	switch found.Container.State.Status {
	case container.StateCreated:
		if !now.EndBy.IsZero() {
			return k.conclude(runtime.Ended, killed(), time.Now())
		}
		return k.start(ctx, now.Spec, found.Container.ID)
	case container.StateRunning, container.StatePaused, container.StateRestarting:
		if err := k.running(found.Container); err != nil {
			return err
		}
		return k.follow(ctx, found.Container.ID)
	default:
		if err := k.running(found.Container); err != nil {
			return err
		}
		return k.end(ctx, found.Container)
	}
}

// start starts a container that was created, with its output connected before anything of it runs, so that no line is missed.
func (k *keeper) start(ctx context.Context, spec runtime.Spec, id string) error {
	if spec.Checkpoint != "" {
		if err := k.openCheckpoint(ctx, id); err != nil {
			return err
		}
	}
	select {
	case k.begin <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	attached, started, err := k.launch(ctx, id)
	<-k.begin
	if err != nil {
		return err
	}
	defer attached.Close()
	if err := k.running(started); err != nil {
		return err
	}
	return k.wait(ctx, id, &collector{keeper: k, in: &frames{in: attached.Reader}}, attached.Close)
}

func (k *keeper) launch(ctx context.Context, id string) (attached client.ContainerAttachResult, started container.InspectResponse, err error) {
	attached, err = k.docker.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return attached, started, err
	}
	_, failure := k.docker.ContainerStart(ctx, id, client.ContainerStartOptions{})
	found, err := k.docker.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err == nil && failure != nil {
		err = failure
		if found.Container.State != nil && found.Container.State.Status == container.StateCreated && found.Container.State.ExitCode != 0 {
			err = refusedStart(found.Container)
		}
	}
	if err != nil {
		attached.Close()
	}
	return attached, found.Container, err
}

// running notes that a task has begun.
func (k *keeper) running(found container.InspectResponse) error {
	k.because("")
	if k.now().State == runtime.Running {
		return nil
	}
	began, err := time.Parse(time.RFC3339Nano, found.State.StartedAt)
	if err != nil {
		return fmt.Errorf("docker: when a container began: %w", err)
	}
	if err := k.change(func(r *record) { r.State, r.Started = runtime.Running, began }); err != nil {
		return err
	}
	k.watches.tell(k.now().Spec.ID, true)
	return nil
}

// follow takes up the output of a container that runs already.
func (k *keeper) follow(ctx context.Context, id string) error {
	log, err := k.log(ctx, id, true)
	if err != nil {
		return err
	}
	defer k.letGo(log)
	return k.wait(ctx, id, k.replay(log), func() { k.letGo(log) })
}

// lastWords is how long the output of a container that has ended may still be on its way.
const lastWords = 5 * time.Second

// wait takes output down until the container has ended, and sees to it that it ends when it must.
func (k *keeper) wait(ctx context.Context, id string, c *collector, hangUp func()) error {
	ctx, cancel := context.WithCancel(ctx)
	enforced := make(chan struct{})
	go func() {
		defer close(enforced)
		k.enforce(ctx, id)
	}()
	defer func() {
		cancel()
		<-enforced
	}()
	defer context.AfterFunc(ctx, hangUp)()
	collected, ended := make(chan error, 1), make(chan error, 1)
	go func() { collected <- c.run() }()
	go func() { ended <- k.untilEnded(ctx, id) }()
	var taken bool // all of the output
	select {
	case err := <-collected:
		if err != nil {
			// Nobody reads any more, and a task must not wait for that.
			hangUp()
			cancel()
			<-ended
			return err
		}
		taken = true
		if err := <-ended; err != nil {
			return k.left(err)
		}
	case err := <-ended:
		if err != nil {
			hangUp()
			<-collected
			return k.left(err)
		}
		late := time.AfterFunc(lastWords, hangUp)
		taken = <-collected == nil
		late.Stop()
	}
	k.watched = true
	if taken && !c.in.stamped {
		k.complete = true
		return c.end()
	}
	return nil // what is missing is in the log
}

// left notes that Docker went away.
func (k *keeper) left(err error) error {
	k.broke = time.Now()
	return err
}

func (k *keeper) untilEnded(ctx context.Context, id string) error {
	waiting := k.docker.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case <-waiting.Result:
		return nil
	case err := <-waiting.Error:
		return err
	}
}
