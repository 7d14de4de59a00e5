// Package neap is Neap's own dialect, under /neap/v1: what the five published APIs have no words for.
//
// It owns plain JSON answers about decisions, tokens, accounts and the installation. It must not decide anything about fleets: it asks the rooms.
// Start reading at Dialect.
package neap

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/batch/form"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/experiment"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/journal/webhook"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the rooms that this dialect asks.
type Deps struct {
	Fleet       *fleet.Fleet
	Journal     *journal.Journal
	Identity    *identity.Identity
	Webhooks    *webhook.Webhooks
	Experiments *experiment.Experiments
	Batch       *batch.Batch
	Queues      Queues
	Channels    *channel.Keys
	// Status describes the installation as it is now, with what is kept in these accounts.
	Status func(ctx context.Context, accounts []identity.Account) (Status, error)
	// Operations lists every operation that the server answers; it is asked after all dialects are mounted.
	Operations func() []op.Operation
}

// Status is the installation at a glance.
type Status struct {
	Version   string    `json:"version"`
	Simulated bool      `json:"simulated"` // every account's cloud is simulated: nothing here costs money
	Database  string    `json:"database"`
	Time      time.Time `json:"time"` // of the engine
	Rate      float64   `json:"rate"` // engine seconds per second
	Started   time.Time `json:"started"`
	Groups    int       `json:"groups"`
	Instances int       `json:"instances"`
	Alerts    []Alert   `json:"alerts"` // open ones, of the caller's accounts and of the installation
}

//go:embed schema/*.json
var schemas embed.FS

// Dialect gives the rows of /neap/v1.
func Dialect(d Deps) op.Dialect {
	own, err := fs.Sub(schemas, "schema")
	if err != nil {
		panic(err) // the path is a constant
	}
	group := op.Target{Noun: "group", Param: "groupId", AccountOf: d.Fleet.AccountOf}
	return op.Dialect{
		Name: "neap", Title: "Neap", Prefixes: []string{"/neap"}, AccountFrom: "accountId", Schemas: form.Schemas(own),
		Rows: slices.Concat([]op.Row{
			{ID: "status", Route: "GET /neap/v1/status", Need: "neap:readStatus", Title: "Read the installation's status", NoAccount: true, Do: op.Func(d.status)},
			{ID: "operations.list", Route: "GET /neap/v1/operations", Need: "neap:readStatus", Title: "List operations", NoAccount: true, Do: op.Func(d.operations)},
			{ID: "accounts.list", Route: "GET /neap/v1/accounts", Need: "neap:listAccounts", Title: "List accounts", NoAccount: true, Do: op.Func(d.accounts)},

			{ID: "decisions.list", Route: "GET /neap/v1/groups/{groupId}/decisions", Need: "neap:readDecision", Title: "List decisions of a group", Target: group, Do: op.Func(d.decisions)},
			{ID: "decisions.read", Route: "GET /neap/v1/groups/{groupId}/decisions/{decisionId}", Need: "neap:readDecision", Title: "Read a decision", Target: group, Do: op.Func(d.decision)},
			{ID: "decisions.replay", Route: "GET /neap/v1/groups/{groupId}/decisions/{decisionId}/replay", Need: "neap:readDecision", Title: "Plan again from a decision's inputs", Target: group, Do: op.Func(d.replay)},
		}, d.tokenRows(), d.groupRows(), d.notifyRows(), d.experimentRows(), d.generationRows(), d.auditRows(), d.jobRows(), d.channelRows()),
		Answer: func(_ *op.Call, out any) any { return out },
		Refuse: refuse,
		Status: map[fault.Kind]int{
			fault.Invalid: http.StatusBadRequest, fault.Unauthenticated: http.StatusUnauthorized, fault.Denied: http.StatusForbidden,
			fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict, fault.Exists: http.StatusConflict,
			fault.Limit: http.StatusTooManyRequests, fault.Unavailable: http.StatusServiceUnavailable, fault.Internal: http.StatusInternalServerError,
		},
	}
}

// problem is one failure on the wire.
type problem struct {
	Kind    fault.Kind `json:"kind"`
	Message string     `json:"message"`
	Field   string     `json:"field,omitempty"`
}

func refuse(call *op.Call, status int, err *fault.Error) any {
	body := struct {
		Request string    `json:"request"`
		Status  int       `json:"status"`
		Errors  []problem `json:"errors"`
	}{Request: call.ID, Status: status}
	for _, e := range append([]*fault.Error{err}, err.Others...) {
		body.Errors = append(body.Errors, problem{e.Kind, e.Sentence(), e.Field})
	}
	return body
}

// page is a part of a list; Next fetches the part after it, as ?after=.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

type nothing struct{}

func (d Deps) status(ctx context.Context, _ nothing) (Status, error) {
	accounts, err := d.Identity.Visible(ctx, op.CallOf(ctx).Caller)
	if err != nil {
		return Status{}, err
	}
	status, err := d.Status(ctx, accounts)
	if err != nil {
		return status, err
	}
	status.Alerts, err = d.openAlerts(ctx)
	return status, err
}

func (d Deps) operations(context.Context, nothing) (page[op.Operation], error) {
	return page[op.Operation]{Items: d.Operations()}, nil
}

type account struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Cloud     string `json:"cloud"`
	Simulated bool   `json:"simulated"`
}

func (d Deps) accounts(ctx context.Context, _ nothing) (page[account], error) {
	list, err := d.Identity.Visible(ctx, op.CallOf(ctx).Caller)
	items := make([]account, 0, len(list))
	for _, a := range list {
		items = append(items, account{a.ID, a.Name, a.Cloud, a.Cloud == "sim"})
	}
	return page[account]{Items: items}, err
}

// decision is a stored plan with its reasons. Inputs and Market come with a single read only: they can be large.
type decision struct {
	ID      string          `json:"id"`
	Group   string          `json:"group"`
	At      time.Time       `json:"at"`
	Version string          `json:"version"` // of the planner
	DryRun  bool            `json:"dryRun"`
	Summary string          `json:"summary"`
	Plan    json.RawMessage `json:"plan"`
	// Outcomes say what became of its launches so far, and what the engine does about those that were refused. They come with a single read only.
	Outcomes []string        `json:"outcomes,omitempty"`
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	Market   json.RawMessage `json:"market,omitempty"`
}

func fromDecision(j journal.Decision) decision {
	return decision{ID: j.ID, Group: j.Group, At: j.At, Version: j.Version, DryRun: j.DryRun, Summary: j.Summary, Plan: j.Plan}
}

type listDecisions struct {
	Group string `path:"groupId"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Decisions on a page"`
	After string `query:"after" doc:"Next of the page before"`
}

func (d Deps) decisions(ctx context.Context, in listDecisions) (page[decision], error) {
	list, next, err := d.Journal.Decisions(ctx, op.CallOf(ctx).Account, in.Group, in.Limit, in.After)
	items := make([]decision, 0, len(list))
	for _, j := range list {
		items = append(items, fromDecision(j))
	}
	return page[decision]{items, next}, err
}

type oneDecision struct {
	Group    string `path:"groupId"`
	Decision string `path:"decisionId"`
}

func (d Deps) decision(ctx context.Context, in oneDecision) (decision, error) {
	j, market, err := d.Journal.Decision(ctx, op.CallOf(ctx).Account, in.Group, in.Decision)
	out := fromDecision(j)
	if err != nil {
		return out, err
	}
	out.Inputs, out.Market = j.Inputs, market
	out.Outcomes, err = d.Fleet.Outcomes(ctx, j)
	return out, err
}

type replayed struct {
	Same     bool            `json:"same"`
	Version  string          `json:"version"` // of the planner that decided
	Running  string          `json:"running"` // of the planner that replayed
	Stored   json.RawMessage `json:"stored"`
	Replayed json.RawMessage `json:"replayed"`
}

func (d Deps) replay(ctx context.Context, in oneDecision) (replayed, error) {
	r, err := d.Fleet.Replay(ctx, op.CallOf(ctx).Account, in.Group, in.Decision)
	return replayed{r.Same, r.Version, r.Running, r.Stored, r.Replayed}, err
}
