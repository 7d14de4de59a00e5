// Package pubnub is the wire language of PubNub's publish and subscribe, as far as the keys need it that Mapsor's jobs are given: official clients work with them once
// their origin is this Neap.
//
// It owns wire spellings alone: addresses that hold JSON, answers that are arrays, JSONP. What a channel keeps and who may use it is batch/channel's. Start reading at
// Dialect and address.go. It is a dialect of its own beside Mapsor's, because its answers, refusals and credentials have nothing in common with that one's.
package pubnub

import (
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the room behind the operations.
type Deps struct {
	Hub  *channel.Hub
	Keys *channel.Keys
	Log  *slog.Logger
}

// companion serves the operations.
type companion struct {
	Deps
	told sync.Map // what was said in the log once, because it is accepted and nothing acts on it
}

// Dialect is the companion as op mounts it. Its rows are open and of any origin: the keys in the address are all that gives a right, and a browser adds no credential to
// such a request by itself, so a page gains nothing by asking that it could not do from its own server. Publishing changes no resource: it is not for the audit, which
// thousands of messages a second would drown.
func Dialect(d Deps) op.Dialect {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	c := &companion{Deps: d}
	return op.Dialect{
		Name: "pubnub", Title: "Messages of jobs (PubNub's wire form)", Rows: slices.Concat(c.published(), c.beside()),
		Prefixes: []string{"/publish", "/subscribe", "/v2/subscribe", "/v2/presence", "/time"}, Rewrite: rewrite, Document: document,
		Answer: answer, Refuse: refuse, ContentType: contentType, SecretPaths: true, AnyOrigin: true,
		Status: map[fault.Kind]int{
			fault.Invalid: http.StatusBadRequest, fault.Unauthenticated: http.StatusForbidden, fault.Denied: http.StatusForbidden,
			fault.NotFound: http.StatusBadRequest, fault.Conflict: http.StatusBadRequest, fault.Exists: http.StatusBadRequest,
			fault.Limit: http.StatusTooManyRequests, fault.Unavailable: http.StatusServiceUnavailable, fault.Internal: http.StatusInternalServerError,
		},
		Exception: exception,
	}
}

// Rows are the operations of Mapsor's facts table, for the test that compares the two.
func Rows() []op.Row { return (&companion{}).published() }

func (c *companion) published() []op.Row {
	return open([]op.Row{
		{ID: "publish", Route: "GET /publish/{pub_key}/{sub_key}/0/{channel}/{callback}/{payload}", Need: "batch:publishMessage", Title: "Publish a message", Do: op.Func(c.publish)},
		{ID: "subscribe.old", Route: "GET /subscribe/{sub_key}/{channels}/{callback}/{timetoken}", Need: "batch:describeChannels", Title: "Subscribe, old form", Do: op.Func(c.subscribeOld)},
		{ID: "subscribe", Route: "GET /v2/subscribe/{sub_key}/{channels}/{callback}", Need: "batch:describeChannels", Title: "Subscribe, v2", Do: op.Func(c.subscribe)},
		{ID: "time", Route: "GET /time/{callback}", Need: "batch:describeChannels", Title: "Server time", Do: op.Func(c.time)},
	})
}

// beside are what clients call besides: publishing in the body, and presence, which has nothing to tell.
func (c *companion) beside() []op.Row {
	const presence = "GET /v2/presence/sub-key/{sub_key}"
	return open([]op.Row{
		{ID: "publish.body", Route: "POST /publish/{pub_key}/{sub_key}/0/{channel}/{callback}", Need: "batch:publishMessage", Title: "Publish a message in the body", Do: op.Func(c.publishBody)},

		{ID: "presence.heartbeat", Route: presence + "/channel/{channels}/heartbeat", Need: "batch:describeChannels", Title: "Stay present", Do: op.Func(c.heartbeat)},
		{ID: "presence.leave", Route: presence + "/channel/{channels}/leave", Need: "batch:describeChannels", Title: "Leave", Do: op.Func(c.leave)},
		{ID: "presence.here", Route: presence + "/channel/{channels}", Need: "batch:describeChannels", Title: "Who is here: nobody says", Do: op.Func(c.hereNow)},
		{ID: "presence.everywhere", Route: presence, Need: "batch:describeChannels", Title: "Who is anywhere: nobody says", Do: op.Func(c.everywhere)},
		{ID: "presence.where", Route: presence + "/uuid/{uuid}", Need: "batch:describeChannels", Title: "Where somebody is: nobody says", Do: op.Func(c.whereNow)},
		{ID: "presence.state", Route: presence + "/channel/{channels}/uuid/{uuid}", Need: "batch:describeChannels", Title: "Somebody's state: none is kept", Do: op.Func(c.state)},
		{ID: "presence.setState", Route: presence + "/channel/{channels}/uuid/{uuid}/data", Need: "batch:describeChannels", Title: "Set a state: none is kept", Do: op.Func(c.state)},
	})
}

func open(rows []op.Row) []op.Row {
	for i := range rows {
		rows[i].Section, rows[i].Open, rows[i].NoAccount = "PubNub companion", true, true
	}
	return rows
}

// tell says once that something a client asked for is not acted on.
func (c *companion) tell(what string) {
	if _, twice := c.told.LoadOrStore(what, true); !twice {
		c.Log.Warn("a subscriber asks for what Neap does not do; messages come as if it had not", "asked", what)
	}
}
