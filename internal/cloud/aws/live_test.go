//go:build live

package aws_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/cloudtest"
)

// mostSpent holds with room to spare: the suite starts about twenty instances and ends them after each case, of which the longest takes some five minutes. At the
// price of t3.nano that is less than 0.02 USD; should every one of them run on for an hour, it is 0.11 USD.
const mostSpent = "0.15 USD"

// TestAWSItselfKeepsTheProviderContract runs with the tag live and NEAP_LIVE_AWS=1 only, on the account of the credentials in the environment. NEAP_LIVE_IMAGE is an
// image of Linux in us-east-1 that starts on t3.nano.
func TestAWSItselfKeepsTheProviderContract(t *testing.T) {
	image := os.Getenv("NEAP_LIVE_IMAGE")
	if os.Getenv("NEAP_LIVE_AWS") != "1" || image == "" {
		t.Fatal("set NEAP_LIVE_AWS=1 and NEAP_LIVE_IMAGE=ami-… : this starts instances on a real account, for at most " + mostSpent)
	}
	market := cloud.Market{Region: region, Zone: region + "a", Type: "t3.nano", Product: "Linux/UNIX", Lifecycle: cloud.Spot}
	cloudtest.Run(t, func(t *testing.T) cloudtest.Fixture {
		account := open(t, aws.Config{}).Account("", "")
		t.Cleanup(func() { endAll(t, account) })
		return cloudtest.Fixture{
			Provider: account, Market: market, Template: cloud.Template{Image: image, SecurityGroups: []string{"default"}}, Claims: abilities(),
			Now: clock.Wall{}.Now, Advance: func(d time.Duration) { <-clock.Wall{}.After(d) }, MostPatience: 10 * time.Minute,
		}
	})
}

// endAll ends what carries the suite's tag, and tidies.
func endAll(t *testing.T, account *aws.Account) {
	ctx := context.WithoutCancel(t.Context())
	found, err := account.Describe(ctx, cloud.Query{Region: region, Tags: map[string]string{"cloudtest": ""}})
	if err != nil {
		t.Error(err)
	}
	var living []string
	for _, i := range found {
		if i.State != cloud.Terminated && i.State != cloud.ShuttingDown {
			living = append(living, i.ID)
		}
	}
	if err := account.Terminate(ctx, region, living); err != nil {
		t.Error(err)
	}
	if err := account.Tidy(ctx, region); err != nil {
		t.Error(err)
	}
}
