package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cli/words"
)

// The views hold what people are shown of a thing; -o json and -o yaml show all of it.

type groupView struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Region   string `json:"region"`
	Capacity struct {
		Target  int    `json:"target"`
		Minimum int    `json:"minimum"`
		Maximum int    `json:"maximum"`
		Unit    string `json:"unit"`
	} `json:"capacity"`
	Strategy struct {
		Risk          *float64 `json:"risk"`
		OnDemandCount *int     `json:"onDemandCount"`
		Rule          string   `json:"availabilityVsCost"`
	} `json:"strategy"`
	Compute struct {
		Product string `json:"product"`
		Zones   []struct {
			Name string `json:"name"`
		} `json:"availabilityZones"`
		Types struct {
			OnDemand text     `json:"ondemand"`
			Spot     []string `json:"spot"`
		} `json:"instanceTypes"`
	} `json:"compute"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

func (g groupView) zones() []string {
	var names []string
	for _, zone := range g.Compute.Zones {
		names = append(names, zone.Name)
	}
	return names
}

// mix says how the group is split between spot and on demand.
func (g groupView) mix() string {
	switch {
	case g.Strategy.OnDemandCount != nil:
		return fmt.Sprintf("%d on demand, rest spot", *g.Strategy.OnDemandCount)
	case g.Strategy.Risk != nil:
		return fmt.Sprintf("%g%% spot", *g.Strategy.Risk)
	}
	return "100% spot"
}

func groupsText(w io.Writer, items []json.RawMessage, v view) error {
	groups, err := decode[groupView](items)
	if err != nil {
		return err
	}
	return writeTable(w, v.wide, []column[groupView]{
		{head: "ID", cell: func(g groupView) string { return g.ID }},
		{head: "NAME", cell: func(g groupView) string { return g.Name }},
		{head: "TARGET", cell: func(g groupView) string { return number(g.Capacity.Target) }},
		{head: "MIN", cell: func(g groupView) string { return number(g.Capacity.Minimum) }},
		{head: "MAX", cell: func(g groupView) string { return number(g.Capacity.Maximum) }},
		{head: "MIX", cell: groupView.mix},
		{head: "RULE", wide: true, cell: func(g groupView) string { return g.Strategy.Rule }},
		{head: "REGION", cell: func(g groupView) string { return g.Region }},
		{head: "ZONES", wide: true, cell: func(g groupView) string { return strings.Join(g.zones(), ",") }},
		{head: "SPOT TYPES", wide: true, cell: func(g groupView) string { return several(g.Compute.Types.Spot, 4) }},
		{head: "AGE", cell: func(g groupView) string { return words.Age(v.now, g.CreatedAt) }},
	}, groups)
}

func groupText(w io.Writer, items []json.RawMessage, v view) error {
	groups, err := decode[groupView](items)
	if err != nil {
		return err
	}
	g := groups[0]
	return writePairs(w, []pair{
		{"id", g.ID},
		{"name", g.Name},
		{"region", g.Region},
		{"capacity", strings.TrimSpace(fmt.Sprintf("%d (between %d and %d) %s", g.Capacity.Target, g.Capacity.Minimum, g.Capacity.Maximum, g.Capacity.Unit))},
		{"mix", g.mix()},
		{"rule", g.Strategy.Rule},
		{"product", g.Compute.Product},
		{"zones", strings.Join(g.zones(), ", ")},
		{"spot types", strings.Join(g.Compute.Types.Spot, ", ")},
		{"on-demand type", string(g.Compute.Types.OnDemand)},
		{"created", moment(v.now, g.CreatedAt)},
		{"updated", moment(v.now, g.UpdatedAt)},
	})
}

// moment is a time with its distance.
func moment(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if t.After(now) {
		return words.Stamp(t) + ", " + words.Age(now, t)
	}
	return words.Stamp(t) + ", " + words.Age(now, t) + " ago"
}

type instanceView struct {
	Instance       string    `json:"instanceId"`
	Request        string    `json:"spotInstanceRequestId"`
	Type           string    `json:"instanceType"`
	Zone           string    `json:"availabilityZone"`
	Product        string    `json:"product"`
	PrivateIP      string    `json:"privateIp"`
	PublicIP       string    `json:"publicIp"`
	Status         string    `json:"status"`
	LockStatus     string    `json:"lockStatus"`
	ProtectedUntil time.Time `json:"protectedUntil"`
	CreatedAt      time.Time `json:"createdAt"`
}

func (i instanceView) lifecycle() string {
	if i.Request == "" {
		return "on-demand"
	}
	return "spot"
}

func (i instanceView) lock(now time.Time) string {
	if i.LockStatus != "locked" || i.ProtectedUntil.IsZero() {
		return i.LockStatus
	}
	return i.LockStatus + " for " + words.Span(i.ProtectedUntil.Sub(now))
}

func instancesText(w io.Writer, items []json.RawMessage, v view) error {
	instances, err := decode[instanceView](items)
	if err != nil {
		return err
	}
	return writeTable(w, v.wide, []column[instanceView]{
		{head: "INSTANCE", cell: func(i instanceView) string { return i.Instance }},
		{head: "TYPE", cell: func(i instanceView) string { return i.Type }},
		{head: "ZONE", cell: func(i instanceView) string { return i.Zone }},
		{head: "LIFECYCLE", cell: instanceView.lifecycle},
		{head: "STATUS", cell: func(i instanceView) string { return i.Status }},
		{head: "LOCK", cell: func(i instanceView) string { return i.lock(v.now) }},
		{head: "PRIVATE IP", cell: func(i instanceView) string { return i.PrivateIP }},
		{head: "PUBLIC IP", wide: true, cell: func(i instanceView) string { return i.PublicIP }},
		{head: "REQUEST", wide: true, cell: func(i instanceView) string { return i.Request }},
		{head: "PRODUCT", wide: true, cell: func(i instanceView) string { return i.Product }},
		{head: "AGE", cell: func(i instanceView) string { return words.Age(v.now, i.CreatedAt) }},
	}, instances)
}

type logView struct {
	CreatedAt time.Time `json:"createdAt"`
	Severity  string    `json:"severity"`
	Message   string    `json:"message"`
}

func logsText(w io.Writer, items []json.RawMessage, v view) error {
	lines, err := decode[logView](items)
	if err != nil {
		return err
	}
	return writeTable(w, v.wide, []column[logView]{
		{head: "AGE", cell: func(l logView) string { return words.Age(v.now, l.CreatedAt) }},
		{head: "AT", wide: true, cell: func(l logView) string { return words.Stamp(l.CreatedAt) }},
		{head: "SEVERITY", cell: func(l logView) string { return l.Severity }},
		{head: "MESSAGE", cell: func(l logView) string { return l.Message }},
	}, lines)
}

type eventView struct {
	CreatedAt time.Time `json:"createdAt"`
	Type      string    `json:"eventType"`
	SubEvents []struct {
		Type         string            `json:"type"`
		NewSpots     []json.RawMessage `json:"newSpots"`
		NewInstances []json.RawMessage `json:"newInstances"`
	} `json:"subEvents"`
}

func (e eventView) details() string {
	var parts []string
	for _, sub := range e.SubEvents {
		part := sub.Type
		if n := len(sub.NewSpots); n > 0 {
			part += fmt.Sprintf(" +%d spot", n)
		}
		if n := len(sub.NewInstances); n > 0 {
			part += fmt.Sprintf(" +%d on demand", n)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

func eventsText(w io.Writer, items []json.RawMessage, v view) error {
	events, err := decode[eventView](items)
	if err != nil {
		return err
	}
	return writeTable(w, v.wide, []column[eventView]{
		{head: "AGE", cell: func(e eventView) string { return words.Age(v.now, e.CreatedAt) }},
		{head: "AT", wide: true, cell: func(e eventView) string { return words.Stamp(e.CreatedAt) }},
		{head: "EVENT", cell: func(e eventView) string { return e.Type }},
		{head: "DETAILS", cell: eventView.details},
	}, events)
}

type costView struct {
	Instance string `json:"instanceId"`
	Request  string `json:"spotInstanceRequestId"`
	Type     string `json:"instanceType"`
	Zone     string `json:"availabilityZone"`
	Running  struct {
		Value json.Number `json:"value"`
		Unit  string      `json:"unit"`
	} `json:"running"`
	Costs struct {
		Actual    json.Number `json:"actual"`
		Potential json.Number `json:"potential"`
	} `json:"costs"`
}

func (c costView) lifecycle() string {
	if c.Instance == "total" {
		return ""
	}
	return instanceView{Request: c.Request}.lifecycle()
}

// costsText ends with the sum, made of the exact values that were sent.
func costsText(w io.Writer, items []json.RawMessage, v view) error {
	costs, err := decode[costView](items)
	if err != nil {
		return err
	}
	var total costView
	var hours, actual, potential []json.Number
	for _, c := range costs {
		hours, actual, potential = append(hours, c.Running.Value), append(actual, c.Costs.Actual), append(potential, c.Costs.Potential)
		total.Running.Unit = c.Running.Unit
	}
	total.Instance, total.Running.Value = "total", sum(hours)
	total.Costs.Actual, total.Costs.Potential = sum(actual), sum(potential)
	return writeTable(w, v.wide, []column[costView]{
		{head: "INSTANCE", cell: func(c costView) string { return c.Instance }},
		{head: "TYPE", cell: func(c costView) string { return c.Type }},
		{head: "ZONE", cell: func(c costView) string { return c.Zone }},
		{head: "LIFECYCLE", cell: costView.lifecycle},
		{head: "RUNNING", cell: func(c costView) string { return decimal(c.Running.Value, 3) + " " + c.Running.Unit }},
		{head: "COST", cell: func(c costView) string { return dollars(c.Costs.Actual) }},
		{head: "ON DEMAND", cell: func(c costView) string { return dollars(c.Costs.Potential) }},
		{head: "SAVED", cell: func(c costView) string { return saved(c.Costs.Actual, c.Costs.Potential) }},
	}, append(costs, total))
}
