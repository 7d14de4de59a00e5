package experiment_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// bench is a running Neap with groups that have reached their targets.
type bench struct {
	*apptest.Neap
	account string
	groups  []string
}

const document = `{"name":%q,"region":"us-east-1","capacity":{"target":2,"minimum":1,"maximum":10,"unit":"instance"},
"strategy":{"risk":100,"availabilityVsCost":"balanced","fallbackToOd":true,"drainingTimeout":15},
"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large","c5.large","m6i.large","r5.large"]},
"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0de30a01"]},{"name":"us-east-1b","subnetIds":["subnet-0de30b02"]}],
"launchSpecification":{"imageId":"ami-0de30000000000001","securityGroupIds":["sg-0de30000000000001"],"monitoring":false}}}`

func begin(t *testing.T) *bench {
	t.Helper()
	return furnish(t, apptest.Start(t))
}

// furnish makes three groups of two.
func furnish(t *testing.T, n *apptest.Neap) *bench {
	t.Helper()
	b := &bench{Neap: n, account: "accountId=" + n.Account.ID}
	for n := range 3 {
		g, err := b.Fleet.Create(t.Context(), b.Account.ID, "test", elastigroup.FormName, json.RawMessage(fmt.Sprintf(document, fmt.Sprint("web-", n))))
		if err != nil {
			t.Fatal(err)
		}
		b.groups = append(b.groups, g.ID)
	}
	slices.Sort(b.groups)
	b.steady(2)
	return b
}

// steady waits until every group has so many instances, all running.
func (b *bench) steady(target int) {
	b.T.Helper()
	b.Until(fmt.Sprintf("every group has %d instances", target), 4*time.Minute, func() bool {
		for _, g := range b.groups {
			list := b.members(g)
			if len(list) != target || slices.ContainsFunc(list, func(i fleet.Instance) bool { return i.Phase != plan.Running }) {
				return false
			}
		}
		return true
	})
}

func (b *bench) members(group string) []fleet.Instance {
	b.T.Helper()
	list, err := b.Fleet.Instances(b.T.Context(), b.Account.ID, group)
	if err != nil {
		b.T.Fatal(err)
	}
	return list
}

// until steps the clock to a moment, and then waits until done holds without any more steps.
func (b *bench) until(at time.Time, what string, done func() bool) {
	b.T.Helper()
	for step := at.Sub(b.Clock.Now()); step > 0; step = at.Sub(b.Clock.Now()) {
		b.Clock.Advance(min(step, 15*time.Second))
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(30 * time.Second)
	for !done() {
		select {
		case <-giveUp:
			b.T.Fatalf("gave up waiting until %s", what)
		case <-tick.C:
		}
	}
}

// optIn names all groups.
func (b *bench) optIn() {
	b.T.Helper()
	for _, g := range b.groups {
		b.Must("PUT", "/neap/v1/groups/"+g+"/experiments", `{"optedIn":true}`)
	}
}

// view is what the tests read of an experiment.
type view struct {
	ID, Name, State, Hash string
	Complete              bool
	Outlook               struct {
		Pairs, PastPairs int
		Words            string
	}
	Protocol struct {
		Groups       []string
		Baseline     string
		Begins, Ends time.Time
		Seed         uint64
	}
	Schedule []struct {
		Group  string
		Blocks []struct {
			Begins time.Time
			Policy string
		}
	}
}

func decode[T any](t *testing.T, raw []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// short is an experiment of two pairs of blocks of ten minutes, of which five are not measured.
const short = `{"name":"short","allOptedIn":true,"baseline":"lowest-price","for":"40m","switchEvery":"10m","washOut":"5m","seed":11}`

func (b *bench) create(body string) view {
	b.T.Helper()
	return decode[view](b.T, b.Must("POST", "/neap/v1/experiments?"+b.account, body).Raw)
}

func (b *bench) read(id string) view {
	b.T.Helper()
	return decode[view](b.T, b.Must("GET", "/neap/v1/experiments/"+id, nil).Raw)
}

// log is a group's log.
func (b *bench) log(group string) string {
	b.T.Helper()
	from, to := apptest.Epoch.Add(-time.Hour).UnixMilli(), b.Clock.Now().Add(time.Hour).UnixMilli()
	return string(b.Must("GET", fmt.Sprintf("/aws/ec2/group/%s/logs?%s&fromDate=%d&toDate=%d&limit=1000", group, b.account, from, to), nil).Raw)
}

// report is what the tests read of a report.
type report struct {
	Peek    bool
	Verdict string
	Caveats []string
	Pairs   []struct {
		Group, First, LeftOut string
		Pair                  int
		Model, Baseline       measured
	}
	Estimates []struct {
		Measure         string
		Primary, Exact  bool
		Pairs           int
		Difference, P   float64
		Low, High       *float64
		Words           string
		HasInterval, On bool
	}
	Policies []struct {
		Policy string
		measured
	}
}

type measured struct {
	Cost, CapacityHours, InstanceHours, CostPerCapacityHour, OwnShare float64
	Interruptions                                                     int
}

// paid asks the ledger, by the way that customers do, what a group cost in a span.
func (b *bench) paid(group string, from, to time.Time) (dollars float64) {
	b.T.Helper()
	path := fmt.Sprintf("/aws/ec2/group/%s/costs/detailed?%s&fromDate=%d&toDate=%d", group, b.account, from.UnixMilli(), to.UnixMilli())
	for _, item := range b.Must("GET", path, nil).Items() {
		dollars += item["costs"].(map[string]any)["actual"].(float64)
	}
	return dollars
}

func TestAnExperimentRunsToItsEndAndItsReportAddsUp(t *testing.T) {
	b := begin(t)
	b.optIn()
	e := b.create(short)
	if e.State != "draft" || fmt.Sprint(e.Protocol.Groups) != fmt.Sprint(b.groups) || len(e.Schedule) != 3 || len(e.Schedule[0].Blocks) != 4 || e.Outlook.Pairs != 6 {
		t.Fatalf("%+v", e)
	}
	scheme := protocol.Schedule{Seed: 11, Baseline: plan.ByLowestPrice, From: e.Protocol.Begins, Every: 10 * time.Minute, Washout: 5 * time.Minute, Pairs: 2}
	for _, g := range e.Schedule {
		for n, block := range g.Blocks {
			want := map[protocol.Arm]string{protocol.Model: "model", protocol.Baseline: "lowest-price"}[scheme.Arm(g.Group, n)]
			if block.Policy != want || !block.Begins.Equal(scheme.Begin(n)) {
				t.Errorf("%s, block %d: %+v", g.Group, n, block)
			}
		}
	}

	victim := b.groups[0] // loses an instance in the measured part of its third block
	for n := range scheme.Blocks() {
		before := b.everybody()
		b.until(scheme.Begin(n).Add(time.Second), fmt.Sprintf("block %d is told", n+1), func() bool {
			return strings.Contains(b.log(victim), fmt.Sprintf("block %d of 4", n+1)) || n > 0 && scheme.Arm(victim, n) == scheme.Arm(victim, n-1)
		})
		if after := b.everybody(); fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("the switch to block %d moved instances: %v, then %v", n+1, before, after)
		}
		target := 2 + (n+1)%2 // something is bought, or let go, under every policy
		for _, g := range b.groups {
			if _, err := b.Fleet.SetCapacity(t.Context(), b.Account.ID, "test", g, &target, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		b.steady(target)
		if items := b.Must("GET", "/neap/v1/upgrades?"+b.account, nil).Body["items"].([]any); len(items) != 0 {
			t.Errorf("an experiment is taken for an upgrade that nobody accepted: %v", items)
		}
		if n == 2 {
			from, _ := scheme.Measured(n)
			b.until(from.Add(time.Second), "the wash-out is over", func() bool { return true })
			taken := b.members(victim)[0].ID
			if err := b.Fleet.Interrupt(t.Context(), b.Account.ID, "test", []string{taken}); err != nil {
				t.Fatal(err)
			}
			b.Until("it is gone", 4*time.Minute, func() bool { return !slices.Contains(b.everybody(), taken) })
			b.steady(target)
		}
		if answer := b.Call("GET", "/neap/v1/experiments/"+e.ID+"/report", nil); answer.Status != http.StatusConflict || !strings.Contains(string(answer.Raw), "lucky moment") {
			t.Errorf("a report before the end: %d %s", answer.Status, answer.Raw)
		}
	}
	b.until(scheme.Until().Add(16*time.Minute), "the experiment is finished", func() bool { return b.read(e.ID).Complete })
	if now := b.read(e.ID); now.State != "finished" || now.Hash != e.Hash {
		t.Errorf("%+v", now)
	}
	b.checkDecisions(scheme, 6)
	b.checkReport(e, scheme, victim)
}

// everybody lists all instances of all groups.
func (b *bench) everybody() (ids []string) {
	for _, g := range b.groups {
		for _, i := range b.members(g) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// checkDecisions holds every stored decision to the schedule: its intent shows who weighed the markets, and it can be replayed. Each policy made so many at least.
func (b *bench) checkDecisions(s protocol.Schedule, atLeast int) {
	b.T.Helper()
	seen := map[plan.Policy]int{}
	for _, g := range b.groups {
		for _, item := range b.Must("GET", "/neap/v1/groups/"+g+"/decisions?limit=200", nil).Body["items"].([]any) {
			id := item.(map[string]any)["id"].(string)
			path := "/neap/v1/groups/" + g + "/decisions/" + id
			d := decode[struct {
				At     time.Time
				Inputs struct{ Intent plan.Intent }
			}](b.T, b.Must("GET", path, nil).Raw)
			if got, want := d.Inputs.Intent.Choice.Policy, s.Policy(g, d.At); got != want {
				b.T.Errorf("decision %s of %s at %s was made by %q, not by %q", id, g, d.At, got, want)
			}
			if !d.At.Before(s.From) {
				seen[d.Inputs.Intent.Choice.Policy]++
			}
			if again := b.Must("GET", path+"/replay", nil).Body; again["same"] != true {
				b.T.Errorf("decision %s is not replayed alike: %v", id, again)
			}
		}
	}
	if seen[plan.ByModel] < atLeast || seen[plan.ByLowestPrice] < atLeast {
		b.T.Errorf("decisions by policy: %v; every block of every group was to have one", seen)
	}
}

func (b *bench) checkReport(e view, s protocol.Schedule, victim string) {
	b.T.Helper()
	r := decode[report](b.T, b.Must("GET", "/neap/v1/experiments/"+e.ID+"/report", nil).Raw)
	if r.Peek || len(r.Pairs) != 6 || !r.Estimates[0].Primary || r.Estimates[0].Pairs != 6 || !r.Estimates[0].Exact || !strings.Contains(r.Verdict, "lowest-price") {
		b.T.Fatalf("%+v", r)
	}
	sum, interruptions, costs := 0.0, 0, map[string]float64{}
	for _, pair := range r.Pairs {
		for _, block := range []int{2 * (pair.Pair - 1), 2*(pair.Pair-1) + 1} {
			got, policy := pair.Model, "model"
			if s.Arm(pair.Group, block) == protocol.Baseline {
				got, policy = pair.Baseline, "lowest-price"
			}
			from, to := s.Measured(block)
			if want := b.paid(pair.Group, from, to); math.Abs(got.Cost-want) > 1e-6 || want == 0 {
				b.T.Errorf("%s, block %d: $%.9f, and the ledger says $%.9f", pair.Group, block, got.Cost, want)
			}
			wanted := float64(2+(block+1)%2) * to.Sub(from).Hours()
			hasVictim := pair.Group == victim && block == 2
			if !hasVictim && math.Abs(got.CapacityHours-wanted) > 1e-9 || got.CapacityHours > wanted+1e-9 || got.CapacityHours < 0.9*wanted {
				b.T.Errorf("%s, block %d: %g capacity hours of %g", pair.Group, block, got.CapacityHours, wanted)
			}
			if (got.Interruptions == 1) != hasVictim {
				b.T.Errorf("%s, block %d: %d interruptions", pair.Group, block, got.Interruptions)
			}
			costs[policy] += got.Cost
			interruptions += got.Interruptions
		}
		sum += math.Log(pair.Model.Cost/pair.Model.CapacityHours) - math.Log(pair.Baseline.Cost/pair.Baseline.CapacityHours)
	}
	if got, want := r.Estimates[0].Difference, math.Expm1(sum/6); math.Abs(got-want) > 1e-9 {
		b.T.Errorf("the difference is %g, not %g", got, want)
	}
	for _, p := range r.Policies {
		if math.Abs(p.Cost-costs[p.Policy]) > 1e-9 || p.OwnShare <= 0 || p.OwnShare > 1 {
			b.T.Errorf("%+v; its blocks cost $%g", p, costs[p.Policy])
		}
	}
	if interruptions != 1 {
		b.T.Errorf("%d interruptions", interruptions)
	}
}

func TestOnlyGroupsThatWereOptedInAndAreFreeTakePart(t *testing.T) {
	b := begin(t)
	refuse := func(body string, status int, says string) {
		t.Helper()
		if a := b.Call("POST", "/neap/v1/experiments?"+b.account, body); a.Status != status || !strings.Contains(string(a.Raw), says) {
			t.Errorf("%s: %d %s", body, a.Status, a.Raw)
		}
	}
	named := fmt.Sprintf(`{"name":"named","groups":[%q,%q,%q],"baseline":"lowest-price","for":"4d"}`, b.groups[0], b.groups[1], b.groups[2])
	refuse(named, http.StatusBadRequest, "is not opted in")
	refuse(short, http.StatusBadRequest, "opt one in first")
	if a := b.Call("PUT", "/neap/v1/groups/sig-00000000/experiments", `{"optedIn":true}`); a.Status != http.StatusNotFound {
		t.Errorf("a group that is not there: %d %s", a.Status, a.Raw)
	}
	b.optIn()
	refuse(strings.Replace(short, `"40m"`, `"20m"`, 1), http.StatusBadRequest, "an answer needs at least 6: name 6 groups, or let these run for 40m")
	refuse(strings.Replace(short, `"40m"`, `"fortnight"`, 1), http.StatusBadRequest, "is no duration")
	refuse(strings.Replace(short, `"allOptedIn":true`, `"allOptedIn":true,"groups":["sig-1"]`, 1), http.StatusBadRequest, "not both")

	b.Must("POST", "/neap/v1/experiments?"+b.account, short, "Neap-Dry-Run", "true")
	if list := b.Must("GET", "/neap/v1/experiments?"+b.account, nil).Body["items"].([]any); len(list) != 0 {
		t.Errorf("a dry run leaves %v", list)
	}
	e := b.create(short)
	refuse(named, http.StatusConflict, "a group is in one at a time")
	refuse(strings.Replace(short, "short", "second", 1), http.StatusBadRequest, "opted in and free")
	if a := b.Call("PUT", "/neap/v1/groups/"+b.groups[0]+"/experiments", `{"optedIn":false}`); a.Status != http.StatusConflict {
		t.Errorf("a group leaves a running experiment: %d %s", a.Status, a.Raw)
	}
	b.Must("POST", "/neap/v1/experiments/"+e.ID+"/stop", nil)
	refuse(short, http.StatusConflict, "There is an experiment \\\"short\\\" already")
	b.Must("PUT", "/neap/v1/groups/"+b.groups[0]+"/experiments", `{"optedIn":false}`)
	if list := b.Must("GET", "/neap/v1/experiment-groups?"+b.account, nil).Body["items"].([]any); len(list) != 2 {
		t.Errorf("opted in: %v", list)
	}
}

func TestAStoppedExperimentKeepsWhatItMeasuredAndSaysThatItWasStopped(t *testing.T) {
	b := begin(t)
	b.optIn()
	e := b.create(short)
	// After the first pair, and half of a block.
	b.until(e.Protocol.Begins.Add(25*time.Minute), "two blocks are over", func() bool { return b.read(e.ID).State == "running" })
	for n, g := range b.groups { // a dry run says what the policy of the day would do
		preview := b.Must("PUT", "/aws/ec2/group/"+g+"/capacity?"+b.account, `{"capacity":{"target":4}}`, "Neap-Dry-Run", "true").Header.Get("Neap-Decision")
		raw := string(b.Must("GET", "/neap/v1/groups/"+g+"/decisions/"+preview, nil).Raw)
		if isBaseline := e.Schedule[n].Blocks[2].Policy == "lowest-price"; strings.Contains(raw, `"Policy":"lowest-price"`) != isBaseline {
			t.Errorf("%s is under %s, and the preview is %.300s", g, e.Schedule[n].Blocks[2].Policy, raw)
		}
	}
	b.Must("POST", "/neap/v1/experiments/"+e.ID+"/stop", nil)
	if a := b.Call("POST", "/neap/v1/experiments/"+e.ID+"/stop", nil); a.Status != http.StatusConflict {
		t.Errorf("stopped twice: %d %s", a.Status, a.Raw)
	}
	b.until(e.Protocol.Begins.Add(36*time.Minute), "what was over is measured", func() bool { return b.read(e.ID).Complete })
	r := decode[report](t, b.Must("GET", "/neap/v1/experiments/"+e.ID+"/report", nil).Raw)
	if len(r.Pairs) != 3 || !strings.Contains(fmt.Sprint(r.Caveats), "stopped this experiment before its end") {
		t.Errorf("%+v", r)
	}
	target := 3
	for _, g := range b.groups {
		if _, err := b.Fleet.SetCapacity(t.Context(), b.Account.ID, "test", g, &target, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.steady(3)
	for _, g := range b.groups {
		newest := b.Must("GET", "/neap/v1/groups/"+g+"/decisions?limit=1", nil).Body["items"].([]any)[0].(map[string]any)["id"].(string)
		if raw := string(b.Must("GET", "/neap/v1/groups/"+g+"/decisions/"+newest, nil).Raw); strings.Contains(raw, `"Policy"`) {
			t.Errorf("%s is still decided by the baseline", g)
		}
	}
}

func TestAPeekIsMarkedAsOneAndAGroupThatGoesIsLeftOut(t *testing.T) {
	b := begin(t)
	b.optIn()
	e := b.create(short)
	b.until(e.Protocol.Begins.Add(time.Minute), "it runs", func() bool { return b.read(e.ID).State == "running" })
	b.Must("DELETE", "/aws/ec2/group/"+b.groups[1]+"?"+b.account, nil)
	b.Until("its instances are gone", time.Minute, func() bool {
		size, err := b.Fleet.Size(t.Context(), b.Account.ID)
		return err == nil && size.Instances == 4
	})
	b.until(e.Protocol.Begins.Add(36*time.Minute), "two blocks are measured", func() bool {
		return b.Must("GET", "/neap/v1/experiments/"+e.ID, nil).Body["blocksMeasured"].(float64) == 2
	})
	r := decode[report](t, b.Must("GET", "/neap/v1/experiments/"+e.ID+"/report?peek=true", nil).Raw)
	if !r.Peek || len(r.Pairs) != 3 || r.Pairs[1].LeftOut == "" || r.Pairs[0].LeftOut != "" || r.Estimates[0].Pairs != 2 {
		t.Errorf("%+v", r)
	}
}

func TestAnExperimentGoesOnAfterARestart(t *testing.T) {
	data, steps := t.TempDir(), clock.NewManual(apptest.Epoch)
	keep := func(c *app.Config) { c.Data, c.Clock = data, steps }
	var e view
	var groups []string
	admin := ""
	t.Run("before", func(t *testing.T) {
		n := apptest.Start(t, keep)
		n.Clock = steps
		b := furnish(t, n)
		b.optIn()
		e, groups, admin = b.create(short), b.groups, b.Admin
		b.until(e.Protocol.Begins.Add(time.Minute), "it runs", func() bool { return b.read(e.ID).State == "running" })
	})
	steps.Advance(30 * time.Minute) // nobody was here for three blocks
	t.Run("after", func(t *testing.T) {
		b := &bench{Neap: apptest.Start(t, keep), groups: groups}
		b.Clock, b.Admin = steps, admin
		scheme := protocol.Schedule{Seed: 11, Baseline: plan.ByLowestPrice, From: e.Protocol.Begins, Every: 10 * time.Minute, Pairs: 2}
		target := 3
		for _, g := range groups {
			if _, err := b.Fleet.SetCapacity(t.Context(), b.Account.ID, "test", g, &target, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		b.steady(3)
		b.checkDecisions(scheme, 0)
		b.until(scheme.Until().Add(16*time.Minute), "it is finished", func() bool { return b.read(e.ID).State == "finished" })
		if r := decode[report](t, b.Must("GET", "/neap/v1/experiments/"+e.ID+"/report", nil).Raw); len(r.Pairs) != 6 {
			t.Errorf("%d pairs were measured", len(r.Pairs))
		}
	})
}
