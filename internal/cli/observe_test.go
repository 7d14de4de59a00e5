package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

// observing remembers how it was asked.
func observing(asked *ObserveConfig, report string) Hooks {
	return Hooks{Observe: func(_ context.Context, c ObserveConfig) (Observed, error) {
		*asked = c
		page := func(w io.Writer) error {
			_, err := io.WriteString(w, "<!doctype html>\n")
			return err
		}
		table := func(w io.Writer, wide, why bool) error {
			_, err := fmt.Fprintf(w, "web\x1b[31m wide=%t why=%t\nnext\n", wide, why)
			return err
		}
		return Observed{Report: json.RawMessage(report), Page: page, Table: table}, nil
	}}
}

func TestAnObservationIsShownAsItWasAskedFor(t *testing.T) {
	var asked ObserveConfig
	got := neap(t, nil, observing(&asked, `{}`), "observe", "--region", "us-east-1", "--region", "eu-west-1", "--role", "arn:aws:iam::123456789012:role/N", "--external-id", "x1")
	if got.code != ExitDone || !slices.Equal(asked.Regions, []string{"us-east-1", "eu-west-1"}) || asked.Role == "" || asked.ExternalID != "x1" {
		t.Fatalf("%+v %+v", got, asked)
	}
	if got.out != "web[31m wide=false why=false\nnext\n" {
		t.Errorf("%q", got.out)
	}
	got = neapIn(t, []string{"AWS_REGION=eu-west-1"}, observing(&asked, `{}`), "observe", "--group", "web", "-o", "wide")
	if got.code != ExitDone || asked.Group != "web" || !slices.Equal(asked.Regions, []string{"eu-west-1"}) || !strings.Contains(got.out, "wide=true why=true") {
		t.Fatalf("%+v %+v", got, asked)
	}
}

func TestAnObservationIsAPageOrADocument(t *testing.T) {
	var asked ObserveConfig
	if got := neap(t, nil, observing(&asked, `{"month":44530000}`), "observe", "--region", "r", "-o", "html"); got.code != ExitDone || got.out != "<!doctype html>\n" {
		t.Errorf("%+v", got)
	}
	if got := neap(t, nil, observing(&asked, `{"month":44530000}`), "observe", "--region", "r", "-o", "json"); got.code != ExitDone || !json.Valid([]byte(got.out)) || !strings.Contains(got.out, `"month": 44530000`) {
		t.Errorf("%+v", got)
	}
}

func TestAnObservationIsAskedForInFull(t *testing.T) {
	var asked ObserveConfig
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"observe"}, "--region us-east-1"},
		{[]string{"observe", "--region", "r", "--role", "arn"}, "--role and --external-id go together"},
		{[]string{"observe", "--region", "r", "--external-id", "x"}, "--role and --external-id go together"},
		{[]string{"observe", "--region", "r", "-o", "htm"}, "html"},
		{[]string{"observe", "web"}, "web"},
	} {
		if got := neap(t, nil, observing(&asked, `{"month":44530000}`), c.args...); got.code != ExitUsage || !strings.Contains(got.err, c.want) || len(asked.Regions) > 0 {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
	denied := Hooks{Observe: func(context.Context, ObserveConfig) (Observed, error) {
		return Observed{}, fault.Of(fault.Denied, "cloud", "The credentials may read nothing.")
	}}
	if got := neap(t, nil, denied, "observe", "--region", "r"); got.code != ExitRefused || got.err != "neap: The credentials may read nothing.\n" {
		t.Errorf("%+v", got)
	}
}
