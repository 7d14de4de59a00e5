package cli

import (
	"reflect"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestAWSInitPrintsWhatItsHookWrites(t *testing.T) {
	var got AWSSetup
	hooks := Hooks{AWSInit: func(c AWSSetup) (string, error) {
		got = c
		return "text\n", nil
	}}
	if ran := neap(t, nil, hooks, "aws", "init"); ran.code != ExitDone || ran.out != "text\n" {
		t.Errorf("%+v", ran)
	}
	if want := (AWSSetup{Format: "cloudformation", Regions: []string{"us-east-1"}, Role: "Neap", Queue: "neap-notices"}); !reflect.DeepEqual(got, want) {
		t.Errorf("without flags: %+v", got)
	}
	neap(t, nil, hooks, "aws", "init", "--format", "terraform", "--region", "eu-west-1,eu-west-2", "--region", "us-east-1", "--principal", "p", "--external-id", "e",
		"--role-name", "r", "--queue-name", "q", "--read-only", "--any-instance")
	want := AWSSetup{Format: "terraform", Regions: []string{"eu-west-1", "eu-west-2", "us-east-1"}, Principal: "p", ExternalID: "e", Role: "r", Queue: "q", ReadOnly: true, AnyInstance: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("with all flags: %+v", got)
	}
}

func TestAWSInitSaysWhichFlagIsWrong(t *testing.T) {
	hooks := Hooks{AWSInit: func(AWSSetup) (string, error) { return "", fault.Field("region", "There is no such region.") }}
	ran := neap(t, nil, hooks, "aws", "init")
	if ran.code != ExitUsage || ran.out != "" || !strings.Contains(ran.err, "region: There is no such region.") {
		t.Errorf("%+v", ran)
	}
}
