package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestUpStartsWithTheSettingsOfFlagsEnvironmentAndFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "neap.yaml")
	if err := os.WriteFile(file, []byte("data: from-file\nlisten: 127.0.0.1:1\nseed: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var reached UpConfig
	hooks := Hooks{Up: func(_ context.Context, c UpConfig) error {
		reached = c
		return nil
	}}
	for _, way := range []struct{ environ, args []string }{
		{[]string{"NEAP_LISTEN=127.0.0.1:2"}, []string{"--config", file}},
		{[]string{"NEAP_LISTEN=127.0.0.1:2", "NEAP_CONFIG=" + file}, nil},
	} {
		got := neapIn(t, way.environ, hooks, append([]string{"up", "--data", "from-flag"}, way.args...)...)
		if got.code != ExitDone || reached.Data != "from-flag" || reached.Listen != "127.0.0.1:2" || reached.Seed != 3 {
			t.Errorf("%v: %+v %+v", way, reached, got)
		}
	}
}

func TestSettingsThatCannotBeUsedAreAllToldAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "neap.yaml")
	if err := os.WriteFile(file, []byte("lisen: a\nrate: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := neapIn(t, nil, hooksOfTests(), "up", "--config", file)
	want := "neap: lisen: " + file + " has a setting that Neap does not know; did you mean \"listen\"?\n      rate: 0 is not above 0; 1 is real time.\n      See neap up --help.\n"
	if got.code != ExitUsage || got.err != want {
		t.Errorf("%+v", got)
	}
	got = neapIn(t, nil, hooksOfTests(), "up", "--config", file+".none")
	if got.code != ExitUsage || !strings.HasPrefix(got.err, "neap: There is no configuration file "+file+".none.\n") {
		t.Errorf("%+v", got)
	}
}

func TestWhatStopsTheServerIsToldWithItsField(t *testing.T) {
	hooks := Hooks{Up: func(context.Context, UpConfig) error {
		return fault.Field("listen", "Port 8080 is taken; choose another with --listen.").With(errors.New("secret detail"))
	}}
	got := neapIn(t, nil, hooks, "up")
	if got.code != ExitRefused || got.err != "neap: listen: Port 8080 is taken; choose another with --listen.\n" {
		t.Errorf("%+v", got)
	}
	hooks.Up = func(context.Context, UpConfig) error { return errors.New("disk full") }
	if got := neapIn(t, nil, hooks, "up"); got.code != ExitRefused || got.err != "neap: disk full\n" {
		t.Errorf("%+v", got)
	}
}
