package mapsor_test

import (
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
)

// send sends a request whose only credential is the token in its address; headers come in pairs.
func send(n *apptest.Neap, method, path, token, body string, headers ...string) apptest.Answer {
	n.T.Helper()
	if token != "" {
		path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "token=" + url.QueryEscape(token)
	}
	var content any
	if body != "" {
		content = body
	}
	return n.Call(method, path, content, append([]string{"Authorization", ""}, headers...)...)
}

// robot makes a user of a role and gives its token.
func robot(n *apptest.Neap, role string) string {
	n.T.Helper()
	return must(n, 201, "/add-user?role="+role, n.Admin, `{"user":"robot-`+role+`"}`)["token"].(string)
}

const small = `{"customer":"lightning","cloud":"aws","region":"us-east-1","id":"Transcode_23","image":"i"}`

func TestJobRequestsAreRefusedByWhatIsWrongWithThem(t *testing.T) {
	n := apptest.Start(t)
	operator := robot(n, "operator")
	const list, metrics = "/list?customer=c&start_time=1&end_time=2", "/get-metrics?start_date=1&end_date=2&cloud_provider=aws&region=r"
	for _, c := range []struct{ method, path, token, body, says string }{
		{"POST", "/submit", operator, ``, "A JSON body is required."},
		{"POST", "/submit", operator, `[]`, "must be a JSON object"},
		{"POST", "/submit", operator, `{`, "ends too early"},
		{"POST", "/submit", operator, `{"image":"i","image":"j"}`, "image is given twice"},
		{"POST", "/submit", operator, `{}`, "customer is required. id is required. region is required."},
		{"POST", "/submit", operator, strings.Replace(small, `"i"`, `7`, 1), "image must be text or null, got 7."},
		{"POST", "/submit", operator, strings.Replace(small, `"image":"i"`, `"image":"i","ami":"ami-1"`, 1), "image excludes ami: give one of them."},
		{"POST", "/submit", operator, strings.Replace(small, `"i"`, `""`, 1), "image or ami is required."},
		{"POST", "/submit", operator, strings.Replace(small, `"aws"`, `"gcp"`, 1), `cloud must be one of "aws", "azure"`},
		{"GET", "/list?start_time=1&end_time=2", operator, ``, "customer is required"},
		{"GET", "/list?customer=&start_time=1&end_time=2", operator, ``, "customer must not be empty"},
		{"GET", "/list?customer=c&end_time=2", operator, ``, "start_time is required"},
		{"GET", "/list?customer=c&start_time=1", operator, ``, "end_time is required"},
		{"GET", "/list?customer=c&start_time=yesterday&end_time=2", operator, ``, "start_time must be a number"},
		{"GET", "/list?customer=c&start_time=1&end_time=NaN", operator, ``, "end_time must be a number"},
		{"GET", "/list?customer=c&start_time=-Inf&end_time=1", operator, ``, "start_time must be a number"},
		{"GET", "/list?customer=c&start_time=2&end_time=1.9", operator, ``, "start_time must not be after end_time."},
		{"GET", list + "&cloud=gcp", operator, ``, `cloud must be one of "aws", "azure"`},
		{"GET", strings.Replace(metrics, "start_date=1", "", 1), n.Admin, ``, "start_date is required"},
		{"GET", strings.Replace(metrics, "end_date=2", "", 1), n.Admin, ``, "end_date is required"},
		{"GET", strings.Replace(metrics, "=aws", "=gcp", 1), n.Admin, ``, "cloud_provider must be one of"},
		{"GET", strings.Replace(metrics, "region=r", "region=", 1), n.Admin, ``, "region must not be empty"},
		{"GET", strings.Replace(metrics, "start_date=1", "start_date=3", 1), n.Admin, ``, "start_date must not be after end_date."},
		{"GET", metrics + "&price=-1", n.Admin, ``, "price must be at least 0, got -1."},
		{"GET", metrics + "&price=1.5", n.Admin, ``, "price must be a whole number"},
		{"GET", metrics + "&price=9223372036854775808", n.Admin, ``, "price must be a whole number"},
		{"GET", "/get-info/" + strings.Repeat("r", 65) + "/i-1", operator, ``, "region must have at most 64 characters"},
		{"GET", "/destroy/r/" + strings.Repeat("i", 65), operator, ``, "instance_id must have at most 64 characters"},
	} {
		a := send(n, c.method, c.path, c.token, c.body)
		problem, _ := a.Body["error"].(map[string]any)
		if message, _ := problem["message"].(string); a.Status != 400 || code(a.Body) != "BAD_REQUEST" || !strings.Contains(message, c.says) || len(a.Body) != 1 {
			t.Errorf("%s %s %s: %d %s, want %q", c.method, c.path, c.body, a.Status, a.Raw, c.says)
		}
	}
}

func TestAnIdempotencyKeyIsAShortLine(t *testing.T) {
	n := apptest.Start(t)
	for _, key := range []string{"", strings.Repeat("k", 256), "a\tb", "käse"} {
		if a := send(n, "POST", "/submit", n.Admin, small, "Idempotency-Key", key); a.Status != 400 || code(a.Body) != "BAD_REQUEST" || !strings.Contains(string(a.Raw), "Idempotency-Key") {
			t.Errorf("%q: %d %s", key, a.Status, a.Raw)
		}
	}
	description := n.Call("GET", "/openapi/mapsor.json", nil)
	for _, path := range []string{`"/submit"`, `"/retry/{id}"`} {
		_, operation, _ := strings.Cut(string(description.Raw), path)
		operation, _, _ = strings.Cut(operation, `"summary"`)
		if !strings.Contains(operation, `"name":"Idempotency-Key"`) || !strings.Contains(operation, `"in":"header"`) {
			t.Errorf("%s does not tell of the header", path)
		}
	}
}

func TestMembersInAnotherCaseAreUnknownOnes(t *testing.T) {
	n := apptest.Start(t)
	must(n, 201, "/add-user", n.Admin, `{"user":"bo","USER":7,"User":"cy"}`)
	must(n, 201, "/disable-user", n.Admin, `{"user":"bo"}`)
	must(n, 400, "/disable-user", n.Admin, `{"user":"cy"}`)
}

// jobPaths are the operations on jobs, of which only the first is no GET.
var jobPaths = []string{"/submit", "/status/1", "/cancel/1", "/retry/1", "/logs/1", "/list", "/get-info/r/i-1", "/destroy/r/i-1", "/get-metrics"}

func TestEveryOperationAsksForAToken(t *testing.T) {
	n := apptest.Start(t)
	gone := robot(n, "operator")
	must(n, 201, "/disable-user", n.Admin, `{"user":"robot-operator"}`)
	for _, path := range jobPaths {
		method := map[bool]string{true: "POST", false: "GET"}[path == "/submit"]
		for _, address := range []string{path, path + "?token=", path + "?token=nope", path + "?token=" + gone, "/dev" + path + "?token=nope", "/dev/?token=nope" + path, "/?token=nope" + path} {
			if a := send(n, method, address, "", small); a.Status != 401 || code(a.Body) != "UNAUTHORIZED" || a.Header.Get("WWW-Authenticate") != "Token" {
				t.Errorf("%s %s: %d %s", method, address, a.Status, a.Raw)
			}
		}
		if other := map[string]string{"GET": "POST", "POST": "GET"}[method]; send(n, other, path, n.Admin, small).Status != 405 {
			t.Errorf("%s %s is possible", other, path)
		}
	}
}

// What needs no job to exist; jobs_test.go asks for the rest.
func TestRolesMayDoWhatTheyAreFor(t *testing.T) {
	n := apptest.Start(t)
	tokens := map[string]string{"admin": n.Admin, "operator": robot(n, "operator"), "monitor": robot(n, "monitor")}
	for _, c := range []struct{ method, path, who string }{
		{"POST", "/submit", "admin operator"},
		{"GET", "/list", "admin operator monitor"},
		{"GET", "/get-info/r/" + strings.Repeat("i", 65), "admin operator"},
		{"GET", "/destroy/r/" + strings.Repeat("i", 65), "admin operator"},
		{"GET", "/get-metrics", "admin"},
	} {
		for role, token := range tokens {
			want, name := 400, "BAD_REQUEST" // it is wrong, and so nothing happens
			if !strings.Contains(c.who, role) {
				want, name = 403, "FORBIDDEN"
			}
			if a := send(n, c.method, c.path, token, `{}`); a.Status != want || code(a.Body) != name {
				t.Errorf("%s %s as %s: %d %s", c.method, c.path, role, a.Status, a.Raw)
			}
		}
	}
}

func TestWhatAJobBringsAlongIsInNoLogNoAuditAndNoRefusal(t *testing.T) {
	var output lines
	n := apptest.Start(t, func(c *app.Config) {
		c.Log = slog.New(slog.NewTextHandler(&output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	operator := robot(n, "operator")
	const canary = "CANARY0815"
	with := func(members string) string { return strings.Replace(small, `"image":"i"`, members, 1) }
	for _, body := range []string{
		with(`"image":"i","env":{"PASSPHRASE":"` + canary + `"}`),
		with(`"image":"i","env":{"PASSPHRASE":"` + canary + `"},"timeout":-1`),
		with(`"image":"i","env":{"PASSPHRASE":["` + canary + `"]}`),
		with(`"image":"i","env":{"PASSPHRASE":"` + strings.Repeat(canary, 4000) + `"}`),
		with(`"image":"i","env":"` + canary + `"`),
		with(`"image":"i","env":["PASSPHRASE=` + canary + `"]`),
		with(`"image":"i","user_data":"` + canary + `!"`),
		with(`"ami":"ami-1","user_data":"#!/bin/sh ` + canary + `"`),
		with(`"ami":"ami-1","user_data":"` + canary + `-"`),
		with(`"ami":"ami-1","user_data":["` + canary + `"]`),
		with(`"ami":"ami-1","user_data":"` + strings.Repeat(canary, 4000) + `"`),
	} {
		for _, path := range []string{"/submit", "/dev/?token=" + operator + "/submit"} {
			if a := send(n, "POST", path, map[bool]string{true: operator}[path == "/submit"], body); strings.Contains(string(a.Raw), canary) {
				t.Errorf("%.200s: the answer repeats it: %s", body, a.Raw)
			}
		}
	}
	secret := operator[len("neap_00000000_"):]
	if text := output.String(); !strings.Contains(text, "mapsor.jobs.submit") || strings.Contains(text, canary) || strings.Contains(text, secret) {
		t.Errorf("the log lacks the operation, or shows what it must not: %.3000s", text)
	}
	kept := string(n.Must("GET", "/neap/v1/audit?limit=1000", nil).Raw)
	if !strings.Contains(kept, "PASSPHRASE") || !json.Valid([]byte(kept)) || strings.Contains(kept, canary) || strings.Contains(kept, secret) {
		t.Errorf("the audit lacks the names, or shows what it must not: %.3000s", kept)
	}
}
