// Package mapsor is the wire language of the Mapsor API: users with a role and one token, which every request carries in its query, and the jobs that they run.
//
// It owns wire spellings alone; a Mapsor user is one of our programmatic users, what a role may do is identity's, and what becomes of a job is batch's. Start reading
// at Dialect and address.go; submission.go is how a job's document is understood.
package mapsor

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the rooms behind the operations.
type Deps struct {
	Identity *identity.Identity
	Batch    *batch.Batch
	// Keys are those with which an account's instance jobs publish what they do, and others read it.
	Keys func(ctx context.Context, account string) (publish, subscribe string, err error)
}

//go:embed schema/*.json
var schemas embed.FS

// Dialect is the Mapsor API as op mounts it, its rows in the order of the facts table.
func Dialect(d Deps) op.Dialect {
	folder, err := fs.Sub(schemas, "schema")
	if err != nil {
		panic(err) // the path is a constant
	}
	rows := d.rows()
	names := operations(rows)
	prefixes := []string{stage}
	for name := range names {
		prefixes = append(prefixes, "/"+name)
	}
	return op.Dialect{
		Name: "mapsor", Title: "Mapsor API", Rows: rows, Prefixes: prefixes, Schemas: folder, Challenge: "Token",
		Carrier: op.Carrier{In: "query", Name: "token"}, Credential: credential, Rewrite: func(r *http.Request) *http.Request { return rewrite(r, names) },
		Answer: func(_ *op.Call, out any) any { return out }, Refuse: refuse, Status: statuses(), Exception: exception,
	}
}

func (d Deps) rows() []op.Row { return append(d.users(), d.jobs()...) }

// users name no Target: the user stands in the body, by name. The function asks for the right on that one (see find), and so Filters lets whoever has it on any come as far.
func (d Deps) users() []op.Row {
	rows := []op.Row{
		{N: 1, ID: "users.add", Route: "POST /add-user", Need: "setup:createUser", Title: "Create a user", Do: op.Func(d.add)},
		{N: 2, ID: "users.regenerateToken", Route: "POST /regenerate-token", Need: "setup:createToken", Title: "Replace the token of a user", Filters: true, Do: op.Func(d.regenerate)},
		{N: 3, ID: "users.enable", Route: "POST /enable-user", Need: "setup:updateUser", Title: "Enable a user", Filters: true, Do: op.Func(d.enable)},
		{N: 4, ID: "users.disable", Route: "POST /disable-user", Need: "setup:updateUser", Title: "Disable a user", Filters: true, Do: op.Func(d.disable)},
	}
	for i := range rows {
		rows[i].Section, rows[i].Body, rows[i].Status, rows[i].NoAccount, rows[i].Mutates = "Users", "user", http.StatusCreated, true, true
	}
	return rows
}

// jobs are in the caller's default account, or wherever the one in the path is. GET changes something in some of them: so it was published.
func (d Deps) jobs() []op.Row {
	job := op.Target{Noun: "job", Param: "id", AccountOf: d.Batch.AccountOf}
	return []op.Row{
		{N: 5, ID: "jobs.submit", Route: "POST /submit", Need: "batch:submitJob", Title: "Submit a job", Section: "Jobs", Mutates: true, Body: "job", Do: op.Func(d.submit)},
		{N: 6, ID: "jobs.status", Route: "GET /status/{id}", Need: "batch:describeJob", Title: "Status of a job", Section: "Jobs", Target: job, Do: op.Func(d.status)},
		{N: 7, ID: "jobs.cancel", Route: "GET /cancel/{id}", Need: "batch:cancelJob", Title: "Cancel a job", Section: "Jobs", Target: job, Mutates: true, Do: op.Func(d.cancel)},
		{N: 8, ID: "jobs.retry", Route: "GET /retry/{id}", Need: "batch:retryJob", Title: "Run a finished job again", Section: "Jobs", Target: job, Mutates: true, Do: op.Func(d.retry)},
		{N: 9, ID: "jobs.logs", Route: "GET /logs/{id}", Need: "batch:readJobOutput", Title: "Log of a job", Section: "Jobs", Target: job, Do: op.Func(d.logs)},
		{N: 10, ID: "jobs.list", Route: "GET /list", Need: "batch:describeJobs", Title: "List jobs", Section: "Jobs", Do: op.Func(d.list)},
		{N: 11, ID: "instances.announce", Route: "GET /get-info/{region}/{instance_id}", Need: "batch:announceInstance", Title: "PubNub keys for a spot instance", Section: "EC2 spot jobs", Mutates: true, Status: http.StatusCreated, Do: op.Func(d.announce)},
		{N: 12, ID: "instances.destroy", Route: "GET /destroy/{region}/{instance_id}", Need: "batch:releaseInstance", Title: "Terminate the own spot instance", Section: "EC2 spot jobs", Mutates: true, Status: http.StatusCreated, Do: op.Func(d.destroy)},
		{N: 13, ID: "metrics.read", Route: "GET /get-metrics", Need: "batch:describeUsage", Title: "Usage and cost per customer", Section: "Metrics", Do: op.Func(d.usage)},
	}
}

// operations are the first segments of the rows' paths: this API stands at the root, beside everybody else's.
func operations(rows []op.Row) map[string]bool {
	names := map[string]bool{}
	for _, row := range rows {
		_, path, _ := strings.Cut(row.Route, " /")
		name, _, _ := strings.Cut(path, "/")
		names[name] = true
	}
	return names
}

// credential is the token of the query, and nothing else.
func credential(r *http.Request) (op.Credential, error) {
	token := r.URL.Query().Get("token")
	if token == "" {
		return op.Credential{}, fault.Of(fault.Unauthenticated, "token", "Send a token in the address: ?token=….")
	}
	return op.Credential{Token: token}, nil
}
