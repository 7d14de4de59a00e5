package sim

import (
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

func TestInstancesBootWithinTheStatedTimes(t *testing.T) {
	launched := physics.At(began)
	for seed := range physics.Dice(500) {
		f := physics.PoolOf(seed, market("m5.large", "us-east-1a", cloud.OnDemand), 0, 2).FateOf(seed, cloud.OnDemand, Usual().pace(ec2Notice), launched)
		if f.Running < launched+2*physics.Second || f.Running > launched+5*physics.Second || f.OK < f.Running+physics.Second || f.OK > f.Running+3*physics.Second {
			t.Fatalf("fate %+v", f)
		}
	}
}
