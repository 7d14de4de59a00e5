package aws_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/cloud/cloudtest"
)

const region = "us-east-1"

// abilities are what an account of AWS can do besides; Interrupter is not among them, as real spot capacity is taken back by nobody's order.
func abilities() []cloudtest.Ability {
	return []cloudtest.Ability{cloudtest.Notifies, cloudtest.Prices, cloudtest.Tags, cloudtest.Powers, cloudtest.Modifies, cloudtest.Consoles}
}

func spotMarket() cloud.Market {
	return cloud.Market{Region: region, Zone: region + "a", Type: "m5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}
}

// place is an account behind a front of its own.
type place struct {
	server  awstest.Server
	front   *awstest.Front
	account *aws.Account
	image   string
}

func arrive(t *testing.T) place {
	t.Helper()
	server := awstest.Moto(t)
	user := server.User(t, awstest.Allow(aws.Actions()...))
	front := awstest.NewFront(t, server, user.Key)
	awstest.Be(t, user.Key)
	return place{server, front, accountAt(t, front.Endpoint), linux(t, server)}
}

func accountAt(t *testing.T, endpoint string) *aws.Account {
	t.Helper()
	return open(t, aws.Config{Endpoint: endpoint, Endpoints: map[string]string{"": endpoint}}).Account("", "").Hurry()
}

// linux is an image of moto's own whose instances are not Windows.
func linux(t *testing.T, server awstest.Server) string {
	t.Helper()
	images := string(server.EC2(t, region, url.Values{"Action": {"DescribeImages"}, "Filter.1.Name": {"name"}, "Filter.1.Value.1": {"*ubuntu*"}}))
	found := regexp.MustCompile(`ami-[0-9a-f]+`).FindString(images)
	if found == "" {
		t.Fatalf("no image: %.2000s", images)
	}
	return found
}

func (p place) launch(count int) cloud.Launch {
	return cloud.Launch{Token: "t-" + time.Now().Format("150405.000000000"), Market: spotMarket(), Count: count, Template: cloud.Template{Image: p.image}}
}

func TestAWSKeepsTheProviderContract(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) cloudtest.Fixture {
		p := arrive(t)
		return cloudtest.Fixture{
			Provider: p.account, Market: spotMarket(), Template: cloud.Template{Image: p.image, SecurityGroups: []string{"default"}}, Claims: abilities(),
			Now: clock.Wall{}.Now,
			// moto's instances change at once and its clock is the machine's, so there is never anything to wait for; a moment passes, for the sake of loops.
			Advance: func(time.Duration) { <-clock.Wall{}.After(5 * time.Millisecond) },
			Room:    func(m cloud.Market, count int) { p.front.Room(m.PoolKey(), count) },
			Throttle: func() {
				p.front.Refuse("RunInstances", 3, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
			},
			MostPatience: 20 * time.Second,
			Coarse:       true, // moto does not renew the time of a start
		}
	})
}
