// Package elastigroup is the Spot API's Elastigroup on AWS: its rows, its documents, and its views of groups and instances.
//
// It owns the wire form alone; what a group does is decided in fleet. It must not know stores or clouds. Start reading at Rows and Form.
package elastigroup

import (
	"embed"
	"io/fs"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the rooms behind the operations.
type Deps struct {
	Fleet   *fleet.Fleet
	Journal *journal.Journal
	Ledger  *ledger.Ledger
	Catalog *catalog.Cloud
	Schemas *op.Schemas // op.NewSchemas(Schemas()): a patched group is checked as a whole
	Clock   clock.Clock // of the engine
}

type dialect struct {
	Deps
	form Form
}

//go:embed schema/*.json
var schemas embed.FS

// Schemas are the JSON Schemas that the rows name.
func Schemas() fs.FS { return spot.Schemas(schemas) }

// Product is all that this package brings to the dialect.
func Product(deps Deps) spot.Product { return spot.Product{Rows: Rows(deps), Schemas: Schemas()} }

const section = "Elastigroup AWS"

// Rows are the operations in the order of the facts table.
func Rows(deps Deps) []op.Row {
	d := dialect{deps, NewForm(deps.Catalog)}
	group := op.Target{Noun: "group", Param: "groupId", AccountOf: d.Fleet.AccountOf, Attributes: d.ofGroup}
	instance := op.Target{Noun: "instance", Param: "instanceId", AccountOf: d.Fleet.AccountOfInstance}
	rows := []op.Row{
		// Groups.
		{N: 179, ID: "elastigroup.aws.createElastigroup", Route: "POST /aws/ec2/group", Need: "elastigroup:createGroup", Title: "Create a group", Target: op.Target{Attributes: d.ofGroup}, Mutates: true, Kind: "spotinst:aws:ec2:group", Body: "group-create", Do: op.Func(d.create)},
		{N: 180, ID: "elastigroup.aws.listAllElastigroups", Route: "GET /aws/ec2/group", Need: "elastigroup:describeGroups", Title: "List groups", Filters: true, Kind: "spotinst:aws:ec2:group", Do: op.Func(d.list)},
		{N: 181, ID: "elastigroup.aws.updateElastigroup", Route: "PUT /aws/ec2/group/{groupId}", Need: "elastigroup:updateGroup", Title: "Change a group", Target: group, Mutates: true, Kind: "spotinst:aws:ec2:group", Body: "group-update", Do: op.Func(d.update)},
		{N: 182, ID: "elastigroup.aws.deleteElastigroup", Route: "DELETE /aws/ec2/group/{groupId}", Need: "elastigroup:deleteGroup", Title: "Delete a group", Target: group, Mutates: true, Body: "group-delete", BodyOptional: true, Do: op.Func(d.delete)},
		{N: 183, ID: "elastigroup.aws.listElastigroup", Route: "GET /aws/ec2/group/{groupId}", Need: "elastigroup:describeGroup", Title: "Show a group", Target: group, Kind: "spotinst:aws:ec2:group", Do: op.Func(d.get)},
		// Instances and logs. Who may do any of it may ask; whether it may be done to an instance depends on its group, see dialect.allowed.
		{N: 193, ID: "elastigroup.aws.instanceLock", Route: "POST /aws/ec2/instance/{instanceId}/lock", Need: "elastigroup:lockInstance", Title: "Protect an instance", Target: instance, Filters: true, Mutates: true, Do: op.Func(d.lock)},
		{N: 194, ID: "elastigroup.aws.instanceUnlock", Route: "POST /aws/ec2/instance/{instanceId}/unlock", Need: "elastigroup:unlockInstance", Title: "End an instance's protection", Target: instance, Filters: true, Mutates: true, Do: op.Func(d.unlock)},
		{N: 195, ID: "elastigroup.aws.getElastigroupStatus", Route: "GET /aws/ec2/group/{groupId}/status", Need: "elastigroup:describeGroupStatus", Title: "List a group's instances", Target: group, Kind: "spotinst:aws:ec2:group", Do: op.Func(d.status)},
		{N: 196, ID: "elastigroup.aws.activityEvents", Route: "GET /aws/ec2/group/{groupId}/events", Need: "elastigroup:describeGroupEvents", Title: "List a group's events", Target: group, Kind: "spotinst:aws:ec2:group", Do: op.Func(d.events)},
		{N: 197, ID: "elastigroup.aws.getElastilog", Route: "GET /aws/ec2/group/{groupId}/logs", Need: "elastigroup:describeGroupLogs", Title: "Show a group's log", Target: group, Kind: "spotinst:aws:ec2:group:log", Do: op.Func(d.logs)},
		// Capacity.
		{N: 198, ID: "elastigroup.aws.updateCapacity", Route: "PUT /aws/ec2/group/{groupId}/capacity", Need: "elastigroup:updateCapacity", Title: "Change a group's capacity", Target: group, Mutates: true, Kind: "spotinst:aws:ec2:group:capacity", Body: "capacity", Do: op.Func(d.setCapacity)},
		{N: 199, ID: "elastigroup.aws.scaleUp", Route: "PUT /aws/ec2/group/{groupId}/scale/up", Need: "elastigroup:scaleUp", Title: "Add instances", Target: group, Mutates: true, Kind: "spotinst:aws:ec2:scale", Body: "scale", BodyOptional: true, Do: op.Func(d.scaleUp)},
		{N: 200, ID: "elastigroup.aws.scaleDown", Route: "PUT /aws/ec2/group/{groupId}/scale/down", Need: "elastigroup:scaleDown", Title: "Remove instances", Target: group, Mutates: true, Kind: "spotinst:aws:ec2:scale", Body: "scale", BodyOptional: true, Do: op.Func(d.scaleDown)},
		// Costs.
		{N: 207, ID: "elastigroup.aws.getCostsPerElastigroup", Route: "GET /aws/ec2/group/{groupId}/costs", Need: "elastigroup:describeGroupCosts", Title: "Show what a group's spot instances cost", Target: group, Kind: "spotinst:aws:ec2:group:stats", Do: op.Func(d.costs)},
		{N: 208, ID: "elastigroup.aws.detailedCost", Route: "GET /aws/ec2/group/{groupId}/costs/detailed", Need: "elastigroup:describeGroupCosts", Title: "Show what each instance of a group costs", Target: group, Kind: "spotinst:aws:ec2:group", Do: op.Func(d.detailedCosts)},
		// Single instances.
		{N: 209, ID: "elastigroup.aws.instanceStatus", Route: "GET /aws/ec2/instance/{instanceId}", Need: "elastigroup:describeInstance", Title: "Show an instance's state", Target: instance, Filters: true, Kind: "spotinst:aws:ec2:instance", Do: op.Func(d.instance)},
		{N: 212, ID: "elastigroup.aws.instanceHealthiness", Route: "GET /aws/ec2/group/{groupId}/instanceHealthiness", Need: "elastigroup:describeInstanceHealthiness", Title: "Show the health of a group's instances", Target: group, Kind: "spotinst:aws:ec2:group:instanceHealthiness", Do: op.Func(d.health)},
		{N: 213, ID: "elastigroup.aws.detachInstance", Route: "PUT /aws/ec2/group/{groupId}/detachInstances", Need: "elastigroup:detachInstances", Title: "Take instances out of a group", Target: group, Mutates: true, Kind: "spotinst:aws:ec2:detachInstances", Body: "detach", Do: op.Func(d.detach)},
		{N: 215, ID: "elastigroup.aws.instanceTypeByRegion", Route: "GET /aws/ec2/spotType", Need: "elastigroup:describeInstanceTypes", Title: "List the types sold on spot in a region", Kind: "spotinst:aws:ec2:spot:type", Do: op.Func(d.spotTypes)},
		{N: 216, ID: "elastigroup.aws.simulateInstanceInterruption", Route: "POST /aws/ec2/instance/interruption", Need: "elastigroup:interruptInstances", Title: "Interrupt instances as the cloud would", Filters: true, Mutates: true, Body: "interruption", Do: op.Func(d.interrupt)},
	}
	for i := range rows {
		rows[i].Section = section
	}
	return rows
}
