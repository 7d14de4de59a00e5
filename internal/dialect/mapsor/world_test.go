package mapsor_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/identity"
)

// What jobs of these tests run.
const (
	container = `"image":"host","command":["true"]`
	failing   = `"image":"host","command":["false"]`
	holding   = `"image":"host","command":["sleep","600"]`
	machine   = `"ami":"ami-0a1b2c3d","user_data":"#!/bin/sh\ntrue\n","resources":{"instance_type":"c5.large"}`
)

// document is a job of one customer, with the members given.
func document(customer, members string) string {
	return fmt.Sprintf(`{"customer":%q,"cloud":"aws","region":"us-east-1","id":"Transcode_23",%s}`, customer, members)
}

// submitted is a new job's id.
func submitted(n *apptest.Neap, token, body string, headers ...string) string {
	n.T.Helper()
	a := send(n, "POST", "/submit", token, body, headers...)
	id, _ := a.Body["job_id"].(string)
	if a.Status != 200 || id == "" {
		n.T.Fatalf("%s: %d %s", body, a.Status, a.Raw)
	}
	return id
}

func state(n *apptest.Neap, id string) batch.State {
	n.T.Helper()
	a := send(n, "GET", "/status/"+id, n.Admin, "")
	text, _ := a.Body["status"].(string)
	if a.Status != 200 {
		n.T.Fatalf("status of %s: %d %s", id, a.Status, a.Raw)
	}
	return batch.State(text)
}

// becomes waits until a job is in a state, while engine time passes.
func becomes(n *apptest.Neap, id string, want batch.State) {
	n.T.Helper()
	n.Until(fmt.Sprintf("job %s is %s", id, want), time.Hour, func() bool { return state(n, id) == want })
}

// settles waits until a job is in a state, while engine time stands still.
func settles(n *apptest.Neap, id string, want batch.State) {
	n.T.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); state(n, id) != want; <-tick.C {
		if time.Now().After(end) {
			n.T.Fatalf("job %s is %s, not %s", id, state(n, id), want)
		}
	}
}

// instances are those that live in a region, as the cloud itself tells.
func instances(n *apptest.Neap) (ids []string) {
	n.T.Helper()
	all, err := n.Cloud.Account(n.Account.ID).Describe(n.T.Context(), cloud.Query{Region: "us-east-1"})
	if err != nil {
		n.T.Fatal(err)
	}
	for _, i := range all {
		if i.State == cloud.Pending || i.State == cloud.Running {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// booted submits an instance job, and gives it with its instance once that runs.
func booted(n *apptest.Neap, token, customer string) (job, instance string) {
	n.T.Helper()
	before := instances(n)
	job = submitted(n, token, document(customer, machine))
	n.Until("the instance is there", time.Hour, func() bool {
		if state(n, job) != batch.Starting {
			return false
		}
		for _, id := range instances(n) {
			if !slices.Contains(before, id) {
				instance = id
			}
		}
		return instance != ""
	})
	return job, instance
}

// others are tokens beside the administrator's: of each role, of nobody, and of another organisation's administrator.
func others(n *apptest.Neap) map[string]string {
	n.T.Helper()
	ctx, inst := n.T.Context(), n.Account.Organisation
	check := func(err error) {
		n.T.Helper()
		if err != nil {
			n.T.Fatal(err)
		}
	}
	_, viewer, err := n.Identity.CreateUser(ctx, identity.NewUser{Token: "t", User: identity.User{Organisation: inst, Program: true, Name: "viewer", Role: identity.Viewer}})
	check(err)
	_, member, err := n.Identity.CreateUser(ctx, identity.NewUser{Token: "t", User: identity.User{Organisation: inst, Program: true, Name: "member"}})
	check(err)
	of, err := n.Identity.AddOrganisation(ctx, inst, "Acme")
	check(err)
	_, err = n.Identity.AddAccount(ctx, identity.Account{Organisation: of.ID, Name: "theirs", Cloud: "sim", Provider: "AWS"})
	check(err)
	foreign, _, err := n.Identity.CreateToken(ctx, of.ID, identity.NewToken{Name: "test"})
	check(err)
	return map[string]string{
		"admin": n.Admin, "operator": robot(n, "operator"), "monitor": robot(n, "monitor"), "viewer": viewer, "member": member, "foreign": foreign, "nobody": "",
	}
}

// listed are the jobs that a list answers.
func listed(n *apptest.Neap, token, query string) []map[string]any {
	n.T.Helper()
	a := send(n, "GET", "/list?"+query, token, "")
	var body struct{ Response []map[string]any }
	if err := json.Unmarshal(a.Raw, &body); a.Status != 200 || err != nil || body.Response == nil {
		n.T.Fatalf("list: %d %s %v", a.Status, a.Raw, err)
	}
	return body.Response
}

const always = "&start_time=0&end_time=9007199254740991"

// logged are the lines of a job.
func logged(n *apptest.Neap, id string) (lines []string) {
	n.T.Helper()
	a := send(n, "GET", "/logs/"+id, n.Admin, "")
	var body struct {
		Error    map[string]any
		Response []struct {
			Timestamp int64
			Message   string
		}
	}
	if err := json.Unmarshal(a.Raw, &body); a.Status != 200 || err != nil || body.Response == nil || body.Error == nil || len(body.Error) > 0 {
		n.T.Fatalf("log: %d %.300s %v", a.Status, a.Raw, err)
	}
	for i, l := range body.Response {
		if l.Timestamp < 1_500_000_000_000 || i > 0 && l.Timestamp < body.Response[i-1].Timestamp {
			n.T.Errorf("line %d was written at %d", i, l.Timestamp)
		}
		lines = append(lines, l.Message)
	}
	return lines
}

// waiting is a job that is held back: ten years' work without checkpoints would hardly live through spot, and fifty years leave time.
func waiting(n *apptest.Neap) string {
	const year = 365 * 24 * time.Hour
	return fmt.Sprintf(`%s,"deadline":%d,"expected":%.0f`, container, n.Clock.Now().Add(50*year).UnixMilli(), (10 * year).Seconds())
}
