package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

// amazon is a Neap with an account in AWS's stand-in.
type amazon struct {
	*apptest.Neap
	*apptest.Amazon
	account string
}

const (
	amazonRegion = "eu-west-1" // a region of its own: others tidy up, too
	hurry        = 20          // the engine's time runs so many times as fast: its patience is the same, and the test's is not
)

// onAmazon connects an account by a role that may do what `neap aws init` says, and nothing else.
func onAmazon(t *testing.T) *amazon {
	t.Helper()
	moto := awstest.Moto(t)
	neap := moto.User(t, awstest.Allow("sts:AssumeRole"))
	awstest.Be(t, neap.Key)
	a := &amazon{Amazon: apptest.OnAmazon(t, moto, neap, amazonRegion)}
	now := time.Now()
	a.Neap = apptest.Start(t, func(c *app.Config) {
		c.Clock = clock.Scaled{Began: now, Origin: now, Rate: hurry}
		c.Clouds = a.Clouds()
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	})
	a.account = a.Connect(a.Neap)
	return a
}

// document is a group's, with this much capacity.
func (a *amazon) document(target, onDemand int) map[string]any {
	var zones []any
	for _, zone := range []string{amazonRegion + "a", amazonRegion + "b", amazonRegion + "c"} {
		zones = append(zones, map[string]any{"name": zone, "subnetIds": []string{a.Subnets[zone]}})
	}
	return map[string]any{
		"name": "web", "region": amazonRegion,
		"capacity": map[string]any{"target": target, "minimum": 0, "maximum": 20, "unit": "instance"},
		"strategy": map[string]any{"onDemandCount": onDemand, "availabilityVsCost": "balanced", "fallbackToOd": true, "drainingTimeout": 1},
		"compute": map[string]any{
			"product":           "Linux/UNIX",
			"instanceTypes":     map[string]any{"ondemand": "m5.large", "spot": []string{"m5.large", "m5a.large", "c5.large", "r5.large"}},
			"availabilityZones": zones,
			"launchSpecification": map[string]any{
				"imageId": a.Image, "keyPair": a.Key, "securityGroupIds": []string{a.Group}, "healthCheckType": "EC2",
				"tags": []any{map[string]any{"tagKey": "team", "tagValue": "web"}},
			},
		},
	}
}

func (a *amazon) path(rest string) string { return "/aws/ec2/group" + rest + "?accountId=" + a.account }

func (a *amazon) create(t *testing.T, target, onDemand int) (group string) {
	t.Helper()
	items := a.Must(http.MethodPost, a.path(""), map[string]any{"group": a.document(target, onDemand)}).Items()
	return items[0]["id"].(string)
}

// living is what the stand-in itself says of a group, or of all that this Neap has made: lifecycle by id.
func (a *amazon) living(owner string) map[string]string {
	alive := map[string]string{}
	for _, i := range a.Instances(a.Neap) {
		if i.State != cloud.ShuttingDown && i.State != cloud.Terminated && (owner == "" || i.Tags["neap:owner"] == owner) {
			alive[i.ID] = string(i.Market.Lifecycle)
		}
	}
	return alive
}

// until waits, on the wall, until done.
func (a *amazon) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	giveUp, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-tick.C:
		case <-giveUp.Done():
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

// holds waits until a group has so many living instances of each lifecycle, and Neap knows them all.
func (a *amazon) holds(t *testing.T, group string, spot, onDemand int) (ids []string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%s\n%s", a.Call(http.MethodGet, a.path("/"+group+"/logs")+"&fromDate=2026-01-01&toDate=2030-01-01", nil).Raw, a.Call(http.MethodGet, a.path("/"+group+"/status"), nil).Raw)
		}
	}()
	a.until(t, fmt.Sprintf("the group holds %d spot and %d on-demand instances", spot, onDemand), func() bool {
		alive := a.living(group)
		known := a.Must(http.MethodGet, a.path("/"+group+"/status"), nil).Items()
		ids = ids[:0]
		has := map[string]int{}
		for id, lifecycle := range alive {
			has[lifecycle]++
			ids = append(ids, id)
		}
		return has["spot"] == spot && has["on-demand"] == onDemand && len(known) == len(alive) &&
			!slices.ContainsFunc(known, func(item map[string]any) bool { return alive[fmt.Sprint(item["instanceId"])] == "" })
	})
	slices.Sort(ids)
	return ids
}

// first is the first of a group's instances with a lifecycle.
func (a *amazon) first(t *testing.T, group, lifecycle string) string {
	t.Helper()
	alive := a.living(group)
	var ids []string
	for id, own := range alive {
		if own == lifecycle {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		t.Fatalf("no %s instance among %v", lifecycle, alive)
	}
	return slices.Min(ids)
}

func TestAGroupLivesItsWholeLifeOnAmazon(t *testing.T) {
	a := onAmazon(t)
	group := a.create(t, 4, 1)
	a.holds(t, group, 3, 1)

	// Somebody else ends one.
	lost := a.first(t, group, "spot")
	a.Server.EC2(t, amazonRegion, url.Values{"Action": {"TerminateInstances"}, "InstanceId.1": {lost}})
	a.until(t, "the one that was ended is replaced", func() bool { _, still := a.living(group)[lost]; return !still && len(a.living(group)) == 4 })
	if now := a.holds(t, group, 3, 1); slices.Contains(now, lost) {
		t.Errorf("%s is still among %v", lost, now)
	}

	// AWS announces that it takes one back: it is replaced before it is gone.
	doomed := a.first(t, group, "spot")
	a.Announce(doomed)
	a.until(t, "the one that is to be interrupted is replaced and let go", func() bool { _, still := a.living(group)[doomed]; return !still && len(a.living(group)) == 4 })
	a.holds(t, group, 3, 1)
	if log := string(a.Must(http.MethodGet, a.path("/"+group+"/logs")+"&fromDate=2026-01-01&toDate=2030-01-01", nil).Raw); !strings.Contains(log, "The cloud will interrupt instance "+doomed) {
		t.Errorf("the log does not tell of the notice: %s", log)
	}

	a.Must(http.MethodPut, a.path("/"+group+"/capacity"), map[string]any{"capacity": map[string]any{"target": 6, "minimum": 0, "maximum": 20}})
	a.holds(t, group, 5, 1)
	a.Must(http.MethodPut, a.path("/"+group+"/capacity"), map[string]any{"capacity": map[string]any{"target": 2, "minimum": 0, "maximum": 20}})
	a.holds(t, group, 1, 1)

	a.Must(http.MethodDelete, a.path("/"+group), nil)
	a.until(t, "nothing of it runs", func() bool { return len(a.living("")) == 0 })
	if left := a.Left(a.Neap, a.account); len(left) > 0 || len(a.Front.Made()) == 0 {
		t.Errorf("%v are left of %d fleets, where the replacement of what was lost is one", left, len(a.Front.Made()))
	}
}
