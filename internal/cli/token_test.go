package cli

import (
	"strings"
	"testing"
)

func tokenServer(t *testing.T) *server {
	return serve(t, map[string]reply{
		"POST /neap/v1/tokens":         {body: `{"id":"tok-1","name":"ci","lastCharacters":"wxyz","created":"2026-03-01T12:00:00Z","secret":"npt_abcdwxyz"}`},
		"GET /neap/v1/tokens":          {body: `{"items":[{"id":"tok-1","name":"ci","lastCharacters":"wxyz","created":"2026-03-01T11:00:00Z"}]}`},
		"DELETE /neap/v1/tokens/tok-1": {body: `{}`},
	})
}

func TestATokenIsShownAloneAndOnlyWhenItIsMade(t *testing.T) {
	s := tokenServer(t)
	got := neap(t, s, Hooks{}, "token", "create", "ci")
	if got.code != ExitDone || got.out != "npt_abcdwxyz\n" || !strings.Contains(got.err, "cannot be shown again") || s.requests()[0].body != `{"name":"ci"}` {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "token", "list"); got.out != "ID     NAME  ENDS IN  AGE\ntok-1  ci    wxyz     60m\n" {
		t.Errorf("%+v", got)
	}
}

func TestATokenIsRevokedByItsId(t *testing.T) {
	s := tokenServer(t)
	if got := neap(t, s, Hooks{}, "token", "revoke", "tok-1"); got.code != ExitDone || got.out != "Token tok-1 is revoked.\n" {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "token", "revoke", "tok-2"); got.code != ExitRefused {
		t.Errorf("%+v", got)
	}
}

func TestResetMakesATokenOffline(t *testing.T) {
	got := neap(t, nil, hooksOfTests(), "token", "reset", "--data", "some/folder")
	if got.code != ExitDone || got.out != "npt_new_for_folder\n" {
		t.Errorf("%+v", got)
	}
	if got := neapIn(t, []string{"NEAP_DATA=other"}, hooksOfTests(), "token", "reset", "-o", "json"); got.out != "{\n  \"token\": \"npt_new_for_other\"\n}\n" {
		t.Errorf("%+v", got)
	}
}

func TestTheTokenInUseIsNeverPrinted(t *testing.T) {
	s := tokenServer(t)
	for _, args := range [][]string{{"status"}, {"get", "groups"}, {"token", "list", "-o", "json"}, {"call", "nothing"}, {"get", "groups", "--url", "http://127.0.0.1:1"}} {
		if got := neap(t, s, hooksOfTests(), args...); strings.Contains(got.out+got.err, "secret-1") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
