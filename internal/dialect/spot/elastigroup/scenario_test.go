package elastigroup_test

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
)

func small(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("testdata/group-small.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// faults are the errors of a refusal: field and message of each.
func faults(a apptest.Answer) [][2]string {
	response, _ := a.Body["response"].(map[string]any)
	list, _ := response["errors"].([]any)
	var found [][2]string
	for _, one := range list {
		wrong, _ := one.(map[string]any)
		field, _ := wrong["field"].(string)
		message, _ := wrong["message"].(string)
		found = append(found, [2]string{field, message})
	}
	return found
}

func refusedAt(a apptest.Answer, field, says string) bool {
	for _, one := range faults(a) {
		if one[0] == field && one[1] != "" && strings.Contains(one[1], says) {
			return a.Status == http.StatusBadRequest
		}
	}
	return false
}

func TestNothingOfABadRequestIsStored(t *testing.T) {
	neap := apptest.Start(t)
	before := len(neap.Must("GET", "/aws/ec2/group", nil).Items())
	for _, bad := range elastigroup.BadBodies(t) {
		if answer := neap.Call("POST", "/aws/ec2/group", string(bad.Body)); !refusedAt(answer, bad.Field, bad.Says) {
			t.Errorf("%s is answered %d %s", bad.Field, answer.Status, answer.Raw)
		}
	}
	if after := len(neap.Must("GET", "/aws/ec2/group", nil).Items()); after != before {
		t.Errorf("%d groups became %d", before, after)
	}

	id := neap.Must("POST", "/aws/ec2/group", small(t)).Items()[0]["id"].(string)
	group := neap.Must("GET", "/aws/ec2/group/"+id, nil).Items()[0]
	for patch, field := range map[string]string{
		`{"group":{"capacity":{"minimum":7}}}`:                                       "group.capacity.minimum",
		`{"group":{"name":"renamed","capacity":{"unit":"weight"}}}`:                  "group.capacity.unit",
		`{"group":{"compute":null}}`:                                                 "group.compute",
		`{"group":{"strategy":{"revertToSpot":{"performAt":"never"}}}}`:              "group.strategy.revertToSpot.performAt",
		`{"group":{"name":"renamed","compute":{"instanceTypes":{"spot":["none"]}}}}`: "group.compute.instanceTypes.spot[0]",
		`{"group":7}`: "group",
		`{}`:          "group",
	} {
		if answer := neap.Call("PUT", "/aws/ec2/group/"+id, patch); !refusedAt(answer, field, "") {
			t.Errorf("%s is answered %d %s", patch, answer.Status, answer.Raw)
		}
	}
	if after := neap.Must("GET", "/aws/ec2/group/"+id, nil).Items()[0]; !reflect.DeepEqual(after, group) {
		t.Errorf("the group became %v, was %v", after, group)
	}
}

func TestWrongQueriesAndBodiesAreNamed(t *testing.T) {
	neap := apptest.Start(t)
	id := neap.Must("POST", "/aws/ec2/group", small(t)).Items()[0]["id"].(string)
	for _, c := range []struct{ method, path, body, field, says string }{
		{"GET", "/logs", "", "fromDate", "milliseconds"},
		{"GET", "/logs?fromDate=0&toDate=tomorrow", "", "toDate", "tomorrow"},
		{"GET", "/logs?fromDate=0&toDate=1&limit=1001", "", "limit", ""},
		{"GET", "/logs?fromDate=0&toDate=1&LIMIT=0", "", "limit", ""},
		{"GET", "/logs?fromDate=0&toDate=1&severity=LOUD", "", "severity", ""},
		{"GET", "/events", "", "fromDate", ""},
		{"GET", "/costs?fromDate=2026-11-02&toDate=2026-11-01", "", "fromDate", "after toDate"},
		{"GET", "/costs?fromDate=2030-11-02&toDate=2030-11-03", "", "fromDate", "future"},
		{"GET", "/costs?fromDate=0&toDate=1&aggregationPeriod=hourly", "", "aggregationPeriod", ""},
		{"GET", "/costs/detailed?fromDate=0&toDate=2026-11-02&aggregationPeriod=daily", "", "toDate", "366"},
		{"PUT", "/scale/up?adjustment=0", "", "adjustment", ""},
		{"PUT", "/scale/up?adjustment=many", "", "adjustment", "whole number"},
		{"PUT", "/scale/down", `{"adjustment":0}`, "adjustment", ""},
		{"PUT", "/capacity", `{"capacity":{"target":"3"}}`, "capacity.target", ""},
		{"PUT", "/capacity", `{"target":3}`, "capacity", ""},
		{"PUT", "/detachInstances", `{"instancesToDetach":[]}`, "instancesToDetach", ""},
		{"PUT", "/detachInstances", `{"instancesToDetach":["i-nobody"]}`, "instancesToDetach[0]", "i-nobody"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		if answer := neap.Call(c.method, "/aws/ec2/group/"+id+c.path, body); !refusedAt(answer, c.field, c.says) {
			t.Errorf("%s %s %s is answered %d %s", c.method, c.path, c.body, answer.Status, answer.Raw)
		}
	}
	var instance string
	neap.Until("an instance serves", 2*time.Minute, func() bool {
		for _, i := range neap.Must("GET", "/aws/ec2/group/"+id+"/status", nil).Items() {
			instance, _ = i["instanceId"].(string)
		}
		return instance != ""
	})
	for _, ttl := range []string{"0", "99999999", "soon"} {
		if answer := neap.Call("POST", "/aws/ec2/instance/"+instance+"/lock?ttlInMinutes="+ttl, nil); !refusedAt(answer, "ttlInMinutes", "") {
			t.Errorf("a lock of %s minutes is answered %d %s", ttl, answer.Status, answer.Raw)
		}
	}
	for path, code := range map[string]string{"/aws/ec2/group/sig-00000000": "GROUP_DOESNT_EXIST", "/aws/ec2/instance/i-00000000": "INSTANCE_DOESNT_EXIST"} {
		if answer := neap.Call("GET", path, nil); answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Raw), code) {
			t.Errorf("%s is answered %d %s", path, answer.Status, answer.Raw)
		}
	}
}

func TestTheFullSampleIsCreatedAndReachesItsTarget(t *testing.T) {
	neap := apptest.Start(t)
	id := neap.Must("POST", "/aws/ec2/group", string(elastigroup.Corrected(t))).Items()[0]["id"].(string)
	neap.Until("one instance serves", 2*time.Minute, func() bool {
		items := neap.Must("GET", "/aws/ec2/group/"+id+"/status", nil).Items()
		return len(items) == 1 && items[0]["status"] == "fulfilled"
	})
}

// amounts adds up one member of the costs of all items.
func amounts(items []map[string]any, name string) float64 {
	var sum float64
	for _, i := range items {
		sum += i["costs"].(map[string]any)[name].(float64)
	}
	return sum
}

func TestDailyCostsAddUpToTheTotal(t *testing.T) {
	neap := apptest.Start(t)
	id := neap.Must("POST", "/aws/ec2/group", small(t)).Items()[0]["id"].(string)
	neap.Until("both instances serve", 2*time.Minute, func() bool {
		items := neap.Must("GET", "/aws/ec2/group/"+id+"/status", nil).Items()
		return len(items) == 2 && items[0]["status"] == "fulfilled" && items[1]["status"] == "fulfilled"
	})
	neap.Clock.Advance(30 * time.Hour)
	end := neap.Clock.Now()

	ask := func(path string, more ...string) []map[string]any {
		query := url.Values{"fromDate": {apptest.Epoch.Format(time.DateOnly)}, "toDate": {fmt.Sprint(end.UnixMilli())}}
		if len(more) > 0 {
			query.Set("aggregationPeriod", more[0])
		}
		return neap.Must("GET", "/aws/ec2/group/"+id+path+"?"+query.Encode(), nil).Items()
	}
	total, daily := ask("/costs"), ask("/costs", "daily")
	detailed, detailedDaily := ask("/costs/detailed"), ask("/costs/detailed", "daily")
	if len(total) != 1 || len(daily) != 2 || len(detailed) < 2 || len(detailedDaily) <= len(detailed) {
		t.Fatalf("%d totals, %d days, %d instances, %d instance days", len(total), len(daily), len(detailed), len(detailedDaily))
	}
	if got := daily[1]["timestamp"]; got != "2026-11-03T00:00:00.000Z" {
		t.Errorf("the second day is %v", got)
	}
	for _, name := range []string{"actual", "potential"} {
		whole := amounts(total, name)
		for what, items := range map[string][]map[string]any{"days": daily, "instances": detailed, "instance days": detailedDaily} {
			if sum := amounts(items, name); whole <= 0 || math.Abs(sum-whole) > 1e-9 {
				t.Errorf("%s: the %s add up to %v, the total is %v", name, what, sum, whole)
			}
		}
	}
}
