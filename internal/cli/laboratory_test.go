package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fault"
)

// replaying remembers how it was asked.
func replaying(asked *ReplayConfig) Hooks {
	write := func(text string) func(w io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}
	}
	return Hooks{Replay: func(_ context.Context, c ReplayConfig) (Replayed, error) {
		*asked = c
		c.Progress(0.25, "neap")
		table := func(w io.Writer, wide bool) error {
			return write(fmt.Sprintf("Simulated\x1b[31m wide=%t\nnext\n", wide))(w)
		}
		return Replayed{Report: json.RawMessage(`{"policies":[{"policy":"neap","cost":1.5}]}`), Page: write("<!doctype html>\n"), CSV: write("policy,cost\n"), Table: table}, nil
	}}
}

func TestAReplayIsAskedForAsWritten(t *testing.T) {
	var asked ReplayConfig
	got := neapIn(t, []string{"NEAP_TRACES=traces"}, replaying(&asked), "replay", "--prices", "p.csv", "--availability", "a.csv", "--trace", "x/y", "--region", "us-east-1", "--types", "m5.large,c5.large",
		"--zones", "us-east-1a", "--from", "2021-03-15", "--to", "2021-03-16T06:00:00Z", "--workload", "diurnal:1-2", "--policy", "neap,on-demand", "--rule", "cheapest", "--floor", "1", "--step", "1m", "--seed", "7", "--seeds", "3")
	if got.code != ExitDone {
		t.Fatalf("%+v", got)
	}
	if asked.Prices != "p.csv" || asked.Availability != "a.csv" || asked.Trace != "x/y" || asked.Region != "us-east-1" || !slices.Equal(asked.Types, []string{"m5.large", "c5.large"}) ||
		!slices.Equal(asked.Zones, []string{"us-east-1a"}) || asked.From.Day() != 15 || asked.To.Hour() != 6 || asked.Workload != "diurnal:1-2" || !slices.Equal(asked.Policies, []string{"neap", "on-demand"}) ||
		asked.Rule != "cheapest" || asked.Floor != 1 || asked.Step != time.Minute || asked.Seed != 7 || asked.Seeds != 3 || asked.Folder != "traces" {
		t.Errorf("%+v", asked)
	}
	if got := neap(t, nil, replaying(&asked), "replay"); got.code != ExitDone || asked.Workload != "steady:20" || asked.Policies != nil || asked.Seed != 1 || asked.Seeds != 1 || !asked.From.IsZero() {
		t.Errorf("%+v %+v", got, asked)
	}
}

func TestAReplayIsATableAPageOrADocument(t *testing.T) {
	for output, want := range map[string]string{
		"": "Simulated[31m wide=false\nnext\n", "table": "Simulated[31m wide=false\nnext\n", "wide": "Simulated[31m wide=true\nnext\n", "html": "<!doctype html>\n", "csv": "policy,cost\n",
		"json": "{\n  \"policies\": [\n    {\n      \"policy\": \"neap\",\n      \"cost\": 1.5\n    }\n  ]\n}\n",
		"yaml": "policies:\n",
	} {
		var asked ReplayConfig
		if got := neap(t, nil, replaying(&asked), "replay", "-o", output); got.code != ExitDone || !strings.HasPrefix(got.out, want) || got.err != "" {
			t.Errorf("%q: %+v", output, got)
		}
	}
}

func TestAReplaySaysHowFarItIsOnATerminalOnly(t *testing.T) {
	var out, errs bytes.Buffer
	world := World{Out: &out, Err: &errs, Clock: clock.NewManual(noon()), ErrTerminal: true}
	if code := Run(t.Context(), replaying(new(ReplayConfig)), world, []string{"replay", "-o", "csv"}); code != ExitDone || out.String() != "policy,cost\n" {
		t.Fatalf("%d %q", code, out.String())
	}
	if want := "\r\x1b[K 25 %  neap\r\x1b[K"; errs.String() != want {
		t.Errorf("%q, not %q", errs.String(), want)
	}
}

func TestAReplayThatCannotBeIsRefusedWithWhatThereIs(t *testing.T) {
	var asked ReplayConfig
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-o", "htm"}, "html"},
		{[]string{"--seeds", "0"}, "--seeds 0 is not between 1"},
		{[]string{"--seed", "x"}, "--seed"},
		{[]string{"--from", "March"}, "--from \"March\" is neither a day, such as 2021-03-15"},
		{[]string{"--to", "1.2.2021"}, "--to"},
		{[]string{"--trace", "x"}, "give --availability too"},
		{[]string{"--step", "1ms"}, "--step 1ms is not between a second and a day"},
		{[]string{"prices.csv"}, "prices.csv"},
	} {
		if got := neap(t, nil, replaying(&asked), append([]string{"replay"}, c.args...)...); got.code != ExitUsage || !strings.Contains(got.err, c.want) || asked.Workload != "" {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
	for kind, code := range map[fault.Kind]int{fault.Invalid: ExitUsage, fault.NotFound: ExitRefused} {
		hooks := Hooks{Replay: func(context.Context, ReplayConfig) (Replayed, error) {
			return Replayed{}, fault.Of(kind, "trace", "There is no such thing; there are others.")
		}}
		if got := neap(t, nil, hooks, "replay"); got.code != code || !strings.HasPrefix(got.err, "neap: There is no such thing; there are others.\n") {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

func TestTheHelpOfAReplayBeginsWithAPicture(t *testing.T) {
	got := neap(t, nil, replaying(new(ReplayConfig)), "replay", "--help")
	_, examples, found := strings.Cut(got.out, "Examples:\n")
	if !found || !strings.HasPrefix(strings.TrimSpace(examples), "neap replay -o html > replay.html\n") || strings.Contains(got.out, "--url") {
		t.Error(got.out)
	}
}
