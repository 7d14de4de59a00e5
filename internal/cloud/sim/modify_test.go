package sim

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

// code is that of a refusal, "" for none.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	refusal, is := errors.AsType[*cloud.Refusal](err)
	if !is {
		t.Fatalf("%v is no refusal", err)
	}
	return refusal.Code
}

func TestEachAttributeChangesInTheStatesAndToTheValuesThatEC2Allows(t *testing.T) {
	const state, value = "IncorrectInstanceState", "InvalidParameterValue"
	for name, c := range map[string]struct{ good, bad, running, wrong string }{
		"instanceType":                      {"t1.micro", "t1.gigantic", state, "InvalidInstanceAttributeValue"},
		"kernel":                            {"aki-1", "", state, ""},
		"ramdisk":                           {"ari-1", "", state, ""},
		"userData":                          {"IyEvYmluL3NoCg==", strings.Repeat("a", 30_000), state, "InvalidUserData.Malformed"},
		"disableApiTermination":             {"true", "perhaps", "", value},
		"instanceInitiatedShutdownBehavior": {"stop", "sleep", "", value},
		"rootDeviceName":                    {"/dev/xvda", "", "", ""},
		"blockDeviceMapping":                {"/dev/sdb=:8", "", "", ""},
		"sourceDestCheck":                   {"false", "no", "", value},
		"groupSet":                          {"sg-0abc,SSH", "sg-0abc,not a group", "", "InvalidGroup.NotFound"},
		"ebsOptimized":                      {"true", "1", state, value},
		"sriovNetSupport":                   {"simple", "difficult", "", value},
		"enaSupport":                        {"true", "maybe", "", value},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, Tame())
			id := w.start(t, "t", market("m1.small", "us-east-1b", cloud.OnDemand), 1)[0].ID
			w.clock.Advance(time.Minute)
			modify := func(to string) string { return code(t, w.account.Modify(t.Context(), region, id, name, to)) }
			if got := modify(c.good); got != c.running {
				t.Errorf("running: %q, want %q", got, c.running)
			}
			if err := w.account.Stop(t.Context(), region, []string{id}, true); err != nil {
				t.Fatal(err)
			}
			if got := modify(c.good); got != "" {
				t.Errorf("stopped: %q", got)
			}
			if got := modify(c.bad); got != c.wrong {
				t.Errorf("to %.20q: %q, want %q", c.bad, got, c.wrong)
			}
			if err := errors.Join(w.account.Modify(t.Context(), region, id, protection, "false"), w.account.Terminate(t.Context(), region, []string{id})); err != nil {
				t.Fatal(err)
			}
			if got := modify(c.good); got != state {
				t.Errorf("ended: %q", got)
			}
		})
	}
	if n := len(attributes()); n != 13 {
		t.Errorf("%d attributes", n)
	}
}

func TestAnotherTypeCountsAgainstItsOwnQuotaAndPool(t *testing.T) {
	w := newWorld(t, 1, Tame())
	id := w.start(t, "t", market("m5.large", "us-east-1a", cloud.OnDemand), 1)[0].ID
	w.clock.Advance(time.Minute)
	err := errors.Join(w.account.Stop(t.Context(), region, []string{id}, true), w.account.Modify(t.Context(), region, id, "instanceType", "c5.4xlarge"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := readInstances(t.Context(), w.db, w.db.reads, "id = ?", id)
	if err != nil || len(kept) != 1 || kept[0].vcpus != 16 || kept[0].pool != "us-east-1/c5.4xlarge/us-east-1a" || kept[0].quota != "Standard/on-demand" {
		t.Errorf("%+v, %v", kept, err)
	}
}

func TestAProtectedInstanceKeepsOthersOfTheSameCallAlive(t *testing.T) {
	w := newWorld(t, 1, Tame())
	both := ids(w.start(t, "t", market("m5.large", "us-east-1a", cloud.OnDemand), 2))
	if err := w.account.Modify(t.Context(), region, both[1], protection, "true"); err != nil {
		t.Fatal(err)
	}
	if got := code(t, w.account.Terminate(t.Context(), region, both)); got != "OperationNotPermitted" {
		t.Errorf("%q", got)
	}
	w.clock.Advance(time.Minute)
	for _, i := range w.describe(t, both...) {
		if i.State != cloud.Running {
			t.Errorf("%s is %s", i.ID, i.State)
		}
	}
}

func TestWhatCanNeverExistIsNotFound(t *testing.T) {
	w := newWorld(t, 1, Tame())
	for want, change := range map[string]func(*cloud.Launch){
		"InvalidAMIID.NotFound":         func(l *cloud.Launch) { l.Template.Image = "ami-00000000" },
		"InvalidGroup.NotFound":         func(l *cloud.Launch) { l.Template.SecurityGroups = []string{"SSH", "sg-00000000"} },
		"InvalidGroupId.Malformed":      func(l *cloud.Launch) { l.Template.SecurityGroups = []string{"sg-!"} },
		"InvalidPlacementGroup.Unknown": func(l *cloud.Launch) { l.Template.PlacementGroup = "no such" },
		"InvalidParameterValue":         func(l *cloud.Launch) { l.Template.Shutdown = "sleep" },
		"InvalidParameterCombination":   func(l *cloud.Launch) { l.Least = 2 },
		"":                              func(l *cloud.Launch) { l.Template.SecurityGroups = []string{"SSH", "web"} },
	} {
		request := launch("t-"+want, market("t1.micro", "us-east-1b", cloud.OnDemand), 1)
		change(&request)
		started, err := w.account.Launch(t.Context(), request)
		if got := code(t, err); got != want || (len(started) == 1) != (want == "") {
			t.Errorf("%q, want %q; started %v", got, want, ids(started))
		}
	}
}

func TestNamesAreThoseOfTheRegion(t *testing.T) {
	for region, want := range map[string][2]string{
		"us-east-1": {"ec2-203-0-113-25.compute-1.amazonaws.com", "ip-10-0-0-28.ec2.internal"},
		"eu-west-1": {"ec2-203-0-113-25.eu-west-1.compute.amazonaws.com", "ip-10-0-0-28.eu-west-1.compute.internal"},
	} {
		if got := [2]string{publicDNS(region, "203.0.113.25"), privateDNS(region, "10.0.0.28")}; got != want {
			t.Errorf("%s: %v", region, got)
		}
	}
}

// The layout of releases that knew neither key pairs nor attributes.
func TestAnOlderWorldOpensAndGoesOn(t *testing.T) {
	for name, config := range map[string]Config{"on disk": {Path: filepath.Join(t.TempDir(), "sim.db")}, "in PostgreSQL": {}} {
		t.Run(name, func(t *testing.T) {
			if config.Path == "" {
				config.URL = postgres(t)
			}
			hands, tame := clock.NewManual(began), Tame()
			config.Clock, config.Tuning = hands, &tame
			m := market("m5.large", "us-east-1a", cloud.OnDemand)
			before := opened(t, config)
			before.Room(m, 50, began.Add(time.Hour))
			started, err := before.Account("acc-1").Launch(t.Context(), launch("t1", m, 1))
			if err != nil {
				t.Fatal(err)
			}
			for column := range strings.SplitSeq(columns, ", ") {
				name, _, _ := strings.Cut(column, " ")
				if _, err := before.db.writes.Exec("ALTER TABLE instance DROP COLUMN " + name); err != nil {
					t.Fatal(err)
				}
			}
			after := opened(t, config).Account("acc-1")
			hands.Advance(time.Minute)
			if err := after.Modify(t.Context(), region, started[0].ID, protection, "true"); err != nil {
				t.Fatal(err)
			}
			if got := code(t, after.Terminate(t.Context(), region, ids(started))); got != "OperationNotPermitted" {
				t.Errorf("%q", got)
			}
			again, err := after.Launch(t.Context(), launch("t1", m, 1))
			if err != nil || len(again) != 1 || again[0].ID != started[0].ID {
				t.Errorf("the token gives %v, %v", ids(again), err)
			}
		})
	}
}

// opened opens a world until the test ends.
func opened(t *testing.T, config Config) *Cloud {
	t.Helper()
	c, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// A release that does not know the columns names its own ones in every statement.
func TestTheReleaseBeforeWritesToANewWorld(t *testing.T) {
	c := reopen(t, filepath.Join(t.TempDir(), "sim.db"), clock.NewManual(began))
	old, _, _ := strings.Cut(instanceColumns, ",\n\tkey_pair")
	values := strings.Repeat("0, ", strings.Count(old, ",")) + "''"
	if _, err := c.db.writes.ExecContext(context.Background(), "INSERT INTO instance ("+old+") VALUES ("+values+")"); err != nil {
		t.Fatal(err)
	}
	var key sql.NullString
	if err := c.db.writes.QueryRow("SELECT key_pair FROM instance").Scan(&key); err != nil || key.String != "" || !key.Valid {
		t.Errorf("%+v, %v", key, err)
	}
}
