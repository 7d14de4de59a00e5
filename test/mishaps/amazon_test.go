package mishaps

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

var amazonFlag = flag.Int("amazon", 3, "how many runs on AWS's stand-in, from -first on")

func TestOnAmazonNothingLeaksEitherAndNothingIsLaunchedTwice(t *testing.T) {
	moto := awstest.Moto(t)
	neap := moto.User(t, awstest.Allow("sts:AssumeRole"))
	awstest.Be(t, neap.Key)
	many(t, *amazonFlag, func(t *testing.T) far { return amazon(apptest.OnAmazon(t, moto, neap, "us-west-2")) })
}

// amazon is AWS's stand-in, by an account that is connected as users connect theirs. The truth comes from the stand-in itself.
func amazon(a *apptest.Amazon) far {
	var account string
	doomed := map[string]time.Time{} // what AWS has announced to take back, and when
	return far{
		region: a.Region, pace: 20 * time.Millisecond, steps: 5, acts: 1, began: time.Now(), launches: amazonGroup(a),
		change: func(c *app.Config) { c.Clouds = a.Clouds() },
		account: func(n *apptest.Neap) string {
			account = a.Connect(n)
			return account
		},
		left: func(n *apptest.Neap) []string { return a.Left(n, account) },
		truth: func(_ context.Context, n *apptest.Neap) (all []started, _ error) {
			for id, at := range doomed {
				if !n.Clock.Now().Before(at) {
					a.Front.End(a.T, a.Region, id, "Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Spot instance termination")
					delete(doomed, id)
				}
			}
			for _, i := range a.Instances(n) {
				all = append(all, started{i, i.Tags["neap:action"]})
			}
			return all, nil
		},
		interrupt: func(_ context.Context, n *apptest.Neap, victim started) error {
			if victim.Market.Lifecycle != cloud.Spot {
				return errors.New("it is on demand")
			}
			a.Announce(victim.ID)
			doomed[victim.ID] = n.Clock.Now().Add(2 * time.Minute)
			return nil
		},
		end: func(_ context.Context, _ *apptest.Neap, victim started) error {
			a.Server.EC2(a.T, a.Region, url.Values{"Action": {"TerminateInstances"}, "InstanceId.1": {victim.ID}})
			return nil
		},
	}
}

// amazonGroup is like the simulated cloud's group, of what there is in the stand-in.
func amazonGroup(a *apptest.Amazon) string {
	first, second := a.Region+"a", a.Region+"b"
	return fmt.Sprintf(`"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large","m5a.large","c5.large","r5.large"]},
		"availabilityZones":[{"name":%q,"subnetIds":[%q]},{"name":%q,"subnetIds":[%q]}],
		"launchSpecification":{"imageId":%q,"keyPair":%q,"securityGroupIds":[%q],"monitoring":false,
		"healthCheckType":"EC2","healthCheckGracePeriod":60,"healthCheckUnhealthyDurationBeforeReplacement":60}}`,
		first, a.Subnets[first], second, a.Subnets[second], a.Image, a.Key, a.Group)
}
