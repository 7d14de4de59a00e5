package cli

import (
	"strings"
	"testing"
)

func groupServer(t *testing.T) *server {
	return serve(t, map[string]reply{
		"PUT /neap/v1/groups/sig-00000001/protection": {body: `{"id":"sig-00000001"}`},
		"POST /neap/v1/groups/sig-00000001/undelete":  {body: `{"id":"sig-00000001"}`},
		"GET /neap/v1/upgrades": {body: `{"items":[{"group":"sig-00000001","name":"web","why":"planner 2 has taken the place of 1.","planner":"1",` +
			`"changes":[{"path":"Drain","before":15,"after":75},{"path":"Mix.New","after":true}]}]}`},
		"POST /neap/v1/upgrades/accept": {body: `{"accepted":2,"waiting":18}`},
	})
}

func TestProtectionIsSetAndTakenOff(t *testing.T) {
	s := groupServer(t)
	if got := neap(t, s, Hooks{}, "protect", "sig-00000001"); got.code != ExitDone || !strings.Contains(got.out, "is protected") || s.requests()[0].body != `{"protected":true}` {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "unprotect", "sig-00000001"); got.code != ExitDone || !strings.Contains(got.out, "no longer") || s.requests()[1].body != `{"protected":false}` {
		t.Errorf("%+v", got)
	}
}

func TestADeletedGroupIsBroughtBackByItsId(t *testing.T) {
	s := groupServer(t)
	if got := neap(t, s, Hooks{}, "undelete", "sig-00000001"); got.code != ExitDone || got.out != "Group sig-00000001 is back.\n" {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "undelete", "sig-00000002"); got.code != ExitRefused {
		t.Errorf("%+v", got)
	}
}

func TestAnUpgradeIsShownAndThenAcceptedInStages(t *testing.T) {
	s := groupServer(t)
	want := "sig-00000001 (web): planner 2 has taken the place of 1.\n  Drain: 15 → 75\n  Mix.New: (nothing) → true\n"
	if got := neap(t, s, Hooks{}, "accept"); got.out != want {
		t.Errorf("%+v", got)
	}
	got := neap(t, s, Hooks{}, "accept", "--percent", "10")
	if got.out != "Accepted for 2 groups; 18 wait for a later stage.\n" || s.requests()[1].body != `{"percent":10}` {
		t.Errorf("%+v", got)
	}
}
