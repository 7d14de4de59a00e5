package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/instance"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

// ground is where jobs that are instances live, in one region of a cloud.
type ground struct {
	*apptest.Neap
	region, image string
	until         func(what string, done func() bool)
	alive         func() []string               // the instances that the cloud itself shows
	second        func()                        // lets one pass on the cloud's own clock, which books go by
	look          func(t *testing.T, id string) // at an instance that has just come
	end           func(t *testing.T, id string) // behind our back
	interrupt     func(t *testing.T, id string) // as the cloud does
}

const bootScript = "#!/bin/sh\necho a-secret-of-the-boot-script\n"

// submit begins a job that is an instance.
func (g *ground) submit(members map[string]any) (job string) {
	g.T.Helper()
	asked := map[string]any{"ami": g.image, "user_data": bootScript, "tags": map[string]any{"team": "video", "shots": 7, "final": true}}
	for name, value := range members {
		asked[name] = value
	}
	return submitted(g.Neap, g.region, asked)
}

// attempt waits for the instance that is a job's attempt number n.
func (g *ground) attempt(job string, n int) (id string) {
	g.T.Helper()
	g.until(fmt.Sprintf("attempt %d of job %s has an instance", n, job), func() bool {
		j := shownJob(g.Neap, job)
		if j.State.Final() {
			g.T.Fatalf("%+v", j)
		}
		if len(j.Attempts) == n {
			id = j.Attempts[n-1].Host
		}
		return id != "" && slices.Contains(g.alive(), id)
	})
	return id
}

func (g *ground) is(job string, want batch.State) (j jobShown) {
	g.T.Helper()
	g.until(fmt.Sprintf("job %s is %s", job, want), func() bool {
		j = shownJob(g.Neap, job)
		return j.State == want
	})
	return j
}

func (g *ground) isOver() {
	g.T.Helper()
	g.until("nothing runs", func() bool { return len(g.alive()) == 0 })
}

// call is what an instance asks from within.
func (g *ground) call(what, region, id string, want int) map[string]any {
	g.T.Helper()
	answer := mapsor(g.Neap, http.MethodGet, "/"+what+"/"+region+"/"+id, nil)
	if answer.Status != want {
		g.T.Errorf("%s of %s: %d %s, want %d", what, id, answer.Status, answer.Raw, want)
	}
	return answer.Body
}

// costs holds what a job is said to have cost to the books: of all the groups of its attempts, to the last fraction of a cent.
func (g *ground) costs(t *testing.T, job string) {
	t.Helper()
	g.until("its last attempt is over", func() bool {
		j := shownJob(g.Neap, job)
		return j.Attempts[len(j.Attempts)-1].Outcome != ""
	})
	attempts := len(shownJob(g.Neap, job).Attempts)
	var actual, potential money.Amount
	for n := 1; n <= attempts; n++ {
		lines, err := g.Books().Lines(t.Context(), g.Account.ID, instance.GroupOf(fmt.Sprintf("%s.%d", job, n)), time.Time{}, time.Now().AddDate(10, 0, 0))
		if err != nil || len(lines) == 0 {
			t.Errorf("attempt %d: %d lines, %v", n, len(lines), err)
		}
		for _, l := range lines {
			actual, potential = actual+l.Actual, potential+l.Potential
		}
	}
	got, err := g.Batch.Cost(t.Context(), g.Account.ID, job)
	if err != nil || got.Actual != actual || got.Potential != potential || actual <= 0 || potential < actual {
		t.Errorf("the job cost %d of %d, the books say %d of %d: %v", got.Actual, got.Potential, actual, potential, err)
	}
	if said := shownJob(g.Neap, job).Cost; said.Actual <= 0 || said.Actual != actual.Dollars() {
		t.Errorf("%+v", said)
	}
}

// live is the life of such jobs, wherever they live: of one that is done, one that is cancelled, one whose instance somebody else ends, and one that is interrupted.
func (g *ground) live(t *testing.T) {
	done, unwanted, robbed, moved := g.submit(nil), g.submit(map[string]any{"priority": "HIGH"}), g.submit(nil), g.submit(nil)
	id, unwantedID, robbedID, movedID := g.attempt(done, 1), g.attempt(unwanted, 1), g.attempt(robbed, 1), g.attempt(moved, 1)
	g.look(t, id)
	if j := shownJob(g.Neap, done); j.State != batch.Starting && j.State != batch.Running {
		t.Errorf("%+v", j)
	}
	g.announces(t, done, id)
	g.second()

	g.call("destroy", "us-west-2", id, http.StatusBadRequest)
	g.call("destroy", g.region, id, http.StatusCreated)
	if j := shownJob(g.Neap, done); j.State != batch.Succeeded {
		t.Errorf("%+v", j)
	}
	g.call("destroy", g.region, id, http.StatusBadRequest)
	g.call("get-info", g.region, id, http.StatusBadRequest)

	if answer := mapsor(g.Neap, http.MethodGet, "/cancel/"+unwanted, nil); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Raw)
	}
	g.call("destroy", g.region, unwantedID, http.StatusBadRequest)

	g.is(robbed, batch.Running)
	g.end(t, robbedID)
	g.call("get-info", g.region, movedID, http.StatusCreated)
	g.interrupt(t, movedID)
	next := g.attempt(moved, 2)
	g.call("destroy", g.region, movedID, http.StatusBadRequest)
	if again := g.call("get-info", g.region, next, http.StatusCreated); again["job_id"] != moved {
		t.Errorf("%v", again)
	}
	g.second()
	g.call("destroy", g.region, next, http.StatusCreated)

	g.isOver()
	for _, job := range []string{done, unwanted, robbed, moved} {
		g.costs(t, job)
	}
	if j := g.is(done, batch.Succeeded); len(j.Attempts) != 1 || j.Attempts[0].Outcome != "succeeded" || j.Attempts[0].Host != id || j.Attempts[0].Type != "c5.large" || j.Attempts[0].Zone == "" {
		t.Errorf("%+v", j)
	}
	history, err := g.Batch.History(t.Context(), g.Account.ID, moved)
	var states []batch.State
	for _, to := range history {
		if len(states) == 0 || states[len(states)-1] != to.To {
			states = append(states, to.To)
		}
	}
	if want := []batch.State{batch.Runnable, batch.Starting, batch.Running, batch.Runnable, batch.Starting, batch.Running, batch.Succeeded}; err != nil || !slices.Equal(states[max(0, len(states)-len(want)):], want) {
		t.Errorf("it went through %v: %v", states, err)
	}
	g.is(unwanted, batch.Cancelled)
	if j := g.is(robbed, batch.Failed); j.Reason != "terminated from outside" {
		t.Errorf("%+v", j)
	}
	if j := g.is(moved, batch.Succeeded); len(j.Attempts) != 2 || j.Attempts[0].Outcome != "lost" || j.Attempts[0].Reason != "interrupted by the cloud" || next == movedID {
		t.Errorf("%+v", j)
	}
}

// announces lets a job's instance ask for what it is to know.
func (g *ground) announces(t *testing.T, job, id string) {
	t.Helper()
	first := g.call("get-info", g.region, id, http.StatusCreated)
	if publish, subscribe := fmt.Sprint(first["publish_key"]), fmt.Sprint(first["subscribe_key"]); first["job_id"] != job || !strings.HasPrefix(publish, "pub-c-") || !strings.HasPrefix(subscribe, "sub-c-") {
		t.Errorf("%v", first)
	}
	if j := shownJob(g.Neap, job); j.State != batch.Running || j.Attempts[0].StartedAt.IsZero() {
		t.Errorf("%+v", j)
	}
	if again := g.call("get-info", g.region, id, http.StatusCreated); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("%v, then %v", first, again)
	}
	g.call("get-info", "us-west-2", id, http.StatusBadRequest)
	g.call("get-info", g.region, "i-0123456789abcdef0", http.StatusBadRequest)
}

func TestInstanceJobsLiveTheirWholeLifeOnTheSimulatedCloud(t *testing.T) {
	const region = "us-east-1"
	n := apptest.Start(t)
	sim := n.Cloud.Account(n.Account.ID)
	all := func(t *testing.T) []cloud.Instance {
		t.Helper()
		list, err := sim.Describe(t.Context(), cloud.Query{Region: region})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	g := &ground{
		Neap: n, region: region, image: "ami-0de30000000000001",
		until: func(what string, done func() bool) { t.Helper(); n.Until(what, time.Hour, done) },
		alive: func() (ids []string) {
			for _, i := range all(t) {
				if i.State == cloud.Pending || i.State == cloud.Running {
					ids = append(ids, i.ID)
				}
			}
			return ids
		},
		second: func() {
			end := n.Clock.Now().Add(time.Second)
			n.Until("a second has passed", time.Minute, func() bool { return n.Clock.Now().After(end) })
		},
		look: func(t *testing.T, id string) {
			for _, i := range all(t) {
				if i.ID == id && (i.Tags["team"] != "video" || i.Tags["shots"] != "7" || i.Tags["final"] != "true" || i.Tags["neap.customer"] != "lightning" || i.Market.Lifecycle != cloud.Spot) {
					t.Errorf("%+v", i)
				}
			}
		},
		end: func(t *testing.T, id string) {
			if err := sim.Terminate(t.Context(), region, []string{id}); err != nil {
				t.Fatal(err)
			}
		},
		interrupt: func(t *testing.T, id string) {
			if err := n.Fleet.Interrupt(t.Context(), n.Account.ID, "test", []string{id}); err != nil {
				t.Fatal(err)
			}
		},
	}
	g.live(t)

	// One that ends soon after it began to run, whether anybody here has seen it or not. Before that nothing is paid.
	brief := submitted(n, region, map[string]any{"ami": g.image})
	runs := func() bool {
		return slices.ContainsFunc(all(t), func(i cloud.Instance) bool { return i.State == cloud.Running })
	}
	g.until("it runs", runs)
	g.second()
	g.end(t, g.alive()[0])
	g.is(brief, batch.Failed)
	g.costs(t, brief)

	tags := map[string]any{}
	for n := range 45 {
		tags[fmt.Sprint("tag-", n)] = n
	}
	if j := shownJob(n, submitted(n, region, map[string]any{"ami": g.image, "tags": tags})); j.State != batch.Rejected || !strings.Contains(j.Reason, "An instance takes 40 tags") {
		t.Errorf("%+v", j)
	}
}
