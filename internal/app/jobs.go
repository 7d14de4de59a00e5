package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/batch/remote"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/runtime/docker"
	"github.com/neap-cloud/neap/internal/runtime/process"
)

// Jobs is how jobs are run.
type Jobs struct {
	VCPUs     float64 // of this machine that container jobs may use all together; 0 = all
	MemoryMiB int64   // 0 = three quarters of it
	// Host lets jobs run commands of this machine itself, with the image "host". It is never given while others than this machine can reach Neap.
	Host bool
	// User is whom they run as; "" = somebody of their own for each, where Neap may do that.
	User string
	// Images is a folder of images; "" = none.
	Images string
	// Docker is the socket of a Docker Engine; "" = none is used.
	Docker string
	// DockerNetwork is the network that its containers are on; "" = Docker's own default, "none" = none.
	DockerNetwork string
	// SpotQueue and OnDemandQueue are the queues of AWS Batch that jobs go to which name none, by their priority.
	SpotQueue, OnDemandQueue string
	// Hosted are the runtimes of this machine, instead of its own; for tests.
	Hosted []runtime.Runtime
}

// jobs wires the batch room.
func (a *App) jobs(ctx context.Context, simulated, facts *catalog.Cloud, forms jobForms, books *ledger.Ledger, machine string) error {
	c := a.config
	room, err := c.Jobs.room()
	if err != nil {
		return err
	}
	self, err := a.Identity.Installation(ctx)
	if err != nil {
		return err
	}
	hosted, err := a.hosted(self)
	if err != nil {
		return err
	}
	a.metered = newJobMetrics()
	a.Capacity = capacity.New(capacity.Config{DB: a.db, Fleet: a.Fleet, Catalog: simulated, Clock: a.clock, Limit: room, Log: c.Log})
	instances := instance.New(instance.Config{DB: a.db, Fleet: a.Fleet, Form: forms.instance, Clouds: a.clouds, Catalog: facts, Clock: a.clock, Log: c.Log})
	a.Workflow.AddPeriodic(instances.Periodic())
	a.Batch = batch.New(batch.Config{
		DB: a.db, Clock: a.clock, Workflow: a.Workflow, Ledger: books, Capacity: a.Capacity, Market: a.Capacity.Market, Seal: a.Identity,
		Output: &output.Collector{Book: &output.Book{DB: a.db}},
		Simulated: func(ctx context.Context, account string) (bool, error) {
			of, err := a.Identity.Account(ctx, account)
			return of.Cloud == simCloud, err
		},
		Hosted: hosted, Instances: instances,
		Remote:       remote.New(remote.Config{DB: a.db, Clouds: a.clouds, Installation: self.ID, Clock: clock.Wall{}, Log: c.Log}),
		RemoteQueues: map[batch.Priority]string{batch.Low: c.Jobs.SpotQueue, batch.High: c.Jobs.OnDemandQueue},
		Room:         room, Machine: machine, Alive: a.replicas.alive, Meter: a.metered, Log: c.Log,
	})
	a.metered.batch = a.Batch
	return nil
}

// jobForms are the ways in which the machines of jobs are written down for the fleet room.
type jobForms struct{ instance instance.Form }

func (f jobForms) all() []fleet.Form { return []fleet.Form{capacity.Form{}, f.instance} }

// hosted are the runtimes of this machine, the preferred ones first. What is not kept has no folder for them.
func (a *App) hosted(self identity.Installation) (all []runtime.Runtime, err error) {
	j := a.config.Jobs
	if j.Hosted != nil || a.config.Data == "" {
		return j.Hosted, nil
	}
	data, err := filepath.Abs(a.config.Data)
	if err != nil {
		return nil, err
	}
	if process.Supported {
		processes, err := process.New(process.Config{Folder: filepath.Join(data, "tasks"), HostAllowed: j.Host, Images: j.Images, User: j.User, Log: a.config.Log})
		if err != nil {
			return nil, fmt.Errorf("run jobs as processes of this machine: %w", err)
		}
		all, a.locals = append(all, processes), append(a.locals, processes)
	}
	if j.Docker != "" {
		plain := strings.NewReplacer("-", "", "_", "").Replace(self.ID)
		containers, err := docker.Open(docker.Config{Socket: j.Docker, Dir: filepath.Join(data, "containers"), Installation: plain, Network: j.DockerNetwork, Log: a.config.Log})
		if err != nil {
			return nil, fmt.Errorf("run jobs as containers: %w", err)
		}
		all, a.locals = append(all, containers), append(a.locals, containers)
	}
	return all, nil
}

// machine names this machine, for ever: what runs on it is found again by that.
func (a *App) machine() (string, error) {
	if a.config.Data == "" {
		return ident.UUID(), nil
	}
	path := filepath.Join(a.config.Data, "machine")
	name, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		name := ident.UUID()
		return name, a.write("machine", name)
	}
	return strings.TrimSpace(string(name)), err
}

// room is what this machine lends to jobs.
func (j Jobs) room() (runtime.Resources, error) {
	room, err := process.Machine()
	room.MemoryMiB = room.MemoryMiB / 4 * 3
	if j.VCPUs > 0 {
		room.MilliCPU = int64(j.VCPUs * 1000)
	}
	if j.MemoryMiB > 0 {
		room.MemoryMiB = j.MemoryMiB
	}
	return room, err
}

// Supervise is the process beside each task of a job; it tells whether this process was started to be one, and its exit code.
func Supervise(args []string) (is bool, code int) {
	if len(args) != 2 || args[1] != process.ShimArgument {
		return false, 0
	}
	return true, process.Supervise()
}
