package aws_test

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/cloudtest"
	"github.com/neap-cloud/neap/internal/ident"
)

func TestAWSKeepsTheContractOfJobs(t *testing.T) {
	cloudtest.RunJobs(t, func(t *testing.T) cloudtest.Jobs {
		p := arrive(t)
		name := "queue-" + ident.Hex(4)
		p.server.JobQueue(t, region, name, true)
		p.server.JobQueue(t, region, name+"-closed", false)
		return cloudtest.Jobs{
			Provider: p.account, Region: region, Open: name, Closed: name + "-closed", Image: "tools/shell:1", Absent: "absent/image", Displaced: "spot/shell",
			Advance: func(time.Duration) { <-clock.Wall{}.After(20 * time.Millisecond) },
		}
	})
}
