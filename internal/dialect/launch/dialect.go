// Package launch is the wire language of the Launch & Provision API: a thin layer that launches EC2 instances and works on them one by one.
//
// It owns wire spellings alone: where parameters may stand, the shapes of answers, the statuses. What is done, and how a cloud's refusal reads, is fleet/single's.
// Start reading at Dialect; arguments.go is how a request's parameters are found.
package launch

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the room behind the operations, and what the operator chose.
type Deps struct {
	Instances *single.Single
	// Guest reports whether a request without a token may be a guest's; nil = never.
	Guest func(r *http.Request) bool
	// EC2Time writes launch times as EC2 does, with colons, instead of as this API does.
	EC2Time bool
}

//go:embed schema/*.json
var schemas embed.FS

// Dialect is the Launch & Provision API as op mounts it, its rows in the order of the facts table.
func Dialect(d Deps) op.Dialect {
	folder, err := fs.Sub(schemas, "schema")
	if err != nil {
		panic(err) // the path is a constant
	}
	return op.Dialect{
		Name: "launch", Title: "Launch & Provision API", Rows: d.rows(), Prefixes: []string{"/v1"}, Schemas: folder, AccountFrom: "accountId", Guest: d.Guest,
		Document: document, Answer: func(_ *op.Call, out any) any { return out }, Refuse: refuse, Status: statuses(), Exception: exception,
	}
}

func (d Deps) rows() []op.Row {
	instance := op.Target{Noun: "instance", Param: "instanceId"}
	rows := []op.Row{
		{N: 1, ID: "instances.launch", Route: "PUT /v1/launch", Need: "launch:runInstances", Title: "Launch instances", Mutates: true, Body: "launch", Do: op.Func(d.launch)},
		{N: 2, ID: "instances.start", Route: "PUT /v1/{instanceId}/start", Need: "launch:startInstance", Title: "Start an instance", Target: instance, Mutates: true, Do: act(d.Instances.Start)},
		{N: 3, ID: "instances.stop", Route: "PUT /v1/{instanceId}/stop", Need: "launch:stopInstance", Title: "Stop an instance", Target: instance, Mutates: true, Body: "force", Do: d.actByForce(d.Instances.Stop)},
		{N: 4, ID: "instances.terminate", Route: "PUT /v1/{instanceId}/terminate", Need: "launch:terminateInstance", Title: "Terminate an instance", Target: instance, Mutates: true, Body: "force", Do: d.actByForce(d.Instances.Terminate)},
		{N: 5, ID: "instances.reboot", Route: "PUT /v1/{instanceId}/reboot", Need: "launch:rebootInstance", Title: "Reboot an instance", Target: instance, Mutates: true, Do: act(d.Instances.Reboot)},
		{N: 6, ID: "instances.attributes", Route: "GET /v1/{instanceId}/attributes", Need: "launch:describeInstance", Title: "Read the attributes of an instance", Target: instance, Do: op.Func(d.attributes)},
		{N: 7, ID: "instances.attribute", Route: "GET /v1/{instanceId}/attributes/{field}", Need: "launch:describeInstance", Title: "Read one attribute of an instance", Target: instance, Do: op.Func(d.attribute)},
		{N: 8, ID: "instances.modify", Route: "PUT /v1/{instanceId}/modify", Need: "launch:modifyInstance", Title: "Modify an attribute of an instance", Target: instance, Mutates: true, Body: "modify", Do: op.Func(d.modify)},
	}
	for i := range rows {
		rows[i].Section, rows[i].BodyOptional = "Instance Actions", true // parameters may all stand in the query
	}
	return rows
}
