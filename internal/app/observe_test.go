package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
)

// seen is a region with a group of three, one single instance and one that a Neap keeps. It answers every question with what it holds, or with a refusal.
type seen struct {
	groups    []cloud.ScalingGroup
	instances []cloud.Instance
	prices    []cloud.Price
	refuse    map[string]error // by question
	asked     []string
}

func newSeen() *seen {
	s := &seen{refuse: map[string]error{}}
	group := cloud.ScalingGroup{
		Name: "web", Region: "us-east-1", ScalingSize: cloud.ScalingSize{Min: 1, Max: 6, Desired: 3}, Zones: []string{"us-east-1a", "us-east-1b"},
		Types: []string{"m5.large"}, Mix: cloud.ScalingMix{Base: 1, OnDemandPercent: 100},
	}
	for n := range 5 {
		i := cloud.Instance{
			ID: fmt.Sprintf("i-%d", n), State: cloud.Running, LaunchedAt: apptest.Epoch.Add(-time.Hour),
			Market: cloud.Market{Region: "us-east-1", Zone: group.Zones[n%2], Type: "m5.large", Product: catalog.Linux, Lifecycle: cloud.OnDemand},
		}
		switch n {
		case 3:
			i.Market.Lifecycle = cloud.Spot
		case 4:
			i.Tags = map[string]string{"neap:owner": "sig-1"}
		default:
			group.Members = append(group.Members, cloud.ScalingMember{Instance: i.ID, Zone: i.Market.Zone, Type: i.Market.Type, State: "InService", Healthy: true})
		}
		s.instances = append(s.instances, i)
	}
	s.groups = []cloud.ScalingGroup{group}
	for _, zone := range group.Zones {
		s.prices = append(s.prices, cloud.Price{
			Market: cloud.Market{Region: "us-east-1", Zone: zone, Type: "m5.large", Product: catalog.Linux, Lifecycle: cloud.Spot}, Price: 20_000, From: apptest.Epoch.Add(-time.Hour),
		})
	}
	return s
}

func (s *seen) ask(question, region string) error {
	s.asked = append(s.asked, question+" "+region)
	return s.refuse[question]
}

func (s *seen) observe(t *testing.T, change ...func(*app.ObserveConfig)) (app.Observed, error) {
	t.Helper()
	c := app.ObserveConfig{Regions: []string{"us-east-1"}, Clock: clock.NewManual(apptest.Epoch), Account: func(context.Context) (app.Sight, error) {
		return app.Sight{
			Instances: func(_ context.Context, q cloud.Query) ([]cloud.Instance, error) {
				return s.instances, s.ask("instances", q.Region)
			},
			Groups: func(_ context.Context, region string, names []string) ([]cloud.ScalingGroup, error) {
				return s.groups, s.ask("groups"+strings.Join(names, ","), region)
			},
			Prices: func(_ context.Context, region string) ([]cloud.Price, error) {
				return s.prices, s.ask("prices", region)
			},
		}, nil
	}}
	for _, f := range change {
		f(&c)
	}
	return app.Observe(t.Context(), c)
}

// surveyed is what the tests read of a report.
type surveyed struct {
	Total struct {
		Instances    int
		Now, Planned struct{ Hour money.Price }
	}
	Groups []groupRead
	Apart  struct{ Singles, Managed, LeftOut int }
	Gaps   []struct {
		Region, Reason, LeftOut string
		Needs                   []string
	}
}

type groupRead struct {
	Name         string
	Now, Planned struct{ Hour money.Price }
	Present      struct{ Instances int }
	Obstacles    []struct{ Kind string }
	LeftOut      []struct{ Instance string }
}

func read(t *testing.T, found app.Observed, err error) (r surveyed) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(found.Report, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnObservationTellsWhatAnAccountWouldSave(t *testing.T) {
	s := newSeen()
	found, err := s.observe(t)
	r := read(t, found, err)
	list, _ := catalog.AWS().Offer("us-east-1", catalog.Linux, "m5.large")
	if r.Total.Instances != 3 || r.Total.Now.Hour != 3*list.OnDemand || r.Total.Planned.Hour != list.OnDemand+2*20_000 {
		t.Errorf("%+v", r.Total)
	}
	if r.Apart.Singles != 1 || r.Apart.Managed != 1 || len(r.Gaps) != 0 {
		t.Errorf("%+v %+v", r.Apart, r.Gaps)
	}
	var page strings.Builder
	if err := found.Page(&page); err != nil || !strings.Contains(page.String(), "web") {
		t.Errorf("%v: %s", err, page.String())
	}
	if want := []string{"groups us-east-1", "instances us-east-1", "prices us-east-1"}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %q", s.asked)
	}
}

func TestWhatTheCredentialsMayNotReadIsNamedAndLeftOut(t *testing.T) {
	denied := &cloud.Refusal{Kind: cloud.Denied, Code: "UnauthorizedOperation", Message: "AWS does not allow that."}
	for _, c := range []struct {
		question, permission string
		check                func(r surveyed) bool
	}{
		{"groups", "autoscaling:DescribeAutoScalingGroups", func(r surveyed) bool { return len(r.Groups) == 0 && r.Apart.Singles == 4 }},
		{"instances", "ec2:DescribeInstances", func(r surveyed) bool { return len(r.Groups) == 1 && r.Apart.LeftOut == 3 && r.Total.Now.Hour == 0 }},
		{"checks", "ec2:DescribeInstances", func(r surveyed) bool {
			return r.Total.Planned.Hour < r.Total.Now.Hour && r.Gaps[0].LeftOut == "How the instances pass the cloud's checks. No figure needs that."
		}},
		{"prices", "ec2:DescribeSpotPriceHistory", func(r surveyed) bool {
			return r.Groups[0].Obstacles[0].Kind == "cataloguePrices" && r.Total.Planned.Hour < r.Total.Now.Hour
		}},
	} {
		s := newSeen()
		s.refuse[strings.Replace(c.question, "checks", "instances", 1)] = fmt.Errorf("wrapped: %w", denied)
		switch c.question {
		case "groups":
			s.groups = nil
		case "instances":
			s.instances = nil
		case "prices":
			s.prices = nil
		}
		found, err := s.observe(t)
		r := read(t, found, err)
		if len(r.Gaps) != 1 || r.Gaps[0].Needs[0] != c.permission || r.Gaps[0].Reason != denied.Message || !c.check(r) {
			t.Errorf("%s: %+v", c.question, r)
		}
	}
}

func TestAnObservationThatSeesNothingIsNoReport(t *testing.T) {
	denied := &cloud.Refusal{Kind: cloud.Denied, Code: "AccessDenied", Message: "no"}
	blind := newSeen()
	blind.groups, blind.instances = nil, nil
	blind.refuse["groups"], blind.refuse["instances"] = denied, denied
	if _, err := blind.observe(t); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "ask again: autoscaling:DescribeAutoScalingGroups, autoscaling:DescribeLaunchConfigurations, ec2:DescribeInstanceStatus, ec2:DescribeInstances,") {
		t.Errorf("%v", err)
	}
	ended := newSeen()
	ended.refuse["groups"] = &cloud.Refusal{Kind: cloud.Denied, Code: "ExpiredToken", Message: "Your credentials have ended."}
	if _, err := ended.observe(t); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "us-east-1: Your credentials have ended.") {
		t.Errorf("%v", err)
	}
	away := newSeen()
	away.refuse["instances"] = errors.New("connection refused")
	if _, err := away.observe(t); err == nil || !strings.Contains(err.Error(), "look at us-east-1: connection refused") {
		t.Errorf("%v", err)
	}
	silent := newSeen()
	silent.refuse["prices"], silent.prices = errors.New("no answer"), nil
	found, err := silent.observe(t)
	if r := read(t, found, err); len(r.Gaps) != 1 || !strings.Contains(r.Gaps[0].Reason, "no answer") {
		t.Errorf("prices that do not come have a stand-in: %+v", r.Gaps)
	}
	if _, err := newSeen().observe(t, func(c *app.ObserveConfig) { c.Regions = []string{"us-easter-1"} }); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}

func TestAGroupIsLookedForInEveryRegion(t *testing.T) {
	elsewhere := func(c *app.ObserveConfig) { c.Group = "api" }
	s := newSeen()
	s.groups = nil
	if _, err := s.observe(t, elsewhere); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	s.refuse["groupsapi"] = &cloud.Refusal{Kind: cloud.Denied, Code: "AccessDenied", Message: "no"}
	if _, err := s.observe(t, elsewhere); !fault.Is(err, fault.Denied) {
		t.Errorf("whether it is there cannot be known: %v", err)
	}
	s = newSeen()
	found, err := s.observe(t, func(c *app.ObserveConfig) { c.Group = "web" })
	if r := read(t, found, err); len(r.Groups) != 1 || r.Apart.Singles != 0 || s.asked[0] != "groupsweb us-east-1" {
		t.Errorf("%+v %q", r, s.asked)
	}
}
