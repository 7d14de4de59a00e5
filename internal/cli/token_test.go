package cli

import (
	"strings"
	"testing"
)

func tokenServer(t *testing.T) *server {
	return serve(t, map[string]reply{
		"POST /neap/v1/tokens":         {body: `{"id":"tok-1","name":"ci","lastCharacters":"wxyz","created":"2026-03-01T12:00:00Z","secret":"npt_abcdwxyz"}`},
		"GET /neap/v1/tokens":          {body: `{"items":[{"id":"tok-1","name":"ci","user":"u-1","kind":"key","expires":"2026-03-01T14:00:00Z","lastCharacters":"wxyz","created":"2026-03-01T11:00:00Z"}]}`},
		"DELETE /neap/v1/tokens/tok-1": {body: `{}`},
	})
}

func TestATokenIsShownAloneAndOnlyWhenItIsMade(t *testing.T) {
	s := tokenServer(t)
	got := neap(t, s, Hooks{}, "token", "create", "ci")
	if got.code != ExitDone || got.out != "npt_abcdwxyz\n" || !strings.Contains(got.err, "cannot be shown again") || s.requests()[0].body != `{"name":"ci"}` {
		t.Errorf("%+v", got)
	}
	if got := neap(t, s, Hooks{}, "token", "list"); got.out != "ID     NAME  KIND  USER  ENDS IN  AGE  EXPIRES\ntok-1  ci    key   u-1   wxyz     60m  in 2h00m\n" {
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

func TestATokenIsMadeForTheClientsOfAnAPI(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--for", "cmpute"}, `{"name":"cmpute","for":"cmpute"}`},
		{[]string{"robot", "--user", "pu-1", "--expires", "2h"}, `{"name":"robot","user":"pu-1","expires":"2026-03-01T14:00:00Z"}`},
		{nil, `{"name":"token"}`},
	} {
		s := tokenServer(t)
		if got := neap(t, s, Hooks{}, append([]string{"token", "create"}, c.args...)...); got.code != ExitDone || s.requests()[0].body != c.want {
			t.Errorf("%v: %+v, asked %s", c.args, got, s.requests()[0].body)
		}
	}
}

func TestTheServerKeyIsReplacedOffline(t *testing.T) {
	key := strings.Repeat("ab", 32)
	for _, c := range []struct {
		environ []string
		code    int
		want    string
	}{
		{nil, ExitDone, "tokens stay valid"},
		{[]string{"NEAP_SERVER_KEY=" + key, "NEAP_SERVER_KEY_NEXT=" + key}, ExitDone, "tokens stay valid"},
		{[]string{"NEAP_SERVER_KEY=" + key}, ExitUsage, "NEAP_SERVER_KEY_NEXT"},
		{[]string{"NEAP_SERVER_KEY=hunter2"}, ExitUsage, "hexadecimal"},
		{[]string{"NEAP_SERVER_KEY=" + key, "NEAP_SERVER_KEY_NEXT=" + key, "NEAP_KEY_FILE=x"}, ExitUsage, "there is one server key"},
	} {
		got := neapIn(t, c.environ, hooksOfTests(), "key", "rotate")
		if got.code != c.code || !strings.Contains(got.out+got.err, c.want) || strings.Contains(got.out+got.err, key) || strings.Contains(got.err, "hunter2") {
			t.Errorf("%v: %+v", c.environ, got)
		}
	}
}
