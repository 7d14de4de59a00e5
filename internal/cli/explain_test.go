package cli

import (
	"strings"
	"testing"
)

const decisionJSON = `{"id":"dec-1","group":"sig-1a2b3c4d","at":"2026-03-01T11:57:00Z","version":"2","dryRun":false,"summary":"Replace i-0aa, which will be interrupted, with a spot instance.",
"plan":{"version":"2","summary":"Replace i-0aa, which will be interrupted, with a spot instance.","actions":[
 {"verb":"launch","type":"m5a.large","zone":"us-east-1b","lifecycle":"spot","count":1,"replaces":["i-0aa"],"reason":"interruption","because":"The market m5a.large in us-east-1b costs least."},
 {"verb":"drain","instance":"i-0aa","drainUntil":"2026-03-01T11:58:30Z","reason":"interruption","because":"EC2 takes it at 11:59:00."}],
"options":[{"type":"m5a.large","zone":"us-east-1b","lifecycle":"spot","price":34400,"risk":0.025,"hazard":0.000035,"cost":38610,"costs":{"price":34400,"loss":1,"care":289,"spread":3920},"chosen":1},
 {"type":"m5.large","zone":"us-east-1a","lifecycle":"spot","price":38412,"risk":1,"hazard":0.13,"cost":49120,"costs":{"price":38412,"loss":1250,"care":6880,"spread":2578},"rejected":"cools down until 12:02 after a refusal"}],
"short":1,"notes":["i-0bb is locked, so it was left alone"],"next":"2026-03-01T12:02:00Z"}}`

func TestExplainOfANamedDecisionAsksForThatOne(t *testing.T) {
	s := serve(t, answers())
	got := neap(t, s, Hooks{}, "explain", "sig-1a2b3c4d", "dec-1")
	if asked := s.requests(); got.code != ExitDone || len(asked) != 1 || asked[0].line != "GET /neap/v1/groups/sig-1a2b3c4d/decisions/dec-1" {
		t.Errorf("%+v, asked %+v", got, asked)
	}
}

func TestExplainOfAGroupWithoutDecisionsSaysSo(t *testing.T) {
	s := serve(t, map[string]reply{"GET /neap/v1/groups/sig-00000001/decisions": {body: `{"items":[]}`}})
	if got := neap(t, s, Hooks{}, "explain", "sig-00000001"); got.code != ExitRefused || !strings.Contains(got.err, "nothing has been decided for sig-00000001 yet") {
		t.Errorf("%+v", got)
	}
}

func TestExplainTellsWhatBecameOfTheLaunches(t *testing.T) {
	told := `"dryRun":false,"outcomes":["2 × m5.large spot in us-east-1a: 0 of 2 started. Can't launch."]`
	s := serve(t, map[string]reply{"GET /neap/v1/groups/sig-00000001/decisions/dec-3": {body: strings.Replace(decisionJSON, `"dryRun":false`, told, 1)}})
	if got := neap(t, s, Hooks{}, "explain", "sig-00000001", "dec-3"); !strings.Contains(got.out, "\nWhat became of it\n   - 2 × m5.large spot in us-east-1a: 0 of 2 started. Can't launch.\n") {
		t.Errorf("%+v", got)
	}
}

func TestADryRunIsMarkedAsOne(t *testing.T) {
	s := serve(t, map[string]reply{"GET /neap/v1/groups/sig-00000001/decisions/dec-2": {body: strings.Replace(decisionJSON, `"dryRun":false`, `"dryRun":true`, 1)}})
	if got := neap(t, s, Hooks{}, "explain", "sig-00000001", "dec-2"); !strings.Contains(got.out, "(dry run) Replace i-0aa") {
		t.Errorf("%+v", got)
	}
}

func TestReplayTellsWhetherThePlansAgree(t *testing.T) {
	const path = "GET /neap/v1/groups/sig-00000001/decisions/dec-1/replay"
	s := serve(t, map[string]reply{path: {body: `{"same":true,"version":"1","running":"1","stored":{},"replayed":{}}`}})
	if got := neap(t, s, Hooks{}, "replay-decision", "sig-00000001", "dec-1"); got.code != ExitDone || got.out != "Planner 1 gives the same plan, byte for byte.\n" {
		t.Errorf("%+v", got)
	}
	s = serve(t, map[string]reply{path: {body: `{"same":false,"version":"1","running":"2",
		"stored":{"summary":"a","actions":[{"verb":"launch","count":1}],"short":1},"replayed":{"summary":"a","actions":[{"verb":"launch","count":2},{"verb":"drain"}]}}`}})
	got := neap(t, s, Hooks{}, "replay-decision", "sig-00000001", "dec-1")
	const want = "Planner 2 (then: 1) gives another plan:\n  - actions[0].count: 1\n  + actions[0].count: 2\n  - short: 1\n  + actions[1].verb: drain\n"
	if got.code != ExitRefused || got.out != want || !strings.Contains(got.err, "planner 2 decides otherwise than 1 did") {
		t.Errorf("%+v", got)
	}
}

func TestADecisionOfTheFirstPlannerIsExplainedInItsPoints(t *testing.T) {
	s := serve(t, map[string]reply{"GET /neap/v1/groups/sig-00000001/decisions/dec-2": {body: `{"id":"dec-2","version":"1","plan":{"options":[
		{"type":"m5a.large","zone":"us-east-1b","lifecycle":"spot","price":34400,"risk":0.025,"score":87.25,"terms":{"price":50,"safety":45.8,"spread":-8.55},"chosen":1}]}}`}})
	if got := neap(t, s, Hooks{}, "explain", "sig-00000001", "dec-2"); !strings.Contains(got.out, "87.2 points") {
		t.Errorf("%+v", got)
	}
}
