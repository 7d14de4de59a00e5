package fleet_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// beginWith is begin with a configuration of its own.
func beginWith(t *testing.T, patch string, change func(*app.Config)) *world {
	t.Helper()
	w := &world{Neap: apptest.Start(t, change)}
	create(t, w, patch)
	w.settle()
	return w
}

// pass lets engine time go by.
func (w *world) pass(d time.Duration) {
	w.T.Helper()
	end := w.Clock.Now().Add(d)
	w.Until(d.String()+" have passed", max(6*d, 10*time.Minute), func() bool { return !w.Clock.Now().Before(end) })
}

func (w *world) alive() (ids []string) {
	w.T.Helper()
	for _, r := range w.record().Instances {
		if r.Alive {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// alerts are the messages of the open ones, by kind.
func (w *world) alerts() map[string]string {
	w.T.Helper()
	open := map[string]string{}
	for _, item := range w.Must("GET", "/neap/v1/alerts?open=true", nil).Body["items"].([]any) {
		a := item.(map[string]any)
		open[a["kind"].(string)], _ = a["message"].(string)
	}
	return open
}

func TestAProtectedGroupIsNotDeletedByAnybody(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	path := "/neap/v1/groups/" + w.group.ID + "/protection"
	if got := w.Must("PUT", path, `{"protected":true}`); got.Body["protected"] != true {
		t.Errorf("protected: %s", got.Raw)
	}
	refused := w.Call("DELETE", "/aws/ec2/group/"+w.group.ID, nil)
	if refused.Status == http.StatusOK || !strings.Contains(string(refused.Raw), "neap unprotect "+w.group.ID) {
		t.Errorf("deleting it: %d %s", refused.Status, refused.Raw)
	}
	if got := w.Call("PUT", path, `{}`); got.Status != http.StatusBadRequest {
		t.Errorf("an empty request: %d %s", got.Status, got.Raw)
	}
	w.Must("PUT", path, `{"protected":false}`)
	w.Must("DELETE", "/aws/ec2/group/"+w.group.ID, nil)
	if got := w.Call("PUT", path, `{"protected":true}`); got.Status != http.StatusNotFound {
		t.Errorf("protecting a deleted group: %d %s", got.Status, got.Raw)
	}
}

func TestADeletedGroupIsHeldAndCanBeBroughtBack(t *testing.T) {
	t.Parallel()
	w := beginWith(t, "", func(c *app.Config) { c.Hold = 15 * time.Minute })
	w.Must("DELETE", "/aws/ec2/group/"+w.group.ID, nil)
	if got := w.Call("GET", "/aws/ec2/group/"+w.group.ID, nil); got.Status == http.StatusOK {
		t.Error("a deleted group is still there")
	}
	w.pass(10 * time.Minute)
	if n := len(w.alive()); n != 4 {
		t.Fatalf("%d of 4 instances are left in the hold", n)
	}
	gone := w.Must("GET", "/neap/v1/groups?deleted=true", nil)
	if !strings.Contains(string(gone.Raw), w.group.ID) || !strings.Contains(string(gone.Raw), "heldUntil") {
		t.Errorf("it is not listed: %s", gone.Raw)
	}
	w.Must("POST", "/neap/v1/groups/"+w.group.ID+"/undelete", nil)
	w.settle()
	if n := w.launched(); n != 4 {
		t.Errorf("%d were launched: the group should have its own four back", n)
	}
	if got := w.Call("POST", "/neap/v1/groups/"+w.group.ID+"/undelete", nil); got.Status != http.StatusNotFound {
		t.Errorf("bringing it back again: %d", got.Status)
	}
	if got := w.Must("GET", "/neap/v1/groups", nil); !strings.Contains(string(got.Raw), w.group.ID) {
		t.Errorf("it is not among the groups: %s", got.Raw)
	}
}

func TestAHeldGroupLaunchesNothingAndEndsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	w := beginWith(t, "", func(c *app.Config) { c.Hold = 5 * time.Minute })
	victim := w.in(plan.Running)[0].ID
	w.Must("DELETE", "/aws/ec2/group/"+w.group.ID, nil)
	if err := w.Cloud.Kill(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	w.pass(4 * time.Minute)
	if n, launched := len(w.alive()), w.launched(); n != 3 || launched != 4 {
		t.Errorf("%d live, %d were launched: a held group is left as it is", n, launched)
	}
	w.Until("everything has ended", 10*time.Minute, func() bool { return len(w.alive()) == 0 })
	if got := w.Call("POST", "/neap/v1/groups/"+w.group.ID+"/undelete", nil); got.Status != http.StatusNotFound {
		t.Errorf("bringing it back too late: %d", got.Status)
	}
}

// moody is a form whose next release reads documents differently.
type moody struct {
	fleet.Form
	mu    sync.Mutex
	drain time.Duration
}

func (m *moody) Name() string { return "test/moody" }

func (m *moody) Compile(document json.RawMessage) (fleet.Intent, string, []string, error) {
	intent, name, unbuilt, err := m.Form.Compile(document)
	m.mu.Lock()
	defer m.mu.Unlock()
	intent.Drain += m.drain
	return intent, name, unbuilt, err
}

func (m *moody) upgrade() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drain = time.Minute
}

func TestAfterAnUpgradeThatReadsDifferentlyMovesWaitUntilTheyAreAccepted(t *testing.T) {
	t.Parallel()
	form := &moody{Form: elastigroup.NewForm(catalog.AWS())}
	w := &world{Neap: apptest.Start(t, func(c *app.Config) { c.Forms = []fleet.Form{form} })}
	make := func() fleet.Group {
		group, err := w.Fleet.Create(t.Context(), w.Account.ID, "test", form.Name(), document(t, `{"compute":{"instanceTypes":{"spot":["c5.large"]}}}`))
		if err != nil {
			t.Fatal(err)
		}
		return group
	}
	for _, zone := range []string{"us-east-1a", "us-east-1b"} {
		w.Cloud.Dry(cloud.Market{Region: "us-east-1", Zone: zone, Type: "c5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}, w.Clock.Now().Add(10*time.Minute))
	}
	w.group = make()
	other := make()
	w.settle() // on demand: every spot pool is dry
	form.upgrade()
	w.pass(40 * time.Minute)
	for _, i := range w.members() {
		if i.Lifecycle != plan.OnDemand {
			t.Errorf("%s was moved to spot although nobody has accepted the upgrade", i.ID)
		}
	}
	list := string(w.Must("GET", "/neap/v1/upgrades", nil).Raw)
	if !strings.Contains(list, w.group.ID) || !strings.Contains(list, other.ID) || !strings.Contains(list, `"path":"Drain","before":15000000000,"after":75000000000`) {
		t.Errorf("the differences: %s", list)
	}
	// Recovery is never held.
	victim := w.in(plan.Running)[0].ID
	if err := w.Cloud.Kill(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	w.Until("the loss is seen", time.Minute, func() bool { return !w.ids()[victim] })
	w.Until("it is made good", 5*time.Minute, func() bool { return len(w.in(plan.Running)) == 4 })

	if got := w.Call("POST", "/neap/v1/upgrades/accept", `{"percent":50}`); got.Status != http.StatusBadRequest {
		t.Errorf("half of them: %d %s", got.Status, got.Raw)
	}
	if got := w.Must("POST", "/neap/v1/upgrades/accept", `{"percent":1}`); got.Body["accepted"] != 1.0 || got.Body["waiting"] != 1.0 {
		t.Errorf("the first stage: %s", got.Raw)
	}
	if got := w.Must("POST", "/neap/v1/upgrades/accept", `{"percent":100}`); got.Body["accepted"] != 1.0 || got.Body["waiting"] != 0.0 {
		t.Errorf("the last stage: %s", got.Raw)
	}
	if got := w.Must("GET", "/neap/v1/upgrades", nil); len(got.Body["items"].([]any)) != 0 {
		t.Errorf("still waiting: %s", got.Raw)
	}
	w.Until("it is back on spot", 2*time.Hour, func() bool {
		for _, i := range w.in(plan.Running) {
			if i.Lifecycle != plan.Spot {
				return false
			}
		}
		return true
	})
}

func TestTwoInstallationsInOneCloudAccountLeaveEachOtherAlone(t *testing.T) {
	t.Parallel()
	shared := app.Unusual{World: filepath.Join(t.TempDir(), "world.db"), Owner: "cloud-1"}
	one := beginWith(t, "", func(c *app.Config) { c.Unusual = shared })
	two := &world{Neap: apptest.Start(t, func(c *app.Config) { c.Unusual = shared })}
	create(t, two, "")
	two.settle()
	zero := 0
	if _, err := one.Fleet.SetCapacity(t.Context(), one.Account.ID, "test", one.group.ID, &zero, &zero, nil); err != nil {
		t.Fatal(err)
	}
	one.settle()
	two.pass(5 * time.Minute)
	if n := len(two.in(plan.Running)); n != 4 {
		t.Errorf("the other installation has %d of its 4 instances\n%s", n, two.log())
	}
	if n := len(two.alive()); n != 4 {
		t.Errorf("%d instances live in the account", n)
	}
	if open := two.alerts(); len(open) > 0 {
		t.Errorf("it raised %v", open)
	}
}

// gate is a database that can be made to hang.
type gate struct {
	mu     sync.Mutex
	closed chan struct{}
}

func (g *gate) hook(point string) {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if point == "commit:before" && closed != nil {
		<-closed
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func TestNoticesThatComeWhileTheStoreIsAwayAreNeitherLostNorForgotten(t *testing.T) {
	t.Parallel()
	data, store := t.TempDir(), &gate{}
	defer store.open() // before the process is asked to stop, which needs it
	w := beginWith(t, "", func(c *app.Config) { c.Data, c.Hook = data, store.hook })
	spool := func() string {
		text, err := os.ReadFile(filepath.Join(data, "spool.jsonl"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
	victim := w.in(plan.Running)[0].ID
	// The place is known to the watch once it has seen a store that works.
	store.shut()
	provider := w.Cloud.Account(w.Account.ID)
	interrupter, _ := cloud.As[cloud.Interrupter](provider)
	if err := interrupter.Interrupt(t.Context(), "us-east-1", []string{victim}); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(20 * time.Second) // so late one notice in twenty is shown, and the clock stands still from here on
	w.waitReal("the notice is in the spool", func() bool { return strings.Contains(spool(), victim) })
	if n := w.launched(); n != 4 || len(w.alive()) != 4 {
		t.Errorf("%d launched, %d alive: without a store nothing may be launched or ended", n, len(w.alive()))
	}
	store.open()
	w.waitReal("the spool is empty again", func() bool { return spool() == "" })
	w.Until("the victim is replaced", 5*time.Minute, func() bool { return !w.ids()[victim] && len(w.in(plan.Running)) == 4 })
	if n := w.launched(); n != 5 {
		t.Errorf("%d were launched: 4 and one replacement were wanted\n%s", n, w.log())
	}
	if history := string(w.Must("GET", "/neap/v1/alerts", nil).Raw); strings.Contains(history, `"spooled"`) && w.alerts()["spooled"] != "" {
		t.Errorf("the alert is still open: %s", history)
	}
}

// waitReal waits in real time, with the engine's clock standing still.
func (w *world) waitReal(what string, done func() bool) {
	w.T.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(30 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-giveUp:
			w.T.Fatalf("gave up waiting until %s", what)
		}
	}
}

func TestAGroupThatGetsNothingForMinutesRaisesAnAlertThatEndsWithIt(t *testing.T) {
	t.Parallel()
	w := &world{Neap: apptest.Start(t)}
	for _, zone := range []string{"us-east-1a", "us-east-1b"} {
		w.Cloud.Dry(cloud.Market{Region: "us-east-1", Zone: zone, Type: "c5.large", Product: "Linux/UNIX", Lifecycle: cloud.Spot}, w.Clock.Now().Add(20*time.Minute))
	}
	create(t, w, `{"capacity":{"target":2},"strategy":{"fallbackToOd":false},"compute":{"instanceTypes":{"spot":["c5.large"]}}}`)
	w.pass(4 * time.Minute)
	if open := w.alerts(); open["cannotLaunch"] != "" {
		t.Errorf("too early: %v", open)
	}
	w.Until("somebody is told", 10*time.Minute, func() bool { return strings.Contains(w.alerts()["cannotLaunch"], w.group.ID) })
	w.Until("the group is full", 2*time.Hour, func() bool { return len(w.in(plan.Running)) == 2 })
	w.Until("the alert is over", 5*time.Minute, func() bool { return w.alerts()["cannotLaunch"] == "" })
}

func TestABreakerThatTripsSaysSoAndOpensAgain(t *testing.T) {
	t.Parallel()
	const limit = 600_000 // a handful of large instances an hour
	for scope, set := range map[string]func(*app.Config){
		"account": func(c *app.Config) { c.Spend = limit },
		"group":   func(c *app.Config) { c.GroupSpend = limit },
	} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			w := beginWith(t, "", set)
			before := w.launched()
			ten := 10
			if _, err := w.Fleet.SetCapacity(t.Context(), w.Account.ID, "test", w.group.ID, &ten, nil, nil); err != nil {
				t.Fatal(err)
			}
			w.settleOrTrip()
			for range 3 {
				w.pass(time.Minute) // the budget of launches per minute is not what is tested
				if err := w.Fleet.Detach(t.Context(), w.Account.ID, "test", w.group.ID, detachSome(w, 5)); err != nil {
					t.Fatal(err)
				}
				w.settleOrTrip()
			}
			open := w.alerts()["breaker"]
			if !strings.Contains(open, "more: "+scope) || !strings.Contains(open, "new cost") || !strings.Contains(open, "opens again from") {
				t.Fatalf("after %d launches: %q\n%s", w.launched()-before, open, w.log())
			}
			w.Until("the group is whole again", 2*time.Hour, func() bool { return len(w.in(plan.Running)) == 10 })
			w.Until("the alert is over", 5*time.Minute, func() bool { return w.alerts()["breaker"] == "" })
		})
	}
}

// settleOrTrip waits until the group is whole, or the breaker has stopped it.
func (w *world) settleOrTrip() {
	w.T.Helper()
	w.Until("the group is at its target or the breaker trips", 5*time.Minute, func() bool {
		return w.alerts()["breaker"] != "" || len(w.in(plan.Running)) == w.target() && len(w.members()) == w.target()
	})
}

func detachSome(w *world, n int) (d fleet.Detach) {
	for _, i := range w.in(plan.Running) {
		if len(d.Instances) < n {
			d.Instances = append(d.Instances, i.ID)
		}
	}
	d.Terminate = true
	return d
}

func TestAnInstanceThatNothingExplainsIsShownAndNeverTouched(t *testing.T) {
	t.Parallel()
	w := begin(t, "")
	inst, err := w.Identity.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := w.members()[0].Market
	started, err := w.Cloud.Account(w.Account.ID).Launch(t.Context(), cloud.Launch{
		Token: "a-stranger", Market: known, Count: 1, Template: cloud.Template{Image: "ami-0de30000000000001", SecurityGroups: []string{"sg-0de30000000000001"}},
		Tags: map[string]string{"neap:installation": inst.ID, "neap:generation": "1", "neap:owner": w.group.ID, "neap:action": "act-of-nobody"},
	})
	if err != nil || len(started) != 1 {
		t.Fatalf("launch: %v %v", started, err)
	}
	w.Until("somebody is told", 15*time.Minute, func() bool { return strings.Contains(w.alerts()["quarantine"], started[0].ID) })
	if n := len(w.in(plan.Running)); n != 4 || len(w.alive()) != 5 {
		t.Errorf("%d members, %d alive", n, len(w.alive()))
	}
	if err := w.Cloud.Kill(t.Context(), started[0].ID); err != nil {
		t.Fatal(err)
	}
	w.Until("the alert is over", 15*time.Minute, func() bool { return w.alerts()["quarantine"] == "" })
}
