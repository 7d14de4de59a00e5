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
	// provider is an account's cloud as it is, when that is not the simulated one. It is asked for whenever Neap needs it.
	provider func(account string, simulated cloud.Provider) cloud.Provider
	region   string
	launches string // the members region, compute of a group's document; see simulated
	began    func() time.Time
	// truth is every instance that the account ever had, with the token that started it.
	truth func(ctx context.Context, n *apptest.Neap) ([]started, error)
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
	return far{
		provider: func(_ string, simulated cloud.Provider) cloud.Provider { return simulated },
		region:   "us-east-1",
		launches: `"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large","c5.large","m6i.large","r5.large"]},
			"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0de30a01"]},{"name":"us-east-1b","subnetIds":["subnet-0de30b02"]}],
			"launchSpecification":{"imageId":"ami-0de30000000000001","securityGroupIds":["sg-0de30000000000001"],"monitoring":false,
			"healthCheckType":"EC2","healthCheckGracePeriod":60,"healthCheckUnhealthyDurationBeforeReplacement":60}}`,
		began: func() time.Time { return apptest.Epoch },
		truth: func(ctx context.Context, n *apptest.Neap) (all []started, err error) {
			ledger, err := n.Cloud.Ledger(ctx)
			for _, i := range ledger.Instances {
				all = append(all, started{i.Instance, i.Token})
			}
			return all, err
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
	n := apptest.Start(t, func(c *app.Config) {
		c.Seed = int64(seed%1_000_000) + 1
		c.Unusual = app.Unusual{Tuning: &tuning, Around: func(c clock.Clock, account string, p cloud.Provider) cloud.Provider {
			return m.Wrap(c, account, f.provider(account, p))
		}}
		c.Log = quiet(t)
	})
	n.Clock.Advance(f.began().Sub(n.Clock.Now()))
	return n
}
