package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/neap-cloud/neap/internal/runtime"
)

// enforce ends a container when word was left that it must go, or when its time is up, until ctx ends. A container that has ended by then is left as it is.
func (k *keeper) enforce(ctx context.Context, id string) {
	asked := false
	for {
		now := k.now()
		due, isDue := now.due()
		wait := time.Until(due)
		switch {
		case isDue && wait <= 0:
			if now.EndBy.IsZero() && now.TimedOut.IsZero() {
				if err := k.change(func(r *record) { r.TimedOut = time.Now() }); err != nil {
					k.config.Log.Error("a task's time is up, and that can't be written down", "task", now.Spec.ID, "err", err)
				}
			}
			k.signal(ctx, id, "KILL")
			wait = again
		case !now.EndBy.IsZero() && !asked:
			asked = k.signal(ctx, id, "TERM")
			if !asked {
				wait = min(wait, again)
			}
		}
		if !isDue {
			wait = forever
		}
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		case <-time.After(wait):
		}
	}
}

const (
	again   = time.Second // between signals that did not help
	forever = 24 * time.Hour
)

// due is when a task that runs must be gone.
func (r record) due() (time.Time, bool) {
	switch {
	case !r.TimedOut.IsZero():
		return r.TimedOut, true
	case !r.EndBy.IsZero():
		return r.EndBy, true
	case r.Spec.Timeout > 0 && !r.Started.IsZero():
		return r.Started.Add(r.Spec.Timeout), true
	}
	return time.Time{}, false
}

func (k *keeper) signal(ctx context.Context, id, name string) (sent bool) {
	_, err := k.docker.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: name})
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) { // it has ended
		return true
	}
	if ctx.Err() == nil {
		k.config.Log.Warn("a container can't be signalled", "container", id, "signal", name, "err", err)
	}
	return false
}

// end notes how a container ended that runs no more.
func (k *keeper) end(ctx context.Context, found container.InspectResponse) error {
	if !k.complete {
		if err := k.takeRest(ctx, found.ID); err != nil {
			return err
		}
	}
	finished, err := time.Parse(time.RFC3339Nano, found.State.FinishedAt)
	if err != nil {
		return fmt.Errorf("docker: when a container ended: %w", err)
	}
	exit := k.now().exit(*found.State, finished)
	lost, err := k.endedFromOutside(ctx, found.ID, exit, finished)
	if err != nil {
		return err
	}
	if lost {
		return k.lose("Docker, or somebody at it, ended it.")
	}
	if exit.Code == codeUnknown && k.lines.mentions(noSuchCommand) {
		exit.Reason = "There is no such command: " + k.command() + "."
	}
	return k.conclude(runtime.Ended, exit, finished)
}

// noSuchCommand is how Docker's init begins its complaint.
const noSuchCommand = "[FATAL tini"

// command is the first word of what a task runs.
func (k *keeper) command() string {
	if command := k.now().Spec.Command; len(command) > 0 {
		return command[0]
	}
	return "the image's own"
}

// takeRest takes down what the log has and the files have not.
func (k *keeper) takeRest(ctx context.Context, id string) error {
	log, err := k.log(ctx, id, false)
	if err != nil {
		return err
	}
	defer k.letGo(log)
	c := k.replay(log)
	if err := c.run(); err != nil {
		return err
	}
	k.complete = true
	return c.end()
}

// exit tells how a container ended. Docker's init passes a signal on as 128 and its number, so that such a code counts as the signal.
func (r record) exit(state container.State, finished time.Time) runtime.Exit {
	code := state.ExitCode
	exit := runtime.Exit{Code: code, Signal: signalName(code - 128), OutOfMemory: state.OOMKilled && code != 0}
	switch {
	case !r.TimedOut.IsZero():
		exit.TimedOut = !finished.Before(r.TimedOut)
	case !r.Asked.IsZero():
		exit.Stopped = !finished.Before(r.Asked)
	}
	return exit
}

// endedFromOutside says that a task ended because Docker did, or because somebody stopped it there: then its exit code says nothing about the command. Without live
// restore Docker takes all containers with it, which may end properly upon its TERM.
func (k *keeper) endedFromOutside(ctx context.Context, id string, exit runtime.Exit, finished time.Time) (bool, error) {
	if exit.TimedOut || exit.Stopped || exit.OutOfMemory {
		return false, nil
	}
	signalled, err := k.signalled(ctx, id)
	if err != nil {
		// Docker is just going, and will not remember.
		k.watched, k.broke = false, time.Now()
		return false, err
	}
	switch {
	case signalled:
		return true, nil
	case k.watched:
		return false, nil
	case exit.Signal == "TERM", exit.Signal == "KILL", exit.Code == 255: // 255 is what Docker writes when it found it dead
		return true, nil
	case k.broke.IsZero(), finished.Before(k.broke.Add(-time.Second)):
		return false, nil
	}
	info, err := k.docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		return false, err
	}
	return !info.Info.LiveRestoreEnabled, nil
}

// signalled says whether Docker remembers that somebody had it signal a container; it remembers a few hundred things of all its containers.
func (k *keeper) signalled(ctx context.Context, id string) (bool, error) {
	remembered := k.docker.Events(ctx, client.EventsListOptions{
		Since: k.now().Started.Format(time.RFC3339Nano), Until: time.Now().Format(time.RFC3339Nano),
		Filters: client.Filters{}.Add("container", id).Add("event", "kill"),
	})
	found := false
	for {
		select {
		case <-remembered.Messages:
			found = true
		case err := <-remembered.Err:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if err == nil && !found { // a Docker that goes ends its answer like one that knows of nothing
				_, err = k.docker.Ping(ctx, client.PingOptions{})
			}
			return found, err
		}
	}
}

// signalName names signals that end a process; "" = it is none.
func signalName(number int) string {
	names := map[int]string{1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1", 11: "SEGV", 12: "USR2",
		13: "PIPE", 14: "ALRM", 15: "TERM", 24: "XCPU", 25: "XFSZ", 31: "SYS"}
	return names[number]
}

// killed is how a task ends that was stopped before anything of it ran.
func killed() runtime.Exit { return runtime.Exit{Code: 137, Signal: "KILL", Stopped: true} }

// refusedStart tells why Docker could not start a container.
func refusedStart(found container.InspectResponse) error {
	text := strings.TrimSuffix(found.State.Error, ": unknown")
	switch {
	case found.State.ExitCode == codeUnknown && len(found.Config.Cmd)+len(found.Config.Entrypoint) > 0:
		words := append(append([]string(nil), found.Config.Entrypoint...), found.Config.Cmd...)
		return &hopeless{codeUnknown, "There is no such command: " + words[0] + "."}
	case found.State.ExitCode == codeNotAllowed:
		return &hopeless{codeNotAllowed, "Docker could not start it: " + text + "."}
	}
	return &hopeless{codeNotBegun, "Docker could not start it: " + text + "."}
}

func (k *keeper) lose(why string) error {
	return k.settle(func(r *record) { r.State, r.Reason, r.Ended = runtime.Lost, why, time.Now() })
}

func (k *keeper) conclude(state runtime.State, exit runtime.Exit, at time.Time) error {
	return k.settle(func(r *record) {
		r.State, r.Exit, r.Ended = state, exit, at
		if r.Ended.Before(r.Started) { // Docker notes the start of a short one later than its end
			r.Ended = r.Started
		}
	})
}

// settle writes a task's end down; nothing changes it any more. Its container has nothing more to tell and goes before anybody hears of it, so that its room is free.
func (k *keeper) settle(alter func(*record)) error {
	if err := k.lines.flush(); err != nil {
		return err
	}
	over := k.now()
	alter(&over)
	over.Lines, over.Spec.Env = k.lines.count(), nil
	if err := over.save(k.dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.ctx), removal)
	defer cancel()
	if err := k.removeContainer(ctx, over.Spec.ID); err != nil {
		k.config.Log.Warn("the container of a task that has ended stays until it is forgotten", "task", over.Spec.ID, "err", err)
	}
	if err := k.change(func(r *record) { *r = over }); err != nil {
		return err
	}
	k.watches.tell(over.Spec.ID, true)
	return nil
}

// removal is how long removing a container may hold up the news of its end.
const removal = 10 * time.Second

// letGo closes what was only read: that it fails changes nothing.
func (r *Runtime) letGo(c io.Closer) {
	if err := c.Close(); err != nil {
		r.config.Log.Debug("a connection to Docker ends with an error", "err", err)
	}
}
