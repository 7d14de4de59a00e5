package setup

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/neap-cloud/neap/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

func write(t *testing.T, c Config) string {
	t.Helper()
	text, err := Write(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// whole is a configuration in which nothing is left to chance.
func whole(format string) Config {
	return Config{Format: format, Regions: []string{"eu-west-1", "us-east-1"}, Principal: "arn:aws:iam::123456789012:user/neap", ExternalID: "spotinst:aws:extid:0f1e", Role: "Neap"}
}

// shape is a CloudFormation template, as far as the tests look.
type shape struct {
	Parameters map[string]struct {
		Default string `yaml:"Default"`
	} `yaml:"Parameters"`
	Resources map[string]struct {
		Type      string `yaml:"Type"`
		Condition string `yaml:"Condition"`
	} `yaml:"Resources"`
}

func read(t *testing.T, text string) shape {
	t.Helper()
	var s shape
	if err := yaml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return s
}

func TestTheTemplatesAreWhatWasReviewed(t *testing.T) {
	for name, c := range map[string]Config{"testdata/neap.yaml": whole(CloudFormation), "testdata/neap.tf": whole(Terraform)} {
		if err := c.complete(); err != nil {
			t.Fatal(err)
		}
		got, err := c.fill(map[string]string{CloudFormation: cloudFormation, Terraform: terraform}[c.Format], "{\n  \"the policy\": []\n}")
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is out of date; look through it, and run: go test ./internal/cloud/aws/setup -update. Now it is:\n%s", name, got)
		}
	}
}

func TestACloudFormationTemplateHoldsTheRoleTheQueueAndTheRule(t *testing.T) {
	s := read(t, write(t, whole(CloudFormation)))
	kinds := map[string]bool{}
	for _, r := range s.Resources {
		kinds[r.Type] = true
	}
	for _, kind := range []string{"AWS::IAM::Role", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::Events::Rule"} {
		if !kinds[kind] {
			t.Errorf("no %s among %v", kind, kinds)
		}
	}
	if s.Parameters["Principal"].Default != "arn:aws:iam::123456789012:user/neap" || s.Parameters["ExternalId"].Default != "spotinst:aws:extid:0f1e" {
		t.Errorf("%+v", s.Parameters)
	}
	if s.Resources["Role"].Condition != "IsHome" {
		t.Error("each region's stack would make the role, which the account has once")
	}
	if bare := read(t, write(t, Config{})); bare.Parameters["Principal"].Default != "" || len(bare.Parameters) != 2 {
		t.Errorf("what was not given is not asked for: %+v", bare.Parameters)
	}
}

func TestToLookOnNeedsNoQueueAndChangesNothing(t *testing.T) {
	for _, format := range Formats() {
		text := write(t, Config{Format: format, ReadOnly: true})
		for _, word := range []string{"sqs", "Terminate", "Create", "RunInstances"} {
			if strings.Contains(text, ":"+word) || strings.Contains(text, "aws_sqs") || strings.Contains(text, "AWS::SQS") {
				t.Errorf("%s speaks of %s:\n%s", format, word, text)
			}
		}
		if !strings.Contains(text, "ec2:DescribeInstanceTypes") {
			t.Errorf("%s may not look", format)
		}
	}
}

func TestThePolicyAloneIsJSON(t *testing.T) {
	for _, c := range []Config{{Format: Policy}, {Format: Policy, AnyInstance: true, Queue: "other"}, {Format: Policy, Regions: []string{"cn-north-1"}}} {
		text := write(t, c)
		if !json.Valid([]byte(text)) {
			t.Errorf("%s", text)
		}
		if c.Queue != "" && !strings.Contains(text, "arn:aws:sqs:*:*:other") || len(c.Regions) > 0 && !strings.Contains(text, "arn:aws-cn:sqs:*:*:neap-notices") {
			t.Errorf("%+v: %s", c, text)
		}
	}
}

func TestTerraformHasOneOfEachInEveryRegionAndIsBalanced(t *testing.T) {
	text := write(t, whole(Terraform))
	for _, block := range []string{
		`provider "aws" {`, `resource "aws_iam_role" "neap" {`, `resource "aws_sqs_queue" "eu_west_1" {`, `resource "aws_sqs_queue" "us_east_1" {`,
		`resource "aws_cloudwatch_event_rule" "us_east_1" {`, `resource "aws_cloudwatch_event_target" "us_east_1" {`, `resource "aws_sqs_queue_policy" "us_east_1" {`,
	} {
		if !strings.Contains(text, block) {
			t.Errorf("no %s in:\n%s", block, text)
		}
	}
	if strings.Contains(text, "${") || strings.Contains(text, "{{") || strings.Contains(text, "<no value>") {
		t.Error("something was not filled in, or would be read as an expression")
	}
	var open []rune
	isQuoted := false
	for _, r := range text {
		switch {
		case r == '"':
			isQuoted = !isQuoted
		case isQuoted || !strings.ContainsRune("(){}[]", r):
		case strings.ContainsRune("({[", r):
			open = append(open, r)
		case len(open) == 0 || open[len(open)-1] != map[rune]rune{')': '(', '}': '{', ']': '['}[r]:
			t.Fatalf("%q closes nothing", r)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || isQuoted {
		t.Errorf("%q stay open", open)
	}
}

func TestWhatCannotBeIsRefusedAllAtOnce(t *testing.T) {
	_, err := Write(Config{
		Format: "pulumi", Regions: []string{"eu-west-1", "eu-west-1", "mars", "cn-north-1"}, Principal: `x"`, ExternalID: "\n", Role: "a b", Queue: "a.fifo",
	})
	var fields []string
	if f := fault.As(err); fault.Is(err, fault.Invalid) {
		fields = append(fields, f.Field)
		for _, other := range f.Others {
			fields = append(fields, other.Field)
		}
	}
	if want := []string{"format", "region", "region", "region", "role-name", "queue", "principal", "external-id"}; !slices.Equal(fields, want) {
		t.Errorf("%v, %v", fields, err)
	}
}
