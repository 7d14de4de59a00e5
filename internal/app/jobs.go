package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	stdruntime "runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/batch/remote"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/runtime"
)

// Jobs is how jobs are run.
type Jobs struct {
	// Room is what container jobs may use of this machine all together; zero members = all of its vCPUs, three quarters of its memory.
	Room runtime.Resources
	// Host lets jobs run commands of this machine itself, with the image "host". It is never given while others than this machine can reach Neap.
	Host bool
	// User is whom they run as; "" = somebody of their own for each, where Neap may do that.
	User string
	// Images is a folder of images; "" = none.
	Images string
	// Docker is the socket of a Docker Engine; "" = none is used.
	Docker string
	// SpotQueue and OnDemandQueue are the queues of AWS Batch that jobs go to which name none, by their priority.
	SpotQueue, OnDemandQueue string
	// Hosted are the runtimes of this machine, instead of its own; for tests.
	Hosted []runtime.Runtime
}

// jobs wires the batch room.
func (a *App) jobs(ctx context.Context, facts *catalog.Cloud, forms jobForms, books *ledger.Ledger, machine string) error {
	c := a.config
	room, err := c.Jobs.room()
	if err != nil {
		return err
	}
	hosted, err := a.hosted()
	if err != nil {
		return err
	}
	a.Capacity = capacity.New(capacity.Config{DB: a.db, Fleet: a.Fleet, Catalog: facts, Clock: a.clock, Limit: room, Log: c.Log})
	instances := instance.New(instance.Config{DB: a.db, Fleet: a.Fleet, Form: forms.instance, Clouds: a.clouds, Catalog: facts, Clock: a.clock, Log: c.Log})
	a.Workflow.AddPeriodic(instances.Periodic())
	self, err := a.Identity.Installation(ctx)
	if err != nil {
		return err
	}
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
		Room:         room, Machine: machine, Alive: a.replicas.alive, Log: c.Log,
	})
	return nil
}

// jobForms are the ways in which the machines of jobs are written down for the fleet room.
type jobForms struct{ instance instance.Form }

func (f jobForms) all() []fleet.Form { return []fleet.Form{capacity.Form{}, f.instance} }

// hosted are the runtimes of this machine.
func (a *App) hosted() ([]runtime.Runtime, error) {
	if a.config.Jobs.Hosted != nil {
		return a.config.Jobs.Hosted, nil
	}
	return nil, nil
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
	room := j.Room
	if room.MilliCPU == 0 {
		room.MilliCPU = int64(stdruntime.NumCPU()) * 1000
	}
	if room.MemoryMiB > 0 {
		return room, nil
	}
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return room, fmt.Errorf("find out how much memory this machine has: %w", err)
	}
	room.MemoryMiB = int64(machine.Totalram) * int64(machine.Unit) / 4 * 3 >> 20
	return room, nil
}
