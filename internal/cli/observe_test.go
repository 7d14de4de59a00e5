package cli

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

// surveyOfTests is a report with a group that would become cheaper, an instance apart, and a gap.
const surveyOfTests = `{"regions":["us-east-1"],"total":{"groups":1,"instances":2,"moves":1,"guessed":1,
"onDemand":{"hour":192000,"month":140160000},"now":{"hour":192000,"month":140160000},"planned":{"hour":131000,"month":95630000},
"savingAgainstOnDemand":{"hour":61000,"month":44530000,"percent":31.8},"savingAgainstNow":{"hour":61000,"month":44530000,"percent":31.8}},
"groups":[{"name":"web\u001b[31m","region":"us-east-1","moves":1,"steps":1,
"onDemand":{"hour":192000,"month":140160000},"now":{"hour":192000,"month":140160000},"planned":{"hour":131000,"month":95630000},
"savingAgainstOnDemand":{"hour":61000,"month":44530000,"percent":31.8},"savingAgainstNow":{"hour":61000,"month":44530000,"percent":31.8},
"present":{"instances":2,"onDemand":2,"risk":0,"parts":[{"count":2,"type":"m5.large","zone":"us-east-1a","lifecycle":"on-demand","price":96000,"source":"catalogue"}]},
"future":{"instances":2,"onDemand":1,"risk":0.025,"parts":[{"count":1,"type":"m5.large","zone":"us-east-1a","lifecycle":"on-demand","price":96000,"source":"catalogue"},
{"count":1,"type":"m5a.large","zone":"us-east-1b","lifecycle":"spot","price":35000,"source":"catalogue"}]},
"why":["In place of i-1: spot m5a.large."],"obstacles":[{"kind":"oneZone","text":"All of it is in one zone."}],"leftOut":[{"instance":"i-3","why":"No price."}]}],
"apart":{"singles":1,"now":{"hour":10000,"month":7300000},"unpriced":0,"leftOut":1,"managed":2,"stopped":3},
"singles":[{"instance":"i-9","name":"bastion","type":"t3.micro","zone":"us-east-1a","lifecycle":"on-demand","price":10000,"onDemand":10000}],
"gaps":[{"region":"us-east-1","needs":["ec2:DescribeSpotPriceHistory"],"reason":"Denied.","leftOut":"Today's spot prices."}]}`

// observing remembers how it was asked.
func observing(asked *ObserveConfig, report string) Hooks {
	return Hooks{Observe: func(_ context.Context, c ObserveConfig) (Observed, error) {
		*asked = c
		page := func(w io.Writer) error {
			_, err := io.WriteString(w, "<!doctype html>\n")
			return err
		}
		return Observed{Report: json.RawMessage(report), Page: page}, nil
	}}
}

func TestAnObservationIsShownWithItsBaselineAndWhatItDoesNotCover(t *testing.T) {
	var asked ObserveConfig
	got := neap(t, nil, observing(&asked, surveyOfTests), "observe", "--region", "us-east-1", "--region", "eu-west-1", "--role", "arn:aws:iam::123456789012:role/N", "--external-id", "x1")
	if got.code != ExitDone || !slices.Equal(asked.Regions, []string{"us-east-1", "eu-west-1"}) || asked.Role == "" || asked.ExternalID != "x1" {
		t.Fatalf("%+v %+v", got, asked)
	}
	for _, wanted := range []string{
		"web[31m  us-east-1  2          2 -> 1     $140.16    $95.63      $44.53  31.8%   2.5%      catalogue    2\n",
		"Saving: $44.53 a month (31.8%) against now; $44.53 (31.8%) against the same instances all on demand at list price, $140.16.",
		"1 of the groups stand on the catalogue's spot prices",
		"Not in these figures: 1 instances in no group ($7.30 a month now",
		"Not in these figures: 1 members of groups that could not be counted.",
		"Not in these figures: 2 instances that a Neap keeps already.",
		"Not in these figures: 3 instances that are stopped.",
		"Left out in us-east-1: Today's spot prices.\n  Denied. It takes ec2:DescribeSpotPriceHistory.",
	} {
		if !strings.Contains(got.out, wanted) {
			t.Errorf("%q is missing in\n%s", wanted, got.out)
		}
	}
	if strings.Contains(got.out, "\x1b") || strings.Contains(got.out, "why:") {
		t.Errorf("%q", got.out)
	}
}

func TestAnObservedGroupIsExplained(t *testing.T) {
	var asked ObserveConfig
	got := neapIn(t, []string{"AWS_REGION=eu-west-1"}, observing(&asked, surveyOfTests), "observe", "--group", "web", "-o", "wide")
	if got.code != ExitDone || asked.Group != "web" || !slices.Equal(asked.Regions, []string{"eu-west-1"}) {
		t.Fatalf("%+v %+v", got, asked)
	}
	for _, wanted := range []string{"with Neap: 1 x m5a.large", "$0.035/h each  (catalogue)", "why: In place of i-1", "note: All of it is in one zone.", "left out: i-3: No price.", "BASELINE/MONTH", "bastion"} {
		if !strings.Contains(got.out, wanted) {
			t.Errorf("%q is missing in\n%s", wanted, got.out)
		}
	}
}

func TestAnObservationIsAPageOrADocument(t *testing.T) {
	var asked ObserveConfig
	if got := neap(t, nil, observing(&asked, surveyOfTests), "observe", "--region", "r", "-o", "html"); got.code != ExitDone || got.out != "<!doctype html>\n" {
		t.Errorf("%+v", got)
	}
	if got := neap(t, nil, observing(&asked, surveyOfTests), "observe", "--region", "r", "-o", "json"); got.code != ExitDone || !json.Valid([]byte(got.out)) || !strings.Contains(got.out, `"month": 44530000`) {
		t.Errorf("%+v", got)
	}
	got := neap(t, nil, observing(&asked, `{"regions":["eu-west-1"]}`), "observe", "--region", "eu-west-1")
	if got.out != "No scaling group was found in eu-west-1.\n" {
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
		if got := neap(t, nil, observing(&asked, surveyOfTests), c.args...); got.code != ExitUsage || !strings.Contains(got.err, c.want) || len(asked.Regions) > 0 {
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
