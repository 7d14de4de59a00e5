package app_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/cloud"
)

// jobGround is the region of the stand-in as ground for jobs that are instances.
func (e *employer) jobGround(t *testing.T) *ground {
	return &ground{
		Neap: e.Neap, region: amazonRegion, image: e.Image,
		until: func(what string, done func() bool) { t.Helper(); e.until(t, what, done) },
		alive: func() (ids []string) {
			for id := range e.living("") {
				ids = append(ids, id)
			}
			return ids
		},
		second: func() {
			began := time.Now()
			e.until(t, "a second has passed on the wall", func() bool { return time.Since(began) > 1100*time.Millisecond })
		},
		look: e.lookAt,
		end: func(t *testing.T, id string) {
			e.Server.EC2(t, amazonRegion, url.Values{"Action": {"TerminateInstances"}, "InstanceId.1": {id}})
		},
		interrupt: func(t *testing.T, id string) {
			e.Announce(id)
			e.Front.End(t, amazonRegion, id, "Server.SpotInstanceTermination", "Server.SpotInstanceTermination")
		},
	}
}

// lookAt looks at what the stand-in itself has of a job's instance.
func (e *employer) lookAt(t *testing.T, id string) {
	for _, i := range e.Instances(e.Neap) {
		if i.ID == id && (i.Tags["team"] != "video" || i.Tags["shots"] != "7" || i.Tags["final"] != "true" || i.Tags["neap.customer"] != "lightning" || i.Market.Lifecycle != cloud.Spot) {
			t.Errorf("%+v", i)
		}
	}
	answer := string(e.Server.EC2(t, amazonRegion, url.Values{"Action": {"DescribeInstanceAttribute"}, "Attribute": {"userData"}, "InstanceId": {id}}))
	_, rest, _ := strings.Cut(answer, "<userData>")
	given := regexp.MustCompile(`[A-Za-z0-9+/=]{8,}`).FindString(rest)
	if text, err := base64.StdEncoding.DecodeString(given); err != nil || string(text) != bootScript {
		t.Errorf("its user data are %q: %s (%v)", text, answer, err)
	}
	if shown := string(e.Server.EC2(t, amazonRegion, url.Values{"Action": {"DescribeInstances"}, "InstanceId.1": {id}})); !strings.Contains(shown, "<imageId>"+e.Image+"</imageId>") || !strings.Contains(shown, "<instanceType>c5.large</instanceType>") {
		t.Error(shown)
	}
}

func TestAmazonInstanceJobsLiveTheirWholeLifeAndLeaveNothing(t *testing.T) {
	e := employing(t)
	g := e.jobGround(t)
	g.live(t)
	e.said.mu.Lock()
	log := e.said.text.String()
	e.said.mu.Unlock()
	if !strings.Contains(log, "an instance's call came from another address than its own") {
		t.Errorf("the log does not tell who called: %s", log)
	}
	if strings.Contains(log, "a-secret-of-the-boot-script") {
		t.Error("the log tells user data")
	}

	for _, asked := range append(e.Front.Requests("RunInstances"), e.Front.Requests("CreateFleet")...) {
		if asked.Get("InstanceMarketOptions.SpotOptions.SpotInstanceType") != "one-time" && asked.Get("Type") != "instant" {
			t.Errorf("%v may bring more than one instance, once", asked)
		}
	}

	kept := g.submit(nil)
	keptID := g.attempt(kept, 1)
	g.call("get-info", amazonRegion, keptID, http.StatusCreated)

	// Where spot has no room, one job waits and says so, and the other takes what is there on demand.
	for zone := range e.Subnets {
		e.Front.Room("c5.large/"+zone+"/spot", 0)
	}
	low, high := g.submit(nil), g.submit(map[string]any{"priority": "HIGH"})
	id := g.attempt(high, 1)
	if lifecycle := e.living("")[id]; lifecycle != string(cloud.OnDemand) {
		t.Errorf("it is %q", lifecycle)
	}
	e.until(t, "it says what it waits for", func() bool {
		j := shownJob(e.Neap, low)
		return j.State == batch.Starting && strings.HasPrefix(j.Reason, "Waits for a spot c5.large in "+amazonRegion+". Asked last: ")
	})
	for _, job := range []string{low, high} {
		if answer := e.mapsor(http.MethodGet, "/cancel/"+job, nil); answer.Status != http.StatusOK {
			t.Errorf("%d %s", answer.Status, answer.Raw)
		}
	}

	// A job goes on while Neap is away, and what its instance asks for afterwards is answered.
	e.end()
	e.begin(t)
	g = e.jobGround(t)
	if again := g.call("get-info", amazonRegion, keptID, http.StatusCreated); again["job_id"] != kept {
		t.Errorf("%v", again)
	}
	g.call("destroy", amazonRegion, keptID, http.StatusCreated)
	g.isOver()
	g.costs(t, kept)

	if left := e.Left(e.Neap, e.account); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	requests := string(e.Server.EC2(t, amazonRegion, url.Values{"Action": {"DescribeSpotInstanceRequests"}}))
	templates := string(e.Server.EC2(t, amazonRegion, url.Values{"Action": {"DescribeLaunchTemplates"}}))
	if made := regexp.MustCompile(`<state>(open|active)</state>`).FindString(requests); made != "" {
		t.Errorf("a spot request is left: %s", requests)
	}
	if strings.Contains(templates, "neap:made-for") {
		t.Errorf("a launch template is left: %s", templates)
	}
}
