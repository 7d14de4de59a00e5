package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTokenIsFoundInTheDataFolder(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "admin-token"), []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		environ []string
		args    []string
		want    string
	}{
		{[]string{"NEAP_DATA=" + data}, nil, "Bearer from-file"},
		{nil, []string{"--data", data}, "Bearer from-file"},
		{[]string{"NEAP_DATA=" + data, "NEAP_TOKEN=from-env"}, nil, "Bearer from-env"},
		{[]string{"NEAP_TOKEN=from-env"}, []string{"--token", "from-flag"}, "Bearer from-flag"},
		{[]string{"NEAP_DATA=" + t.TempDir()}, nil, ""},
	} {
		s := serve(t, answers())
		neapIn(t, append(c.environ, "NEAP_URL="+s.URL), Hooks{}, append([]string{"get", "groups"}, c.args...)...)
		if asked := s.requests(); len(asked) != 1 || asked[0].token != c.want {
			t.Errorf("%v %v: %+v", c.environ, c.args, asked)
		}
	}
}

func TestAMissingTokenIsSaidToBeMissing(t *testing.T) {
	s := serve(t, map[string]reply{"GET /aws/ec2/group": refused(401, "UNAUTHENTICATED", "Who are you?", "")})
	got := neapIn(t, []string{"NEAP_URL=" + s.URL, "NEAP_DATA=" + t.TempDir()}, Hooks{}, "get", "groups")
	if got.code != ExitRefused || !strings.Contains(got.err, "No token was sent.") {
		t.Errorf("%+v", got)
	}
}
