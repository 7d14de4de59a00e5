package cli

import (
	"encoding/csv"
	"strings"
	"testing"
)

const november = `{"id":"exp-1","name":"november","state":"running","hash":"c0ffee","author":"ada","created":"2026-03-01T09:00:30Z",
"protocol":{"groups":["sig-00000001","sig-00000002"],"baseline":"lowest-price","measure":"cost-per-capacity-hour","begins":"2026-03-01T10:00:00Z","ends":"2026-03-07T10:00:00Z",
"for":"6d","switchEvery":"1d","washOut":"1h","pairsOfBlocks":3,"seed":7,"design":"switchback of paired blocks","analysis":"mean over pairs"},
"outlook":{"pairs":6,"pastPairs":0,"words":"6 pairs of blocks."},"blocksMeasured":0,"blocksExpected":6,
"schedule":[{"group":"sig-00000001","blocks":[{"begins":"2026-03-01T10:00:00Z","policy":"model"},{"begins":"2026-03-02T10:00:00Z","policy":"lowest-price"}]},
{"group":"sig-00000002","blocks":[{"begins":"2026-03-01T10:00:00Z","policy":"lowest-price"},{"begins":"2026-03-02T10:00:00Z","policy":"model"}]}]}`

const found = `{"experiment":` + november + `,"peek":%PEEK,"verdict":"Not enough to tell: one pair.","caveats":["1 of 2 pairs do not count."],"pairsCounted":1,
"estimates":[{"measure":"cost-per-capacity-hour","primary":true,"words":"Not enough to tell: one pair."},{"measure":"interruptions","words":"Nothing to tell."}],
"policies":[{"policy":"model","cost":1.5,"onDemandCost":6,"capacityHours":46,"costPerCapacityHour":0.0326,"spotShare":1,"ownShare":0.5,"interruptions":2,"interruptionsPer1000Hours":43.48,"moves":1}],
"pairs":[{"group":"sig-00000001","pair":1,"begins":"2026-03-01T10:00:00Z","first":"model","model":{"cost":1.5,"interruptions":2},"baseline":{"cost":1.25}},
{"group":"sig-00000002","pair":1,"begins":"2026-03-01T10:00:00Z","first":"lowest-price","leftOut":"under Neap's model, nothing was in service"}]}`

func experimentServer(t *testing.T) *server {
	return serve(t, map[string]reply{
		"GET /neap/v1/experiments":                     {body: `{"items":[` + november + `]}`},
		"POST /neap/v1/experiments":                    {body: november},
		"GET /neap/v1/experiments/exp-1":               {body: november},
		"POST /neap/v1/experiments/exp-1/stop":         {body: november},
		"GET /neap/v1/experiments/exp-1/report":        {body: strings.Replace(found, "%PEEK", "true", 1)},
		"GET /neap/v1/experiment-groups":               {body: `{"items":[{"group":"sig-00000001","by":"ada","since":"2026-03-01T09:00:00Z","experiment":"exp-1"}]}`},
		"PUT /neap/v1/groups/sig-00000001/experiments": {body: `{"group":"sig-00000001","optedIn":true}`},
		"PUT /neap/v1/groups/sig-00000002/experiments": {body: `{"group":"sig-00000002","optedIn":true}`},
		"GET /neap/v1/status":                          {body: `{"time":"2026-03-01T12:00:00Z"}`},
		"GET /aws/ec2/group":                           {body: `{"response":{"items":[{"id":"sig-00000002","name":"workers"}]}}`},
	})
}

func TestCreatingAnExperimentOptsTheNamedGroupsInAndSendsTheProtocol(t *testing.T) {
	s := experimentServer(t)
	got := neap(t, s, Hooks{}, "experiment", "create", "november", "--groups", "sig-00000001,workers", "--baseline", "lowest-price", "--for", "6d", "--seed", "7")
	if got.code != ExitDone || !strings.Contains(got.out, "c0ffee") || !strings.Contains(got.out, "3 pairs for each group, a switch every 1d") {
		t.Errorf("%+v", got)
	}
	var lines []string
	for _, r := range s.requests() {
		lines = append(lines, r.line+" "+r.body)
	}
	want := []string{
		"GET /aws/ec2/group ",
		`PUT /neap/v1/groups/sig-00000001/experiments {"optedIn":true}`,
		`PUT /neap/v1/groups/sig-00000002/experiments {"optedIn":true}`,
		`POST /neap/v1/experiments {"name":"november","groups":["sig-00000001","sig-00000002"],"baseline":"lowest-price","for":"6d","seed":7}`,
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s", strings.Join(lines, "\n"))
	}
	for _, args := range [][]string{{"x"}, {"x", "--all-opted-in", "--groups", "a"}} {
		if got := neap(t, s, Hooks{}, append([]string{"experiment", "create"}, args...)...); got.code != ExitUsage || !strings.Contains(got.err, "--all-opted-in") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestADryRunOptsNobodyIn(t *testing.T) {
	s := experimentServer(t)
	got := neap(t, s, Hooks{}, "experiment", "create", "november", "--all-opted-in", "--for", "6d", "--dry-run")
	if asked := s.requests(); got.code != ExitDone || len(asked) != 1 || asked[0].dryRun != "true" || !strings.Contains(asked[0].body, `"allOptedIn":true`) || !strings.Contains(got.err, "Nothing was created") || strings.Contains(got.out, "exp-1") {
		t.Errorf("%+v asked %+v", got, asked)
	}
}

func TestAnExperimentIsShownWithItsScheduleAndWithoutResults(t *testing.T) {
	s := experimentServer(t)
	got := neap(t, s, Hooks{}, "experiment", "show", "november")
	for _, says := range []string{"0 of 6 blocks of each group", "FROM 03-02 10:00", "sig-00000002  lowest-price      model", "seed 7"} {
		if !strings.Contains(got.out, says) {
			t.Errorf("no %q in\n%s", says, got.out)
		}
	}
	if strings.Contains(got.out, "Not enough") {
		t.Error("results are shown unasked")
	}
	if got := neap(t, s, Hooks{}, "experiment", "show", "november", "--peek"); !strings.HasPrefix(got.out, "A PEEK") || !strings.Contains(s.requests()[len(s.requests())-1].line, "peek=true") {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "experiment", "show", "novembre"); got.code != ExitRefused || !strings.Contains(got.err, "november") {
		t.Errorf("%+v", got)
	}
}

func TestAReportSaysWhatItMeansAndOnWhatItRests(t *testing.T) {
	s := experimentServer(t)
	got := neap(t, s, Hooks{}, "experiment", "report", "exp-1")
	for _, says := range []string{"Not enough to tell: one pair.", "Besides, of interruptions: Nothing to tell.", "Note: 1 of 2", "$1.5000", "25%", "43.48", "1 of 6 pairs count. Protocol c0ffee"} {
		if !strings.Contains(got.out, says) {
			t.Errorf("no %q in\n%s", says, got.out)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(neap(t, s, Hooks{}, "experiment", "report", "november", "-o", "csv").out)).ReadAll()
	if err != nil || len(rows) != 5 || rows[1][0] != "c0ffee" || rows[1][6] != "1.5" || rows[2][4] != "lowest-price" || rows[3][15] == "" {
		t.Errorf("%v: %v", err, rows)
	}
	if got := neap(t, s, Hooks{}, "experiment", "report", "november", "-o", "json"); !strings.Contains(got.out, `"verdict"`) {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "experiment", "list", "-o", "csv"); got.code != ExitUsage {
		t.Errorf("%+v", got)
	}
}

func TestExperimentsAreListedAndStoppedAndGroupsGoInAndOut(t *testing.T) {
	s := experimentServer(t)
	for _, c := range []struct{ args, out string }{
		{"list", "november  running  lowest-price"},
		{"groups", "sig-00000001  exp-1"},
		{"opt-in workers", "Group sig-00000002 may take part in experiments."},
		{"opt-out sig-00000001", "Group sig-00000001 takes no part in experiments."},
		{"stop november", "Experiment november is stopped."},
	} {
		if got := neap(t, s, Hooks{}, append([]string{"experiment"}, strings.Fields(c.args)...)...); got.code != ExitDone || !strings.Contains(got.out, c.out) {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
	none := serve(t, map[string]reply{"GET /neap/v1/experiments": {body: `{"items":[]}`}})
	if got := neap(t, none, Hooks{}, "experiment", "list"); !strings.Contains(got.out, "No experiments") {
		t.Errorf("%+v", got)
	}
}
