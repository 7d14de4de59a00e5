// Package capacity keeps machines for jobs: an elastic fleet per lane, as large as its queue needs.
//
// It owns lanes, named queues and how many machines a demand is worth. It must not know jobs: who gets which machine is the dispatcher's. Start reading at Capacity; Fleets keeps the
// promises, by the rule in size.
package capacity

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
	"github.com/neap-cloud/neap/internal/runtime"
)

// The queues that every region has without being asked.
const (
	SpotQueue     = "spot"
	OnDemandQueue = "on-demand"
)

// Lane is where jobs wait together: a queue in a region of an account's cloud.
type Lane struct {
	Account string `json:"account"`
	Cloud   string `json:"cloud"` // "aws", "azure"
	Region  string `json:"region"`
	Queue   string `json:"queue"`
}

// Queue is a named queue that runs on machines of Neap's.
type Queue struct {
	Lane
	Lifecycle cloud.Lifecycle   `json:"lifecycle"`
	Types     []string          `json:"types,omitempty"` // instance types that it may use; none = any current general ones
	Most      runtime.Resources `json:"most"`            // of all its machines together; a member that is zero = as much as there is
	Created   time.Time         `json:"created"`
}

// Host is a machine of a lane.
type Host struct {
	ID        string // the instance's
	Lane      Lane
	Group     string // the fleet that it belongs to, and that the ledger books it under
	Type      string
	Zone      string
	Lifecycle cloud.Lifecycle
	Price     money.Price       // of an hour, now
	Has       runtime.Resources // what its tasks may use: all that its type has, but no more than the installation lends
	Since     time.Time         // when the cloud started it, in engine time
	// Ready says that it takes tasks. It is false while the machine starts, from the moment on when it is to go, while the cloud is in doubt about it, and while the installation has no
	// room for it, or needs its room: then what runs on it goes on, and nothing is added.
	Ready bool
	// Until is when a machine that is to go will be gone (engine time); zero = it stays. Tasks on it may go on until shortly before.
	Until time.Time
	// Gone says that it has ended: whatever ran on it runs no more.
	Gone bool
}

// Demand is what a lane's jobs need now.
type Demand struct {
	Busy    map[string]runtime.Resources // by host: what runs on it; a host that is left out has no work, and may go
	Waiting []runtime.Resources          // of jobs that should run now and for which no machine has room, in their order, at most a few thousand
}

// Capacity keeps the machines. Its methods are called from one goroutine of one replica at a time.
type Capacity interface {
	// Hosts are the machines of all lanes, with those that have gone since the last call or within the last minutes. Those that stay lend no more together than
	// the installation may; what still runs on those that leave is for the caller to count.
	Hosts(ctx context.Context) ([]Host, error)
	// Want says what a lane needs now; it is called whenever that has changed, and at least once a minute while there is something. It lets the lane's fleet grow
	// at once, and lets machines go that have been idle for a while. A lane that it was never told of has no fleet.
	Want(ctx context.Context, lane Lane, demand Demand) error
	// Fits says whether a lane could ever hold such a task: nil, or a *runtime.Refusal of kind Never with the reason.
	Fits(ctx context.Context, lane Lane, task runtime.Resources) error
	// Lanes are those of an account that have, or had, machines, by the groups that the ledger books the machines under; a lane may have several.
	Lanes(ctx context.Context, account string) (map[string]Lane, error)
	// Queues are the named queues of an account, with the two that each region has left out.
	Queues(ctx context.Context, account string) ([]Queue, error)
	// PutQueue makes or changes one; fault.Invalid when it can't be.
	PutQueue(ctx context.Context, q Queue) (Queue, error)
	// DropQueue removes one; fault.Conflict while machines of it run.
	DropQueue(ctx context.Context, lane Lane) error
}
