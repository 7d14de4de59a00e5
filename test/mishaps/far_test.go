package mishaps

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// far is the cloud of a run: what a run needs to know of one.
type far struct {
	region   string
	launches string        // the members region, compute of a group's document; see simulated
	pace     time.Duration // by the wall, between two steps of the clock: what the cloud needs to answer
	steps    int           // of the clock, between two looks at the truth
	acts     int           // that happen to a group at least
	began    time.Time
	change   func(c *app.Config)            // for a Neap that is to reach it; nil = nothing
	account  func(n *apptest.Neap) string   // of the group
	left     func(n *apptest.Neap) []string // what else than instances is there once the group is gone; nil = nothing can be
	// truth is every instance that the account ever had, with the token that started it.
	truth func(ctx context.Context, n *apptest.Neap) ([]started, error)
	// interrupt and end do something to an instance by the cloud's own door. What cannot be done, as with one on demand, is only told.
	interrupt, end func(ctx context.Context, n *apptest.Neap, victim started) error
}

// started is an instance as its cloud knows it.
type started struct {
	cloud.Instance
	token string
}

func (s started) isAlive() bool {
	return s.State != cloud.ShuttingDown && s.State != cloud.Terminated
}

// simulated is the simulated cloud without whims of its own: what goes wrong is the run's.
func simulated() far {
	const region = "us-east-1"
	return far{
		region: region, pace: 6 * time.Millisecond, steps: 1, acts: 4, began: apptest.Epoch,
		launches: `"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large","c5.large","m6i.large","r5.large"]},
			"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0de30a01"]},{"name":"us-east-1b","subnetIds":["subnet-0de30b02"]}],
			"launchSpecification":{"imageId":"ami-0de30000000000001","securityGroupIds":["sg-0de30000000000001"],"monitoring":false,
			"healthCheckType":"EC2","healthCheckGracePeriod":60,"healthCheckUnhealthyDurationBeforeReplacement":60}}`,
		account: func(n *apptest.Neap) string { return n.Account.ID },
		truth: func(ctx context.Context, n *apptest.Neap) (all []started, err error) {
			ledger, err := n.Cloud.Ledger(ctx)
			for _, i := range ledger.Instances {
				all = append(all, started{i.Instance, i.Token})
			}
			return all, err
		},
		interrupt: func(ctx context.Context, n *apptest.Neap, victim started) error {
			return n.Cloud.Account(n.Account.ID).Interrupt(ctx, region, []string{victim.ID})
		},
		end: func(ctx context.Context, n *apptest.Neap, victim started) error {
			return n.Cloud.Account(n.Account.ID).Terminate(ctx, region, []string{victim.ID})
		},
	}
}

// document is a group of a size on this cloud.
func (f far) document(target int) string {
	return fmt.Sprintf(`{"name":"web","region":%q,"capacity":{"target":%d,"minimum":0,"maximum":40,"unit":"instance"},
		"strategy":{"risk":100,"availabilityVsCost":"balanced","fallbackToOd":true,"drainingTimeout":15},%s}`, f.region, target, strings.TrimSpace(f.launches))
}

// start runs a Neap that sees this cloud through mishaps.
func (f far) start(t *testing.T, m *mishap.Mishaps, seed uint64) *apptest.Neap {
	t.Helper()
	tuning := sim.Tame()
	tuning.Settle, tuning.Remember = 3*time.Second, 30*24*time.Hour
	steps := clock.NewManual(f.began)
	n := apptest.Start(t, func(c *app.Config) {
		c.Seed, c.Clock = int64(seed%1_000_000)+1, steps
		c.Unusual = app.Unusual{Tuning: &tuning, Around: m.Wrap}
		c.Log = quiet(t)
		if f.change != nil {
			f.change(c)
		}
	})
	n.Clock = steps
	return n
}
