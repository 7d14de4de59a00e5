package elastigroup

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/op"
)

type logsIn struct {
	groupIn
	From      string `query:"fromDate" doc:"First moment: Unix milliseconds or seconds, a date, a date and time."`
	To        string `query:"toDate" doc:"First moment that is left out; written like fromDate."`
	Severity  string `query:"severity" enum:"ALL,DEBUG,INFO,WARN,ERROR" default:"ALL" doc:"Only lines of this severity."`
	Resource  string `query:"resourceId" doc:"Only lines that name this resource, such as an instance."`
	Resource2 string `query:"resource_id" doc:"The same."`
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"500" doc:"Most lines to answer; the newest come first."`
}

type logItem struct {
	Message  string    `json:"message"`
	Severity string    `json:"severity"`
	Created  spot.Time `json:"createdAt"`
}

func (d dialect) logs(ctx context.Context, in logsIn) (spot.Items[logItem], error) {
	from, to, err := spot.Span(in.From, in.To, d.Clock.Now())
	if err != nil {
		return nil, err
	}
	resource := in.Resource + in.Resource2
	query := journal.LineQuery{From: from, To: to, Limit: in.Limit}
	if in.Severity != "ALL" {
		query.Severities = []journal.Severity{journal.Severity(in.Severity)}
	}
	if resource != "" {
		query.Limit = 0 // lines know the group; what else they are about stands in their text
	}
	lines, err := d.Journal.Lines(ctx, op.CallOf(ctx).Account, in.Group, query)
	if err != nil {
		return nil, err
	}
	var items spot.Items[logItem]
	for _, line := range lines {
		if strings.Contains(line.Message, resource) && len(items) < in.Limit {
			items = append(items, logItem{line.Message, string(line.Severity), spot.Time(line.At)})
		}
	}
	return items, nil
}

type eventsIn struct {
	groupIn
	From string `query:"fromDate" doc:"First moment: a date, a date and time, Unix seconds or milliseconds."`
}

type eventItem struct {
	Group   string     `json:"groupId"`
	Type    string     `json:"eventType"`
	Created spot.Time  `json:"createdAt"`
	Parts   []subEvent `json:"subEvents"`
}

type subEvent struct {
	Type                string       `json:"type"`
	NewSpots            []scaledItem `json:"newSpots,omitempty"`
	NewInstances        []scaledItem `json:"newInstances,omitempty"`
	TerminatedSpots     []scaledItem `json:"terminatedSpots,omitempty"`
	TerminatedInstances []scaledItem `json:"terminatedInstances,omitempty"`
	Instance            string       `json:"instanceId,omitempty"`
	Instances           []string     `json:"instanceIds,omitempty"`
	Reason              string       `json:"reason,omitempty"` // ours: one sentence
}

func (d dialect) events(ctx context.Context, in eventsIn) (spot.Items[eventItem], error) {
	from, wrong := spot.Date("fromDate", in.From)
	if wrong != nil {
		return nil, wrong
	}
	now := d.Clock.Now()
	events, err := d.Journal.Events(ctx, op.CallOf(ctx).Account, in.Group, from, now.Add(time.Nanosecond))
	var items spot.Items[eventItem]
	for _, e := range events {
		items = append(items, eventOf(in.Group, e))
	}
	return items, err
}

// eventOf spells an event of the engine for clients: what happens to instances is an update of the group with sub-events.
func eventOf(group string, e journal.Event) eventItem {
	item := eventItem{Group: group, Type: e.Type, Created: spot.Time(e.At), Parts: []subEvent{}}
	var h fleet.Happening
	if len(e.Data) > 0 && json.Unmarshal(e.Data, &h) != nil {
		return item // data of another shape is none of these
	}
	part := subEvent{Reason: h.Because}
	switch e.Type {
	case "created":
		item.Type = "Create"
	case "deleted":
		item.Type = "Delete"
	case "updated", "resized":
		item.Type = "Update"
	case "atMaximum":
		item.Type = "CANT_SCALE_UP_GROUP_MAX_CAPACITY"
	case "launched":
		item.Type, part.Type = "Update", "scaleUp"
		part.NewSpots, part.NewInstances = subjects(h)
	case "terminated":
		item.Type, part.Type = "Update", "scaleDown"
		part.TerminatedSpots, part.TerminatedInstances = subjects(h)
	case "unhealthy":
		item.Type, part.Type = "Update", "unhealthyInstances"
		for _, s := range h.Instances {
			part.Instances = append(part.Instances, s.Instance)
		}
	case "detached":
		item.Type = "Update"
		for _, s := range h.Instances {
			item.Parts = append(item.Parts, subEvent{Type: "detachedInstance", Instance: s.Instance, Reason: h.Because})
		}
	}
	if part.Type != "" {
		item.Parts = append(item.Parts, part)
	}
	return item
}

func subjects(h fleet.Happening) (onSpot, onDemand []scaledItem) {
	for _, s := range h.Instances {
		item := scaledItem{Request: s.Request, Instance: s.Instance, Zone: s.Zone, Type: s.Type}
		if s.Lifecycle == string(plan.Spot) {
			onSpot = append(onSpot, item)
		} else {
			onDemand = append(onDemand, item)
		}
	}
	return onSpot, onDemand
}
