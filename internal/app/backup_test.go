package app_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
)

// world is a data folder whose time the test steps, over a cloud that lives on in it.
type world struct {
	t      *testing.T
	folder string
	clock  *clock.Manual
	app    *app.App
	admin  string
	hook   func(point string)
}

func newWorld(t *testing.T) *world {
	return &world{t: t, folder: t.TempDir(), clock: clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))}
}

func (w *world) config() app.Config {
	c := config(w.folder)
	c.Demo, c.Clock, c.Hook = false, w.clock, w.hook
	return c
}

func (w *world) start() {
	w.t.Helper()
	w.app = start(w.t, w.config())
	if w.app.First {
		w.admin = w.app.Admin
	}
}

func (w *world) call(method, path, body string) string {
	w.t.Helper()
	request := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+w.admin)
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	w.app.Handler.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// pass lets engine time go by, a second at a time.
func (w *world) pass(span time.Duration, until func() bool) bool {
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for end := w.clock.Now().Add(span); w.clock.Now().Before(end); w.clock.Advance(time.Second) {
		if until != nil && until() {
			return true
		}
		<-tick.C
	}
	return until == nil || until()
}

// living are the ids that the cloud shows as alive.
func (w *world) living() []string {
	w.t.Helper()
	all, err := w.app.Cloud.Account(w.app.Account.ID).Describe(w.t.Context(), cloud.Query{Region: "us-east-1"})
	if err != nil {
		w.t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, i := range all {
		if i.State == cloud.Running || i.State == cloud.Pending {
			ids[i.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// onDemand is a group that the cloud never interrupts.
const onDemand = `{"group": {"name": "steady", "region": "us-east-1", "capacity": {"target": 2, "minimum": 1, "maximum": 12, "unit": "instance"},
  "strategy": {"risk": 0, "availabilityVsCost": "balanced", "fallbackToOd": true, "drainingTimeout": 20},
  "compute": {"product": "Linux/UNIX", "instanceTypes": {"ondemand": "m5.large", "spot": ["m5.large"]},
    "availabilityZones": [{"name": "us-east-1a", "subnetIds": ["subnet-0de30a01"]}],
    "launchSpecification": {"imageId": "ami-0de30000000000001", "securityGroupIds": ["sg-0de30000000000001"], "healthCheckType": "EC2", "healthCheckGracePeriod": 60}}}}`

func (w *world) makeGroup() string {
	w.t.Helper()
	var made struct {
		Response struct {
			Items []struct{ ID string }
		}
	}
	if err := json.Unmarshal([]byte(w.call("POST", "/aws/ec2/group", onDemand)), &made); err != nil || len(made.Response.Items) != 1 {
		w.t.Fatalf("create: %+v, %v", made, err)
	}
	return made.Response.Items[0].ID
}

func (w *world) hasAlert(kind string) bool {
	return strings.Contains(w.call("GET", "/neap/v1/alerts?accountId="+w.app.Account.ID, ""), `"kind":"`+kind+`"`)
}

func TestYesterdaysDatabaseOverALivingFleetKillsNothingAndOnAcceptanceAdoptsWhatItCan(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "yesterday.zip")
	var once sync.Once
	var failed error
	w.hook = func(point string) {
		if point == "launch:after" { // the cloud has launched, and the database does not know it yet
			once.Do(func() { _, failed = app.Backup(t.Context(), w.config(), app.BackupOptions{To: file}) })
		}
	}
	w.start()
	group := w.makeGroup()
	if !w.pass(5*time.Minute, func() bool { return len(w.living()) == 2 && w.healthy(group) == 2 }) || failed != nil {
		t.Fatalf("the group does not come up: %v, %v", w.living(), failed)
	}
	w.call("PUT", "/aws/ec2/group/"+group+"/scale/up?adjustment=3&accountId="+w.app.Account.ID, "")
	if !w.pass(5*time.Minute, func() bool { return w.healthy(group) == 5 }) {
		t.Fatalf("the group does not grow: %v", w.living())
	}
	before := w.living()
	stop(t, w.app)

	if _, err := app.Restore(t.Context(), w.config(), file, false); !fault.Is(err, fault.Exists) {
		t.Fatalf("an unforced restore: %v", err)
	}
	if done, err := app.Restore(t.Context(), w.config(), file, true); err != nil || done.Rows == 0 {
		t.Fatalf("restore: %+v, %v", done, err)
	}
	w.start()
	w.pass(3*time.Minute, nil)
	if now := w.living(); !slices.Equal(now, before) {
		t.Errorf("a restored database changed the fleet: %v, was %v", now, before)
	}
	if !w.hasAlert("observeOnly") {
		t.Error("nobody is told that the database only observes")
	}
	if look := w.call("POST", "/neap/v1/generation/accept", ""); !strings.Contains(look, `"instances":5,"known":0,"adopted":2,"quarantined":3`) {
		t.Errorf("accepted: %s", look)
	}
	if !w.pass(5*time.Minute, func() bool { return w.healthy(group) == 2 && w.hasAlert("quarantine") && !w.hasAlert("observeOnly") }) {
		t.Errorf("after acceptance %d members are healthy; alerts: %s", w.healthy(group), w.call("GET", "/neap/v1/alerts?accountId="+w.app.Account.ID, ""))
	}
	w.pass(2*time.Minute, nil)
	if now := w.living(); !slices.Equal(now, before) {
		t.Errorf("an accepted database changed the fleet: %v, was %v", now, before)
	}
	stop(t, w.app)
}

// healthy counts the group's members as the engine knows them.
func (w *world) healthy(group string) (n int) {
	w.t.Helper()
	members, err := w.app.Fleet.Instances(w.t.Context(), w.app.Account.ID, group)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range members {
		if m.Phase == "running" {
			n++
		}
	}
	return n
}

func TestABackupWithTheKeyBringsTokensBackAndOneWithoutRefusesAnotherKey(t *testing.T) {
	w := newWorld(t)
	w.start()
	with, without := filepath.Join(t.TempDir(), "with.zip"), filepath.Join(t.TempDir(), "without.zip")
	if _, err := app.Backup(t.Context(), w.config(), app.BackupOptions{To: with, Key: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Backup(t.Context(), w.config(), app.BackupOptions{To: without}); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Restore(t.Context(), w.config(), with, true); !fault.Is(err, fault.Conflict) {
		t.Errorf("a restore under a running Neap: %v", err)
	}
	stop(t, w.app)
	key, err := os.ReadFile(filepath.Join(w.folder, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(without)
	if err != nil || strings.Contains(string(text), strings.TrimSpace(string(key))) {
		t.Errorf("the backup without the key holds it, %v", err)
	}
	w.folder = t.TempDir()
	if done, err := app.Restore(t.Context(), w.config(), with, false); err != nil || !done.Key {
		t.Fatalf("restore: %+v, %v", done, err)
	}
	w.start()
	w.call("GET", "/neap/v1/tokens", "")
	stop(t, w.app)
	w.folder = t.TempDir()
	if _, err := app.Restore(t.Context(), w.config(), without, false); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Build(t.Context(), w.config()); err == nil {
		t.Error("a database without its key starts as if nothing were missing")
	}
}

func TestAFullDiskIsSaidByReadinessAndOverWithoutARestart(t *testing.T) {
	w := newWorld(t)
	if err := syscall.Mount("tmpfs", w.folder, "tmpfs", 0, "size=24m,mode=700"); err != nil {
		t.Logf("a small file system cannot be mounted here (%v): the store's own test fills a file instead", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(w.folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w.start()
	defer func() { stop(t, w.app) }()
	group := w.makeGroup()
	if !w.pass(5*time.Minute, func() bool { return w.healthy(group) == 2 }) {
		t.Fatal("the group does not come up")
	}
	before := w.living()
	ballast := filepath.Join(w.folder, "ballast")
	// The engine's own files have some room inside them left, so it is filled until nothing goes any more.
	for n := 0; ask(w.app, "", "/readyz").Code == http.StatusOK; n++ {
		if n == 3000 {
			t.Fatal("a full disk is never noticed")
		}
		fill(t, ballast)
		w.write()
	}
	if got := ask(w.app, "", "/readyz"); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "full") {
		t.Errorf("readiness: %d %s", got.Code, got.Body)
	}
	if code, text := w.write(); code != http.StatusServiceUnavailable || !strings.Contains(text, "full") {
		t.Errorf("a request that has to be stored: %d %s", code, text)
	}
	if code := ask(w.app, w.admin, "/aws/ec2/group?accountId="+w.app.Account.ID).Code; code != http.StatusOK {
		t.Errorf("reading: %d", code)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if !w.pass(time.Minute, func() bool { return ask(w.app, "", "/readyz").Code == http.StatusOK }) {
		t.Errorf("not ready although there is room: %s", ask(w.app, "", "/readyz").Body)
	}
	if code, text := w.write(); code != http.StatusOK {
		t.Errorf("a request after that: %d %s", code, text)
	}
	w.pass(time.Minute, nil)
	if now := w.living(); !slices.Equal(now, before) {
		t.Errorf("the fleet is %v, and was %v", now, before)
	}
}

// write asks for something that has to be stored.
func (w *world) write() (int, string) {
	request := httptest.NewRequest("POST", "http://localhost/neap/v1/tokens", strings.NewReader(`{"name": "`+strings.Repeat("n", 200)+`"}`))
	request.Header.Set("Authorization", "Bearer "+w.admin)
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	w.app.Handler.ServeHTTP(answer, request)
	return answer.Code, answer.Body.String()
}

// fill takes all the room that is left.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for block := 1 << 18; block > 0; {
		if _, err := file.Write(make([]byte, block)); err != nil {
			block /= 2
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
