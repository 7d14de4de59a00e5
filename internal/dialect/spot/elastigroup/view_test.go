package elastigroup

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/money"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func running() fleet.Instance {
	i := fleet.Instance{
		Group: "sig-1", Request: "sir-1", PrivateIP: "10.0.0.4", PublicIP: "203.0.113.4", Created: noon,
		Market: cloud.Market{Product: "Linux/UNIX", Zone: "us-east-1a", Type: "m5.large", Lifecycle: cloud.Spot},
	}
	i.ID, i.Type, i.Zone, i.Lifecycle, i.Phase, i.Condition = "i-1", "m5.large", "us-east-1a", plan.Spot, plan.Running, plan.Healthy
	return i
}

func lines() []ledger.Line {
	meter := ledger.Meter{Instance: "i-1", Request: "sir-1", Group: "sig-1", Market: running().Market}
	other := meter
	other.Instance, other.Request, other.Market.Lifecycle = "i-2", "", cloud.OnDemand
	line := func(m ledger.Meter, hours int, price, onDemand money.Price) ledger.Line {
		length := time.Duration(hours) * time.Hour
		return ledger.Line{Meter: m, From: noon, To: noon.Add(length), Price: price, OnDemand: onDemand, Actual: price.For(length), Potential: onDemand.For(length)}
	}
	return []ledger.Line{line(meter, 1, 30_000, 96_000), line(other, 2, 96_000, 96_000), line(meter, 3, 33_333, 96_000)}
}

// Published samples show which members clients may find in an answer, and of what type.
func TestAnswersHaveTheMembersOfThePublishedSamples(t *testing.T) {
	locked := running()
	locked.LockedUntil = noon.Add(time.Hour)
	happening := fleet.Happening{Instances: []fleet.Subject{{Instance: "i-1", Request: "sir-1", Lifecycle: "spot"}}}
	up := scaleOf(fleet.Scaled{Launched: []fleet.Instance{running()}})
	for _, c := range []struct {
		sample string
		item   any
		except string // why a member differs: "member: reason"
	}{
		{"elastigroup-aws-status.response", statusOf(locked, noon), ""},
		{"elastigroup-aws-instance-healthiness.response", healthOf(running()), "agentHealth: known only with a shutdown script"},
		{"instance-status-aws.response", instanceItem{"i-1", "ACTIVE"}, ""},
		{"elastigroup-aws-costs.response", costOf(nil, lines()), "value: text in this sample, a number in the others and for clients"},
		{"elastigroup-aws-costs-detailed.response", detailed(nil, lines())[0], ""},
		{"elastigroup-aws-scale-up.response", up, ""},
		{"elastigroup-aws-scale-down.response", scaleOf(fleet.Scaled{Victims: []fleet.Instance{running()}}), ""},
		{"elastigroup-aws-capacity.response", capacityItem{}, ""},
		{"elastigroup-aws-elastilog.response", logItem{"text", "INFO", spot.Time(noon)}, ""},
		{"elastigroup-aws-events.response", eventOf("sig-1", journal.Event{At: noon, Type: "launched", Data: encoded(t, happening)}), "newInstances: stands in the sub-events, where clients read it"},
	} {
		var sample struct {
			Response struct{ Items []any }
		}
		if err := json.Unmarshal(read(t, "samples/"+c.sample+".json"), &sample); err != nil {
			t.Fatal(err)
		}
		member, _, _ := strings.Cut(c.except, ":")
		compare(t, c.sample, sample.Response.Items[0], decoded(t, string(encoded(t, c.item))), member)
	}
}

func compare(t *testing.T, path string, sample, got any, except string) {
	t.Helper()
	switch sample := sample.(type) {
	case map[string]any:
		object, isObject := got.(map[string]any)
		if !isObject {
			t.Errorf("%s is %T, want an object", path, got)
			return
		}
		for name, member := range sample {
			if name == except {
				continue
			}
			if _, has := object[name]; !has {
				t.Errorf("%s has no %s", path, name)
				continue
			}
			compare(t, path+"."+name, member, object[name], except)
		}
	case []any:
		list, isList := got.([]any)
		if !isList {
			t.Errorf("%s is %T, want a list", path, got)
		} else if len(list) > 0 {
			compare(t, path+"[0]", sample[0], list[0], except)
		}
	default:
		if want, have := fmt.Sprintf("%T", sample), fmt.Sprintf("%T", got); want != have {
			t.Errorf("%s is a %s, want a %s", path, have, want)
		}
	}
}

func TestTheStatusTellsHowFarAnInstanceIs(t *testing.T) {
	request := running()
	request.ID, request.Phase = "", plan.Launching
	launching, draining, noticed := running(), running(), running()
	launching.Phase, draining.Phase, noticed.InterruptAt = plan.Launching, plan.Draining, noon
	for name, c := range map[string]struct {
		instance fleet.Instance
		want     string
	}{
		"open request": {request, `"instanceId":null,"instanceType":"m5.large"`},
		"evaluated":    {request, `"status":"pending-evaluation"`},
		"launching":    {launching, `"status":"pending-fulfillment"`},
		"running":      {running(), `"status":"fulfilled","lockStatus":"unlocked","protectedUntil":null`},
		"draining":     {draining, `"status":"marked-for-termination"`},
		"noticed":      {noticed, `"status":"marked-for-termination"`},
	} {
		if got := string(encoded(t, statusOf(c.instance, noon))); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %s in %s", name, c.want, got)
		}
	}
}

func TestLocksShowUntilWhenUnlessTheyLastUntilUnlocked(t *testing.T) {
	for until, want := range map[time.Time]string{
		noon.Add(time.Minute): `"lockStatus":"locked","protectedUntil":"2024-05-01T12:01:00.000Z"`,
		noon:                  `"lockStatus":"unlocked","protectedUntil":null`,
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC): `"lockStatus":"locked","protectedUntil":null`,
	} {
		i := running()
		i.LockedUntil = until
		if got := string(encoded(t, statusOf(i, noon))); !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestHealthIsNeverNull(t *testing.T) {
	for _, c := range []struct {
		condition plan.Condition
		phase     plan.Phase
		want      string
	}{
		{plan.Healthy, plan.Running, "HEALTHY"}, {plan.Unhealthy, plan.Running, "UNHEALTHY"},
		{plan.ConditionUnknown, plan.Running, "UNKNOWN"}, {"", plan.Running, "UNKNOWN"}, {"", plan.Launching, "INSUFFICIENT_DATA"},
	} {
		i := running()
		i.Condition, i.Phase = c.condition, c.phase
		if got := healthOf(i).Health; got != c.want {
			t.Errorf("%q while %s is %q, want %q", c.condition, c.phase, got, c.want)
		}
	}
	i := running()
	i.Lifecycle, i.Request = plan.OnDemand, ""
	if got := healthOf(i); got.Lifecycle != "ON_DEMAND" || got.Request != nil {
		t.Errorf("got %+v", got)
	}
}

func TestScalingTellsSpotFromOnDemand(t *testing.T) {
	other := running()
	other.ID, other.Request, other.Lifecycle = "i-2", "", plan.OnDemand
	got := string(encoded(t, scaleOf(fleet.Scaled{Launched: []fleet.Instance{running(), other}})))
	want := `{"newSpotRequests":[{"spotInstanceRequestId":"sir-1","instanceId":"i-1","availabilityZone":"us-east-1a","instanceType":"m5.large"}],` +
		`"newInstances":[{"instanceId":"i-2","availabilityZone":"us-east-1a","instanceType":"m5.large"}],"victimSpotRequests":[],"victimInstances":[]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCostsLeadBackToTheLedgerExactly(t *testing.T) {
	all := lines()
	sum := ledger.Sum(all)
	item := costOf(nil, all)
	for _, c := range []struct {
		shown float64
		exact money.Amount
	}{{item.Costs.Actual, sum.Actual}, {item.Costs.Potential, sum.Potential}} {
		if back := money.Amount(math.Round(c.shown * float64(money.Dollar))); back != c.exact {
			t.Errorf("%v leads back to %d, want %d", c.shown, back, c.exact)
		}
	}
	if item.Running.Value != 6 || math.Abs(item.Savings.Value-100*(1-item.Costs.Actual/item.Costs.Potential)) > 1e-9 {
		t.Errorf("got %+v", item)
	}
	if nothing := costOf(nil, nil); nothing.Savings.Value != 0 || nothing.Costs.Actual != 0 {
		t.Errorf("nothing costs %+v", nothing)
	}
}

func TestDetailedCostsAddUpPerInstance(t *testing.T) {
	day := spot.Time(noon.Truncate(24 * time.Hour))
	items := detailed(&day, lines())
	if len(items) != 2 || items[0].Instance != "i-1" || items[0].Running.Value != 4 || items[1].Request != nil {
		t.Fatalf("got %+v", items)
	}
	if got := string(encoded(t, items[0])); !strings.Contains(got, `"timestamp":"2024-05-01T00:00:00.000Z"`) {
		t.Errorf("got %s", got)
	}
}

func TestEventsSpeakTheClientsWords(t *testing.T) {
	h := fleet.Happening{Because: "why", Instances: []fleet.Subject{{Instance: "i-1", Request: "sir-1", Lifecycle: "spot"}, {Instance: "i-2", Lifecycle: "on-demand"}}}
	for kind, want := range map[string]string{
		"created":            `"eventType":"Create","createdAt":"2024-05-01T12:00:00.000Z","subEvents":[]`,
		"launched":           `"eventType":"Update","createdAt":"2024-05-01T12:00:00.000Z","subEvents":[{"type":"scaleUp","newSpots":[{"spotInstanceRequestId":"sir-1","instanceId":"i-1"}],"newInstances":[{"instanceId":"i-2"}],"reason":"why"}]`,
		"terminated":         `"terminatedSpots":[{"spotInstanceRequestId":"sir-1","instanceId":"i-1"}],"terminatedInstances":[{"instanceId":"i-2"}]`,
		"unhealthy":          `{"type":"unhealthyInstances","instanceIds":["i-1","i-2"],"reason":"why"}`,
		"detached":           `[{"type":"detachedInstance","instanceId":"i-1","reason":"why"},{"type":"detachedInstance","instanceId":"i-2","reason":"why"}]`,
		"atMaximum":          `"eventType":"CANT_SCALE_UP_GROUP_MAX_CAPACITY"`,
		"interruptionNotice": `"eventType":"interruptionNotice"`,
	} {
		got := string(encoded(t, eventOf("sig-1", journal.Event{At: noon, Type: kind, Data: encoded(t, h)})))
		if !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", kind, want, got)
		}
	}
}

func TestAnEmptyDocumentStillGetsItsServerMembers(t *testing.T) {
	got := string(itemOf(fleet.Group{ID: "sig-1", Document: []byte("{ }"), Created: noon, Updated: noon}))
	if decoded(t, got).(map[string]any)["id"] != "sig-1" {
		t.Errorf("got %s", got)
	}
}

func TestInterruptionsTakeOneIdOrMany(t *testing.T) {
	for text, want := range map[string]int{`"i-1"`: 1, `["i-1","i-2"]`: 2} {
		var ids oneOrMany
		if err := json.Unmarshal([]byte(text), &ids); err != nil || len(ids) != want {
			t.Errorf("%s gives %v (%v)", text, ids, err)
		}
	}
}

func TestTheAdjustmentComesFromTheQueryElseTheBodyElseIsOne(t *testing.T) {
	three := 3
	for name, c := range map[string]struct {
		in   scaleIn
		want int
	}{
		"query":   {scaleIn{Adjustment: &three, Body: []byte(`{"type":"up","adjustment":5}`)}, 3},
		"body":    {scaleIn{Body: []byte(`{"type":"up","adjustment":5}`)}, 5},
		"nothing": {scaleIn{Body: []byte(`{"type":"up"}`)}, 1},
		"no body": {scaleIn{}, 1},
	} {
		if got, err := c.in.step(); err != nil || got != c.want {
			t.Errorf("%s: %d, want %d (%v)", name, got, c.want, err)
		}
	}
	if _, err := (scaleIn{Body: []byte(`{"adjustment":1e9}`)}).step(); err == nil {
		t.Error("a step of a billion is accepted")
	}
}
