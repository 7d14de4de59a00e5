package aws

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// services are IAM's names of the services whose packages are named otherwise, "" for what Neap's own identity calls and no role needs.
var services = map[string]string{"elasticloadbalancingv2": "elasticloadbalancing", "cloudwatchlogs": "logs", "sts": ""}

// implied are actions that another call needs, and that no call of ours is named after.
var implied = []string{"ec2:CreateTags", "iam:PassRole", "iam:CreateServiceLinkedRole", "batch:TagResource"}

// called are the actions of all operations whose input this folder makes.
func called(t *testing.T) map[string]bool {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.go", "feeds/*.go", "jobs/*.go"} {
		some, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	made := regexp.MustCompile(`\b([a-z0-9]+)\.([A-Z][A-Za-z]+)Input\b`)
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range made.FindAllStringSubmatch(string(source), -1) {
			service, known := services[match[1]]
			if !known {
				service = match[1]
			}
			if service != "" {
				found[service+":"+strings.TrimSuffix(match[2], "Batch")] = true
			}
		}
	}
	return found
}

func TestThePermissionsAreJustTheCallsThatAreMade(t *testing.T) {
	made, listed := called(t), map[string]bool{}
	for _, p := range granted() {
		if listed[p.action] || p.why == "" {
			t.Errorf("%s is listed twice, or without saying why", p.action)
		}
		listed[p.action] = true
		if !made[p.action] && !slices.Contains(implied, p.action) {
			t.Errorf("nothing calls %s: strike it from permissions.go", p.action)
		}
	}
	for action := range made {
		if !listed[action] {
			t.Errorf("%s is called; say in permissions.go what for", action)
		}
	}
}

func policyOf(t *testing.T, g Grant) policy {
	t.Helper()
	text, err := Policy(g)
	if err != nil {
		t.Fatal(err)
	}
	var p policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestThePolicyGrantsEveryPermissionAndFitsIntoARole(t *testing.T) {
	may := map[string]bool{}
	for _, s := range policyOf(t, Grant{}).Statement {
		for _, action := range s.Action {
			may[action] = true
		}
		if s.Effect != "Allow" || (len(s.Resource) == 0) == (len(s.NotResource) == 0) || !regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(s.Sid) {
			t.Errorf("%+v", s)
		}
	}
	for _, p := range granted() {
		if !may[p.action] {
			t.Errorf("%s is not granted", p.action)
		}
	}
	text, err := Policy(Grant{Queue: strings.Repeat("q", 80), Partition: "aws-us-gov"})
	if size := len(strings.Join(strings.Fields(text), "")); err != nil || size > 10_240 {
		t.Errorf("%d characters without blanks, %v: IAM takes 10,240 in a role", size, err)
	}
}

func TestToLookOnReadsAloneAreGranted(t *testing.T) {
	for _, s := range policyOf(t, Grant{ReadOnly: true}).Statement {
		for _, action := range s.Action {
			if _, verb, _ := strings.Cut(action, ":"); !regexp.MustCompile(`^(Describe|Get|List)`).MatchString(verb) || strings.HasPrefix(action, "sqs:") {
				t.Errorf("%s changes something", action)
			}
		}
	}
}

func TestOnlyOwnInstancesAreActedOnUnlessAllAreGranted(t *testing.T) {
	conditions := func(g Grant) map[string]string {
		by := map[string]string{}
		for _, s := range policyOf(t, g).Statement {
			for key := range s.Condition["StringLike"] {
				by[s.Sid] = key
			}
		}
		return by
	}
	own, all := conditions(Grant{}), conditions(Grant{AnyInstance: true})
	if own["ActOnOwnInstances"] != "aws:ResourceTag/neap:installation" || own["StartOwnInstances"] != "aws:RequestTag/neap:installation" || own["TagOwnThings"] == "" {
		t.Errorf("%v", own)
	}
	if all["ActOnOwnInstances"] != "" || all["TagOwnThings"] != "" || all["StartOwnInstances"] == "" || all["TagWhatIsMade"] == "" {
		t.Errorf("for any instance: %v", all)
	}
}
