package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/op"
)

// world is a running Neap with one group in it.
type world struct {
	*apptest.Neap
	group fleet.Group
}

// document is a valid group; patch is merged over it.
func document(t *testing.T, patch string) json.RawMessage {
	t.Helper()
	base := `{"name":"web","region":"us-east-1","capacity":{"target":4,"minimum":1,"maximum":10,"unit":"instance"},
	"strategy":{"risk":100,"availabilityVsCost":"balanced","fallbackToOd":true,"drainingTimeout":15},
	"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large","c5.large","m6i.large","r5.large"]},
	"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0de30a01"]},{"name":"us-east-1b","subnetIds":["subnet-0de30b02"]}],
	"launchSpecification":{"imageId":"ami-0de30000000000001","securityGroupIds":["sg-0de30000000000001"],"monitoring":false,
	"healthCheckType":"EC2","healthCheckGracePeriod":60,"healthCheckUnhealthyDurationBeforeReplacement":60}}}`
	if patch == "" {
		return json.RawMessage(base)
	}
	merged, err := op.MergePatch([]byte(base), []byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

// begin starts a Neap with a group that has reached its target.
func begin(t *testing.T, patch string) *world {
	t.Helper()
	w := &world{Neap: apptest.Start(t)}
	group, err := w.Fleet.Create(t.Context(), w.Account.ID, "test", elastigroup.FormName, document(t, patch))
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	w.group = group
	w.settle()
	return w
}

// settle waits until as many instances run as are wanted, and none is on its way.
func (w *world) settle() {
	w.T.Helper()
	w.Until("the group is at its target", 5*time.Minute, func() bool {
		running := w.in(plan.Running)
		return len(running) == w.target() && len(w.members()) == len(running)
	})
}

func (w *world) target() int {
	w.T.Helper()
	group, err := w.Fleet.Get(w.T.Context(), w.Account.ID, w.group.ID)
	if err != nil {
		w.T.Fatal(err)
	}
	var view struct{ Capacity struct{ Target int } }
	if err := json.Unmarshal(group.Document, &view); err != nil {
		w.T.Fatal(err)
	}
	return view.Capacity.Target
}

func (w *world) members() []fleet.Instance {
	w.T.Helper()
	list, err := w.Fleet.Instances(w.T.Context(), w.Account.ID, w.group.ID)
	if err != nil {
		w.T.Fatal(err)
	}
	return list
}

func (w *world) in(phase plan.Phase) []fleet.Instance {
	w.T.Helper()
	var some []fleet.Instance
	for _, i := range w.members() {
		if i.Phase == phase {
			some = append(some, i)
		}
	}
	return some
}

func (w *world) ids() map[string]bool {
	ids := map[string]bool{}
	for _, i := range w.members() {
		ids[i.ID] = true
	}
	return ids
}

// log is the group's log, oldest first.
func (w *world) log() string {
	w.T.Helper()
	from, to := apptest.Epoch.Add(-time.Hour).UnixMilli(), w.Clock.Now().Add(time.Hour).UnixMilli()
	answer := w.Must("GET", fmt.Sprintf("/aws/ec2/group/%s/logs?accountId=%s&fromDate=%d&toDate=%d&limit=1000", w.group.ID, w.Account.ID, from, to), nil)
	var lines []string
	for _, item := range answer.Items() {
		lines = append([]string{fmt.Sprint(item["severity"], " ", item["message"])}, lines...)
	}
	return strings.Join(lines, "\n")
}

// launched is how many instances the cloud has ever started.
func (w *world) launched() int {
	w.T.Helper()
	record, err := w.Cloud.Ledger(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return len(record.Instances)
}

func TestANewGroupReachesItsTargetOnSpotAndSaysSo(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	for _, i := range w.in(plan.Running) {
		if i.Lifecycle != plan.Spot || i.Request == "" || i.PrivateIP == "" {
			t.Errorf("not a complete spot instance: %+v", i)
		}
	}
	for _, want := range []string{"was created by test", "INFO Launched i-", "is running"} {
		if log := w.log(); !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	if n := w.launched(); n != 4 {
		t.Errorf("%d instances were launched for a target of 4", n)
	}
}

func TestAnInterruptedInstanceIsReplacedOnceAndLeavesBeforeItsDeadline(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	victim := w.in(plan.Running)[0].ID
	if err := w.Fleet.Interrupt(t.Context(), w.Account.ID, "test", []string{victim}); err != nil {
		t.Fatal(err)
	}
	w.Until("the victim is on its way out with a successor", time.Minute, func() bool {
		for _, i := range w.members() {
			if i.ID == victim {
				return i.Phase == plan.Draining && i.DrainUntil.Before(i.InterruptAt) && len(w.members()) == 5
			}
		}
		return false
	})
	w.Until("the victim is gone", 4*time.Minute, func() bool { return !w.ids()[victim] })
	w.settle()
	if n := w.launched(); n != 5 {
		t.Errorf("%d instances were launched: 4 and one replacement were wanted\n%s", n, w.log())
	}
}

func TestAStampStaysAsLongAsTheInstancesDo(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	stamp := func() string {
		text, err := w.Fleet.Stamp(t.Context(), w.Account.ID, w.group.ID)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := stamp()
	if again := stamp(); again != before {
		t.Errorf("%q, and then %q, although nothing has happened", before, again)
	}
	if _, err := w.Fleet.Lock(t.Context(), w.Account.ID, w.in(plan.Running)[0].ID, nil); err != nil {
		t.Fatal(err)
	}
	if after := stamp(); after == before {
		t.Errorf("%q before and after an instance was locked", after)
	}
}

func TestAnInstanceThatIsKilledFromOutsideIsReplaced(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	victim := w.in(plan.Running)[0].ID
	if err := w.Cloud.Kill(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	w.Until("the loss is seen", time.Minute, func() bool { return !w.ids()[victim] })
	w.settle()
	if log := w.log(); !strings.Contains(log, "was ended outside of Neap") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
}

func TestAnUnhealthyInstanceIsReplacedBeforeItLeaves(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	victim := w.in(plan.Running)[0].ID
	w.Until("it was healthy once", time.Minute, func() bool {
		i, err := w.Fleet.Instance(t.Context(), w.Account.ID, victim)
		return err == nil && i.WasHealthy
	})
	if err := w.Cloud.Impair(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	w.Until("a fifth instance runs beside it", 4*time.Minute, func() bool { return len(w.in(plan.Running)) == 5 || !w.ids()[victim] })
	w.Until("the unhealthy one is gone", 4*time.Minute, func() bool { return !w.ids()[victim] })
	w.settle()
	if n := w.launched(); n != 5 {
		t.Errorf("%d instances were launched for one replacement", n)
	}
}

func TestALockedInstanceSurvivesScaleIn(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	oldest := w.members()[0].ID
	if _, err := w.Fleet.Lock(t.Context(), w.Account.ID, oldest, nil); err != nil {
		t.Fatal(err)
	}
	one := 1
	if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", w.group.ID, &one, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if !w.ids()[oldest] {
		t.Error("the locked instance was the victim")
	}
}

func TestScaleAnswersWithWhatItSetInMotion(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	up, err := w.Fleet.Scale(t.Context(), w.Account.ID, "test", w.group.ID, 2, false)
	if err != nil || len(up.Launched) != 2 || len(up.Victims) != 0 {
		t.Fatalf("scale up: %+v, %v", up, err)
	}
	w.settle()
	down, err := w.Fleet.Scale(t.Context(), w.Account.ID, "test", w.group.ID, -3, false)
	if err != nil || len(down.Victims) != 3 || len(down.Launched) != 0 {
		t.Fatalf("scale down: %+v, %v", down, err)
	}
	w.settle()
	if _, err := w.Fleet.Scale(t.Context(), w.Account.ID, "test", w.group.ID, 100, true); err != nil {
		t.Fatalf("a step beyond the maximum is clamped: %v", err)
	}
	if _, err := w.Fleet.Scale(t.Context(), w.Account.ID, "test", w.group.ID, 1, false); !fault.Is(err, fault.Invalid) {
		t.Errorf("scaling at the maximum gave %v", err)
	}
	if log := w.log(); !strings.Contains(log, "at its maximum capacity") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
}

func TestADetachedInstanceIsReplacedUnlessTheTargetGoesDownWithIt(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	running := w.in(plan.Running)
	ended, kept := running[0].ID, running[1].ID
	if err := w.Fleet.Detach(t.Context(), w.Account.ID, "test", w.group.ID, fleet.Detach{Instances: []string{ended}, Terminate: true}); err != nil {
		t.Fatal(err)
	}
	w.Until("it has left", 2*time.Minute, func() bool { return !w.ids()[ended] })
	w.settle()
	if n := w.launched(); n != 5 {
		t.Errorf("%d launched: the detached instance was to be replaced", n)
	}
	if err := w.Fleet.Detach(t.Context(), w.Account.ID, "test", w.group.ID, fleet.Detach{Instances: []string{kept}, Decrement: true}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if n, target := w.launched(), w.target(); n != 5 || target != 3 {
		t.Errorf("%d launched and a target of %d: nothing was to be replaced, and 3 wanted", n, target)
	}
	w.Until("the cloud knows that it was released", time.Minute, func() bool {
		for _, r := range w.record().Instances {
			if r.ID == kept {
				return r.Alive && r.Tags["neap:state"] == "detached" && r.Tags["neap:owner"] == ""
			}
		}
		return false
	})
}

func (w *world) record() sim.Ledger {
	w.T.Helper()
	record, err := w.Cloud.Ledger(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return record
}

func TestARefusedPoolIsLeftAloneAndOnDemandStepsInWhenAllAreDry(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	dryUntil := w.Clock.Now().Add(8 * time.Minute)
	for _, kind := range []string{"m5.large", "c5.large", "m6i.large", "r5.large"} {
		for _, zone := range []string{"us-east-1a", "us-east-1b"} {
			w.Cloud.Dry(cloud.Market{Region: "us-east-1", Zone: zone, Type: kind, Product: "Linux/UNIX", Lifecycle: cloud.Spot}, dryUntil)
		}
	}
	group, err := w.Fleet.Create(t.Context(), w.Account.ID, "test", elastigroup.FormName, document(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	w.group = group
	w.settle()
	for _, i := range w.in(plan.Running) {
		if i.Lifecycle != plan.OnDemand {
			t.Errorf("%s is %s though every spot pool was dry", i.ID, i.Lifecycle)
		}
	}
	refused := map[string]int{}
	for _, c := range w.record().Calls {
		if c.Outcome != "ok" {
			refused[c.Detail]++
		}
	}
	if len(refused) == 0 {
		t.Error("no spot pool was asked")
	}
	w.Until("all are back on spot once the pools have recovered", 2*time.Hour, func() bool {
		running := w.in(plan.Running)
		for _, i := range running {
			if i.Lifecycle != plan.Spot {
				return false
			}
		}
		return len(running) == 4 && len(w.members()) == 4
	})
}

func TestADescribeThatComesBackEmptyIsNoLoss(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	before := w.ids()
	w.Clock.Advance(10 * time.Second)
	w.Cloud.EmptyDescribe("us-east-1", w.Clock.Now().Add(5*time.Minute))
	end := w.Clock.Now().Add(4 * time.Minute)
	w.Until("four minutes have passed", 5*time.Minute, func() bool { return w.Clock.Now().After(end) })
	if n := w.launched(); n != 4 {
		t.Errorf("%d instances were launched: an empty list was taken for a loss", n)
	}
	after := w.ids()
	for id := range before {
		if !after[id] {
			t.Errorf("%s was given up", id)
		}
	}
	if log := w.log(); !strings.Contains(log, "Neap holds still") {
		t.Errorf("the hold is not explained:\n%s", log)
	}
}

func TestADeletedGroupReadsAsMissingAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	if err := w.Fleet.Delete(t.Context(), w.Account.ID, "test", w.group.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Fleet.Get(t.Context(), w.Account.ID, w.group.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("reading it gave %v", err)
	}
	w.Until("every instance has ended", 5*time.Minute, func() bool {
		for _, r := range w.record().Instances {
			if r.Alive {
				return false
			}
		}
		size, err := w.Fleet.Size(t.Context(), "")
		return err == nil && size == fleet.Size{}
	})
}

func TestAnotherAccountSeesNothing(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	stranger := "act-00000000"
	member := w.members()[0].ID
	_, read := w.Fleet.Get(t.Context(), stranger, w.group.ID)
	_, list := w.Fleet.Instances(t.Context(), stranger, w.group.ID)
	_, one := w.Fleet.Instance(t.Context(), stranger, member)
	_, lock := w.Fleet.Lock(t.Context(), stranger, member, nil)
	_, missing := w.Fleet.Get(t.Context(), w.Account.ID, "sig-00000000")
	for what, err := range map[string]error{
		"read": read, "list": list, "instance": one, "lock": lock,
		"delete": w.Fleet.Delete(t.Context(), stranger, "x", w.group.ID),
		"detach": w.Fleet.Detach(t.Context(), stranger, "x", w.group.ID, fleet.Detach{Instances: []string{member}}),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if own, other := strings.ReplaceAll(read.Error(), w.group.ID, "ID"), strings.ReplaceAll(missing.Error(), "sig-00000000", "ID"); own != other {
		t.Errorf("a foreign group reads %q, a missing one %q", own, other)
	}
}

func TestADryRunChangesNothingAndNamesThePlanThatWouldFollow(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	path := "/aws/ec2/group/" + w.group.ID + "/capacity?accountId=" + w.Account.ID
	answer := w.Must("PUT", path, `{"capacity":{"target":7}}`, "Neap-Dry-Run", "true")
	id := answer.Header.Get("Neap-Decision")
	if id == "" {
		t.Fatal("no decision is named")
	}
	if w.target() != 4 {
		t.Error("the dry run changed the target")
	}
	decision := w.Must("GET", "/neap/v1/groups/"+w.group.ID+"/decisions/"+id, nil)
	if decision.Body["dryRun"] != true || !strings.Contains(string(decision.Raw), `"verb":"launch"`) {
		t.Errorf("the plan is not there: %s", decision.Raw)
	}
	if n := w.launched(); n != 4 {
		t.Errorf("the dry run launched: %d", n)
	}
}

func TestADecisionReplaysByteForByte(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	list := w.Must("GET", "/neap/v1/groups/"+w.group.ID+"/decisions", nil)
	items, _ := list.Body["items"].([]any)
	if len(items) == 0 {
		t.Fatal("no decision is kept")
	}
	for _, item := range items {
		id := item.(map[string]any)["id"].(string)
		again := w.Must("GET", "/neap/v1/groups/"+w.group.ID+"/decisions/"+id+"/replay", nil)
		if again.Body["same"] != true {
			t.Errorf("decision %s replays differently: %s", id, again.Raw)
		}
	}
}

func TestNothingHappensWhileNothingChanges(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	calls := len(w.record().Calls)
	end := w.Clock.Now().Add(10 * time.Minute)
	w.Until("ten minutes have passed", 15*time.Minute, func() bool { return w.Clock.Now().After(end) })
	if now := len(w.record().Calls); now != calls {
		t.Errorf("%d calls changed something in ten quiet minutes:\n%s", now-calls, w.log())
	}
}

func TestAnOlderDatabaseOnlyObserves(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	provider := w.Cloud.Account(w.Account.ID)
	marked := w.members()[0].ID
	if err := provider.Tag(t.Context(), "us-east-1", []string{marked}, map[string]string{"neap:generation": "9000000000000000"}); err != nil {
		t.Fatal(err)
	}
	two := 2
	if _, err := w.Fleet.SetCapacity(context.WithoutCancel(t.Context()), w.Account.ID, "test", w.group.ID, &two, nil, nil); err != nil {
		t.Fatal(err)
	}
	end := w.Clock.Now().Add(2 * time.Minute)
	w.Until("two minutes have passed", 3*time.Minute, func() bool { return w.Clock.Now().After(end) })
	if n := len(w.in(plan.Running)); n != 4 {
		t.Errorf("%d run: an old database terminated instances of a newer one", n)
	}
	if log := w.log(); !strings.Contains(log, "only observes") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestATurnDoesNotAskAboutWhatALookHasJustFoundInOrder(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	settled := w.Clock.Now().Add(time.Minute)
	w.Until("a look has just found the place in order", 5*time.Minute, func() bool {
		seen := w.Fleet.LookedAt(w.Account.ID, "us-east-1")
		return seen.After(settled) && w.Clock.Now().Sub(seen) < 8*time.Second
	})
	victim := w.in(plan.Running)[0].ID
	if err := w.Cloud.Kill(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	// While the clock stands still nobody looks.
	before := w.Cloud.Reads(sim.DescribeCall)
	for range 3 {
		if err := w.Workflow.RaiseAll(t.Context(), "fleet", []string{w.group.ID}); err != nil {
			t.Fatal(err)
		}
		if err := w.Workflow.Settled(t.Context(), "fleet", w.group.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Cloud.Reads(sim.DescribeCall) - before; n != 0 || !w.ids()[victim] {
		t.Errorf("3 turns asked %d times", n)
	}
	w.Until("the next look has found the loss", time.Minute, func() bool { return !w.ids()[victim] })
	w.settle()
}

func TestAPoolThatKeepsWhatIsInItIsTrustedMoreByTheHour(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	if err := w.Fleet.Interrupt(t.Context(), w.Account.ID, "test", []string{w.in(plan.Running)[0].ID}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	oldest := func() (age float64) {
		m := w.in(plan.Running)[0].Market
		shot, err := w.Fleet.Market.Snapshot(t.Context(), w.Account.ID, "sim", m.Region, m.Product)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range shot.Pools {
			if p.Law.Scarcity > 0 && slices.ContainsFunc(w.in(plan.Running), func(i fleet.Instance) bool { return i.Market == p.Market }) {
				age = max(age, p.Law.Age)
			}
		}
		return age
	}
	w.Until("a pool in which something runs is two hours old", 4*time.Hour, func() bool { return oldest() > 2 })
}

func TestAnIDThatTheCallerHasChosenIsGivenOnce(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	const id = "sig-chosen"
	for n := range 2 {
		made, err := w.Fleet.CreateAs(t.Context(), w.Account.ID, "test", elastigroup.FormName, id, document(t, `{"capacity":{"target":0,"minimum":0}}`))
		if n == 0 && (err != nil || made.ID != id) || n == 1 && !fault.Is(err, fault.Exists) {
			t.Errorf("the %d. time: %+v, %v", n+1, made, err)
		}
	}
	if err := w.Fleet.Delete(t.Context(), w.Account.ID, "test", id); err != nil {
		t.Fatal(err)
	}
	w.Until("it is gone", time.Minute, func() bool {
		courses, err := w.Fleet.Courses(t.Context(), []string{id, w.group.ID, "sig-nobody"})
		if err != nil || len(courses) != 2 || !courses[w.group.ID].IsKept || len(courses[w.group.ID].Instances) != 4 {
			t.Fatalf("%+v, %v", courses, err)
		}
		return courses[id].IsGone
	})
	if _, err := w.Fleet.CreateAs(t.Context(), w.Account.ID, "test", elastigroup.FormName, id, document(t, "")); !fault.Is(err, fault.Exists) {
		t.Errorf("the id of a group that is gone was given again: %v", err)
	}
}
