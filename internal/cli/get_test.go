package cli

import (
	"strings"
	"testing"
)

const groupJSON = `{"id":"sig-1a2b3c4d","name":"web","region":"us-east-1","capacity":{"target":3,"minimum":1,"maximum":10,"unit":"instance"},
 "strategy":{"risk":100,"availabilityVsCost":"balanced"},
 "compute":{"product":"Linux/UNIX","availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-1"]},{"name":"us-east-1b"}],
  "instanceTypes":{"ondemand":"m5.large","spot":["m5.large","m5a.large","m6i.large","c5.large","c6i.large"]}},
 "createdAt":"2026-03-01T11:15:00.000Z","updatedAt":"2026-03-01T11:58:30.000Z"}`

const otherGroupJSON = `{"id":"sig-00000001","name":"batch\n\u001b[31mred","capacity":{"target":0,"minimum":0,"maximum":5},"strategy":{"onDemandCount":2},"compute":{},"createdAt":"2026-02-20T12:00:00.000Z"}`

func statusReply(simulated string) reply {
	return reply{body: `{"version":"v1","simulated":` + simulated + `,"database":"sqlite","time":"2026-03-01T12:00:00Z","rate":1,"groups":2}`}
}

// world of answers that the golden tests read.
func answers() map[string]reply {
	return map[string]reply{
		"GET /neap/v1/status":             statusReply("true"),
		"GET /aws/ec2/group":              spot(groupJSON, otherGroupJSON),
		"GET /aws/ec2/group/sig-1a2b3c4d": spot(groupJSON),
		"GET /aws/ec2/group/sig-1a2b3c4d/status": spot(
			`{"spotInstanceRequestId":"sir-1","instanceId":"i-0aa","instanceType":"m5.large","product":"Linux/UNIX","groupId":"sig-1a2b3c4d","availabilityZone":"us-east-1a","privateIp":"10.0.0.1","publicIp":null,"createdAt":"2026-03-01T11:15:00.000Z","status":"fulfilled","lockStatus":"locked","protectedUntil":"2026-03-01T13:30:00.000Z"}`,
			`{"spotInstanceRequestId":null,"instanceId":"i-0bb","instanceType":"m5.large","availabilityZone":"us-east-1b","privateIp":"10.0.0.2","createdAt":"2026-03-01T11:59:30.000Z","status":"fulfilled","lockStatus":null}`,
			`{"spotInstanceRequestId":"sir-3","instanceId":null,"instanceType":"m5a.large","availabilityZone":"us-east-1a","createdAt":"2026-03-01T12:00:00.000Z","status":"pending-evaluation"}`),
		"GET /aws/ec2/group/sig-1a2b3c4d/logs": spot(
			`{"message":"Launched 2 spot instances.","severity":"INFO","createdAt":"2026-03-01T11:15:02.000Z"}`,
			`{"message":"group.scaling is kept but not acted on yet.","severity":"WARN","createdAt":"2026-02-28T11:15:00.000Z"}`),
		"GET /aws/ec2/group/sig-1a2b3c4d/events": spot(
			`{"groupId":"sig-1a2b3c4d","eventType":"Update","createdAt":"2026-03-01T11:15:02.000Z","subEvents":[{"type":"scaleUp","newSpots":[{},{}],"newInstances":[{}]}]}`),
		"GET /aws/ec2/group/sig-1a2b3c4d/costs/detailed": spot(
			`{"instanceId":"i-0aa","spotInstanceRequestId":"sir-1","instanceType":"m5.large","availabilityZone":"us-east-1a","running":{"value":0.75,"unit":"hours"},"savings":{"value":60,"unit":"percentage"},"costs":{"actual":0.0288,"potential":0.072}}`,
			`{"instanceId":"i-0bb","spotInstanceRequestId":null,"instanceType":"m5.large","availabilityZone":"us-east-1b","running":{"value":"0.1","unit":"hours"},"costs":{"actual":0.0096,"potential":0.0096}}`),
		"GET /neap/v1/groups/sig-1a2b3c4d/decisions":       {body: `{"items":[` + decisionJSON + `],"next":"c2"}`},
		"GET /neap/v1/groups/sig-1a2b3c4d/decisions/dec-1": {body: decisionJSON},
	}
}

func TestTablesReadWell(t *testing.T) {
	for name, args := range map[string][]string{
		"groups.txt":         {"get", "groups"},
		"groups-wide.txt":    {"get", "groups", "-o", "wide"},
		"groups.yaml":        {"get", "groups", "-o", "yaml"},
		"group.txt":          {"get", "group", "sig-1a2b3c4d"},
		"group.json":         {"get", "group", "sig-1a2b3c4d", "-o", "json"},
		"instances.txt":      {"get", "instances", "sig-1a2b3c4d"},
		"instances-wide.txt": {"get", "instances", "sig-1a2b3c4d", "-o", "wide"},
		"logs.txt":           {"get", "logs", "sig-1a2b3c4d"},
		"events.txt":         {"get", "events", "sig-1a2b3c4d"},
		"costs.txt":          {"get", "costs", "sig-1a2b3c4d"},
		"decisions.txt":      {"get", "decisions", "sig-1a2b3c4d"},
		"explain.txt":        {"explain", "sig-1a2b3c4d"},
		"status.txt":         {"status"},
		"operations.txt":     {"operations"},
		"operations.tsv":     {"operations", "-o", "tsv"},
	} {
		t.Run(name, func(t *testing.T) {
			got := neap(t, serve(t, answers()), hooksOfTests(), args...)
			if got.code != ExitDone || got.err != "" {
				t.Fatalf("%+v", got)
			}
			golden(t, name, got.out)
		})
	}
}

func TestOnlyASimulatedCloudIsMarkedAsOne(t *testing.T) {
	world := answers()
	if got := neap(t, serve(t, world), Hooks{}, "get", "groups"); !strings.Contains(got.out, "simulated:") {
		t.Error(got.out)
	}
	world["GET /neap/v1/status"] = statusReply("false")
	if got := neap(t, serve(t, world), Hooks{}, "get", "groups"); strings.Contains(got.out, "simulated") {
		t.Error(got.out)
	}
	world["GET /neap/v1/status"] = refused(403, "DENIED", "No.", "")
	if got := neap(t, serve(t, world), Hooks{}, "get", "groups"); got.code != ExitDone || !strings.Contains(got.out, "sig-1a2b3c4d") {
		t.Errorf("%+v", got)
	}
}

func TestHistoriesAskForTheServersTime(t *testing.T) {
	world := answers()
	world["GET /neap/v1/status"] = reply{body: `{"simulated":true,"time":"2030-01-01T00:00:00Z"}`}
	s := serve(t, world)
	neap(t, s, Hooks{}, "get", "logs", "sig-1a2b3c4d", "--since", "1h", "--severity", "warn", "--limit", "7")
	if got := s.requests(); len(got) != 1 || got[0].line != "GET /aws/ec2/group/sig-1a2b3c4d/logs?fromDate=1893452400000&limit=7&severity=WARN&toDate=1893456060000" {
		t.Errorf("%+v", got)
	}
}

func TestRequestsCarryTokenAndAccount(t *testing.T) {
	s := serve(t, answers())
	neap(t, s, Hooks{}, "get", "groups", "--account", "act-12345678")
	got := s.requests()
	if len(got) != 1 || got[0].token != "Bearer secret-1" || got[0].line != "GET /aws/ec2/group?accountId=act-12345678" {
		t.Errorf("%+v", got)
	}
}

func TestIdsAreEscapedInPaths(t *testing.T) {
	s := serve(t, map[string]reply{"GET /aws/ec2/group": spot(`{"id":"a/b?c"}`), "GET /aws/ec2/group/a%2Fb%3Fc": spot(groupJSON)})
	if got := neap(t, s, Hooks{}, "get", "group", "a/b?c"); got.code != ExitDone {
		t.Errorf("%+v, asked %+v", got, s.requests())
	}
}

func TestAGroupCanBeNamedWhereTheNameIsUnique(t *testing.T) {
	s := serve(t, answers())
	if got := neap(t, s, Hooks{}, "get", "group", "web"); got.code != ExitDone || !strings.Contains(got.out, "sig-1a2b3c4d") {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "explain", "wb"); got.code != ExitRefused || !strings.Contains(got.err, `did you mean "web"?`) {
		t.Errorf("%+v", got)
	}
	world := answers()
	world["GET /aws/ec2/group"] = spot(groupJSON, strings.Replace(groupJSON, "sig-1a2b3c4d", "sig-00000002", 1))
	if got := neap(t, serve(t, world), Hooks{}, "get", "logs", "web"); got.code != ExitRefused || !strings.Contains(got.err, "sig-1a2b3c4d, sig-00000002") {
		t.Errorf("%+v", got)
	}
}

func TestAnEmptyListSaysSo(t *testing.T) {
	s := serve(t, map[string]reply{"GET /aws/ec2/group": spot()})
	if got := neap(t, s, Hooks{}, "get", "groups"); got.out != "Nothing to show.\n" {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "get", "groups", "-o", "json"); got.out != "[]\n" {
		t.Errorf("%+v", got)
	}
}

func TestRefusalsAreShownWithFieldCodeAndRequest(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply reply
		want  string
	}{
		{
			"in the Spot envelope", refused(400, "INVALID_CAPACITY", "The minimum 5 is above the maximum 2; lower one or raise the other.", "group.capacity.minimum"),
			"neap: The minimum 5 is above the maximum 2; lower one or raise the other.\n      field group.capacity.minimum, code INVALID_CAPACITY, status 400, request req-9\n",
		},
		{
			"in Neap's own envelope, with several faults", reply{status: 400, body: `{"request":"req-7","status":400,"errors":[{"kind":"invalid","message":"One.","field":"a"},{"kind":"invalid","message":"Two."}]}`},
			"neap: One.\n      field a, code invalid, status 400, request req-7\nneap: Two.\n      code invalid, status 400, request req-7\n",
		},
		{
			"when it is no JSON", reply{status: 502, body: "<html>\n bad   gateway</html>"},
			"neap: The server answered 502 Bad Gateway: <html> bad gateway</html>\n      status 502\n",
		},
		{
			"with a hint when the token is wrong", reply{status: 401, body: `{"request":"r","errors":[{"kind":"unauthenticated","message":"This token is not known."}]}`},
			"neap: This token is not known.\n      code unauthenticated, status 401, request r\n      Give a token with --token or NEAP_TOKEN, or name the data folder of a Neap on this machine with --data.\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := neap(t, serve(t, map[string]reply{"GET /aws/ec2/group": c.reply}), Hooks{}, "get", "groups")
			if got.code != ExitRefused || got.err != c.want || got.out != "" {
				t.Errorf("%+v\nexpected %q", got, c.want)
			}
		})
	}
}

func TestAnAnswerOfAnotherFormIsAnErrorNotAnEmptyTable(t *testing.T) {
	for _, body := range []string{"", "[1", `{"response":{"items":[{"id":7}]}}`, "hello"} {
		got := neap(t, serve(t, map[string]reply{"GET /aws/ec2/group": {body: body}}), Hooks{}, "get", "groups")
		if got.code != ExitRefused || got.err == "" {
			t.Errorf("%q: %+v", body, got)
		}
	}
}
