package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func callServer(t *testing.T) *server {
	return serve(t, map[string]reply{
		"GET /neap/v1/operations":                   operationsReply(t),
		"GET /aws/ec2/group/sig-1":                  spot(groupJSON),
		"PUT /aws/ec2/group/sig-1/scale/up":         {body: `{"response":{"items":[{"b":1,"a":2}]}}`, header: map[string]string{"Neap-Decision": "dec-5"}},
		"POST /aws/ec2/instance/interruption":       spot(),
		"GET /thing":                                {body: "{}", header: map[string]string{"Neap-Decision": "dec-6"}},
		"PUT /aws/ec2/group/sig-1%2Fx%20y/scale/up": spot(),
	})
}

func TestCallPutsParametersIntoPathAndQuery(t *testing.T) {
	for _, c := range []struct {
		args []string
		want asked
	}{
		{[]string{"spot.elastigroup.aws.read", "groupId=sig-1"}, asked{line: "GET /aws/ec2/group/sig-1"}},
		{[]string{"elastigroup.aws.read", "groupId=sig-1", "a=1", "a=2=3"}, asked{line: "GET /aws/ec2/group/sig-1?a=1&a=2%3D3"}},
		{[]string{"spot.elastigroup.aws.scaleUp", "groupId=sig-1", "adjustment=2"}, asked{line: "PUT /aws/ec2/group/sig-1/scale/up?adjustment=2"}},
		{[]string{"spot.elastigroup.aws.scaleUp", "groupId=sig-1/x y"}, asked{line: "PUT /aws/ec2/group/sig-1%2Fx%20y/scale/up"}},
		{[]string{"spot.elastigroup.aws.scaleUp", "groupId=sig-1", "-d", `{"type":"up"}`, "--dry-run"}, asked{line: "PUT /aws/ec2/group/sig-1/scale/up", dryRun: "true", body: `{"type":"up"}`}},
		{[]string{"spot.elastigroup.aws.scaleUp", "groupId=sig-1", "-f", "-"}, asked{line: "PUT /aws/ec2/group/sig-1/scale/up", body: `{"from":"stdin"}`}},
		{[]string{"elastigroup.aws.read", "groupId=sig-1", "--account", "act-1", "accountId=act-2"}, asked{line: "GET /aws/ec2/group/sig-1?accountId=act-2"}},
	} {
		s := callServer(t)
		got := neap(t, s, Hooks{}, append([]string{"call"}, c.args...)...)
		c.want.token = "Bearer secret-1"
		requests := s.requests()
		if got.code != ExitDone || requests[len(requests)-1] != c.want {
			t.Errorf("%v: %+v, asked %+v", c.args, got, requests)
		}
	}
}

func TestCallShowsTheWholeAnswerInItsOwnOrder(t *testing.T) {
	got := neap(t, callServer(t), Hooks{}, "call", "elastigroup.aws.scaleUp", "groupId=sig-1")
	const want = "{\n  \"response\": {\n    \"items\": [\n      {\n        \"b\": 1,\n        \"a\": 2\n      }\n    ]\n  }\n}\n"
	if got.out != want || got.err != "" {
		t.Errorf("%+v", got)
	}
}

func TestADryRunNamesItsPlanBesideTheAnswer(t *testing.T) {
	got := neap(t, callServer(t), Hooks{}, "call", "elastigroup.aws.scaleUp", "groupId=sig-1", "--dry-run")
	if !strings.Contains(got.err, "nothing was changed") || !strings.Contains(got.err, "dec-5") || !strings.HasPrefix(got.out, "{") {
		t.Errorf("%+v", got)
	}
}

func TestCallReadsABodyFromAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(name, []byte(`{"a":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := callServer(t)
	neap(t, s, Hooks{}, "call", "elastigroup.aws.scaleUp", "groupId=sig-1", "-f", name)
	if asked := s.requests(); asked[len(asked)-1].body != `{"a":1}` {
		t.Errorf("%+v", asked)
	}
	if got := neap(t, s, Hooks{}, "call", "elastigroup.aws.scaleUp", "groupId=sig-1", "-f", name+".none"); got.code != ExitUsage {
		t.Errorf("%+v", got)
	}
}

func TestCallRefusesWhatCannotBeSent(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"elastigroup.aws.scalUp"}, `did you mean "spot.elastigroup.aws.scaleUp"?`},
		{[]string{"thing.read"}, "put the dialect in front"},
		{[]string{"elastigroup.aws.read"}, "needs groupId=…"},
		{[]string{"elastigroup.aws.read", "groupId"}, "is not NAME=VALUE"},
		{[]string{"elastigroup.aws.scaleUp", "groupId=sig-1", "--watch"}, "not repeated"},
	} {
		s := callServer(t)
		got := neap(t, s, Hooks{}, append([]string{"call"}, c.args...)...)
		if got.code != ExitUsage || !strings.Contains(got.err, c.want) || len(s.requests()) != 1 {
			t.Errorf("%v: %+v, asked %+v", c.args, got, s.requests())
		}
	}
}

func TestInterruptNamesTheInstances(t *testing.T) {
	s := callServer(t)
	got := neap(t, s, Hooks{}, "interrupt", "i-1", "i-2")
	asked := s.requests()
	if got.code != ExitDone || asked[0].line != "POST /aws/ec2/instance/interruption" || asked[0].body != `{"instancesToInterrupt":["i-1","i-2"]}` || !strings.Contains(got.out, "i-1, i-2") {
		t.Errorf("%+v, asked %+v", got, asked)
	}
	if got := neap(t, s, Hooks{}, "interrupt", "i-1", "--dry-run"); s.requests()[1].dryRun != "true" || strings.Contains(got.out, "under way") {
		t.Errorf("%+v", got)
	}
}

func TestADryRunOfAGroupThatIsYetToBeMadeNamesNoCommandThatCanNotWork(t *testing.T) {
	got := neap(t, callServer(t), Hooks{}, "call", "spot.thing.read", "--dry-run")
	if !strings.Contains(got.err, "dry run: nothing was changed.") || strings.Contains(got.err, "neap explain") {
		t.Errorf("%+v", got)
	}
}
