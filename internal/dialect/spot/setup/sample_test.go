package setup_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// sample is a published request and its published answer.
type sample struct {
	name, method, path string
	more               []string // members that our items have beyond the published ones
}

func file(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

// correction is one place where a published sample breaks a rule.
type correction struct{ sample, fault, set, to string }

func corrections(t *testing.T) (list []correction) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(file(t, "corrections.tsv")), "\n")[1:] {
		cells := strings.Split(line, "\t")
		if len(cells) != 5 {
			t.Fatalf("bad line %q", line)
		}
		list = append(list, correction{cells[0], cells[1], cells[2], cells[3]})
	}
	return list
}

// corrected puts a value at a path of a body.
func corrected(t *testing.T, body any, c correction) any {
	t.Helper()
	steps := strings.Split(c.set, ".")
	at := body.(object)
	for _, step := range steps[:len(steps)-1] {
		at = at[step].(object)
	}
	at[steps[len(steps)-1]] = decoded(t, c.to)
	return body
}

func samples() []sample {
	return []sample{
		{"create-account", "POST", "/setup/account", nil},
		{"create-organization", "POST", "/setup/organization", nil},
		{"create-access-policy", "POST", "/setup/access/policy", nil},
		{"list-access-policies", "GET", "/setup/access/policy?accountId=FIRST", []string{"type"}},
		{"update-access-policy", "PUT", "/setup/access/policy/POLICY", nil},
		{"create-user", "POST", "/setup/user?generateToken=true", nil},
		{"create-programmatic-user", "POST", "/setup/user/programmatic", nil},
		{"create-user-group", "POST", "/setup/access/userGroup", nil},
		{"assign-users-to-accounts", "POST", "/setup/accountUserMapping?accountId=FIRST", nil},
		{"get-users", "GET", "/setup/user", nil},
		{"get-user-mapping", "GET", "/setup/accountUserMapping?userEmail=ada@example.com", []string{"permissionStrategy", "policyIds[]"}},
		{"users-permissions", "GET", "/setup/user/permission?accountId=FIRST", nil},
		{"create-external-id-aws", "POST", "/setup/credentials/aws/externalId?accountId=FIRST", []string{"accountId"}},
		{"set-credentials-aws", "POST", "/setup/credentials/aws?accountId=FIRST", nil},
		{"list-accounts", "GET", "/setup/account", []string{"id", "cloudProvider", "createdAt"}},
		{"set-credentials-gcp", "POST", "/gcp/setup/credentials?accountId=FIRST", nil},
		{"audit-events", "GET", "/audit/events?fromDate=2020-01-01&toDate=2099-01-01", nil},
		{"set-credentials-azure", "POST", "/azure/setup/credentials?accountId=FIRST", nil},
	}
}

// Samples are sent as they were published, but for ids, which become those of what is there, and for the listed corrections. What is answered has the published
// members, of the published types.
func TestThePublishedSamplesAreAnsweredInTheirShape(t *testing.T) {
	w := begin(t)
	ada, robot := w.person("ada@example.com", object{"role": "editor"}), w.program("robot", nil)
	one := w.policy("One", statement("ALLOW", []string{"elastigroup:*"}, "*"))
	two := w.policy("Two", statement("ALLOW", []string{"ocean:*"}, "*"))
	ids := strings.NewReplacer("FIRST", w.first, "POLICY", two,
		"act-123abc", w.first, "act-12345678", w.first, "act-87654321", w.second, "act-123\"", w.first+`"`,
		"pu-12345678", robot.id, "u-12345678", ada.id, "u-1234\"", ada.id+`"`, "pol-12345678", one, "pol-87654321", two)
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			w.t, w.T = t, t
			var body any
			if s.method != "GET" && s.name != "create-external-id-aws" {
				body = decoded(t, ids.Replace(file(t, "samples/"+s.name+".request.json")))
			}
			path := ids.Replace(s.path)
			for _, c := range corrections(t) {
				if c.sample == s.name {
					w.refused("the sample as published", c.fault, "", w.Call(s.method, path, body))
					body = corrected(t, body, c)
				}
			}
			published := decoded(t, file(t, "samples/"+s.name+".response.json")).(object)["response"].(object)
			answered := w.Must(s.method, path, body).Body["response"].(object)
			if published["kind"] != answered["kind"] {
				t.Errorf("the kind is %v, published is %v", answered["kind"], published["kind"])
			}
			want, _ := published["items"].([]any)
			got, _ := answered["items"].([]any)
			if len(want) > 0 != (len(got) > 0) {
				t.Fatalf("%d items, published are %d", len(got), len(want))
			}
			if wrong := differ("items", shape(want), shape(got), s.more); len(wrong) > 0 {
				t.Errorf("%s\ngot %v", strings.Join(wrong, "\n"), got)
			}
		})
	}
}

// shape is the type of a value, and of what it holds, by path: that of list elements together.
func shape(value any) map[string]string {
	found := map[string]string{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case []any:
			for _, element := range value {
				walk(path+"[]", element)
			}
		case object:
			for name, member := range value {
				walk(path+"."+name, member)
			}
		case nil:
			if found[path] == "" {
				found[path] = "null"
			}
		default:
			found[path] = fmt.Sprintf("%T", value)
		}
	}
	walk("", value)
	return found
}

func differ(at string, want, got map[string]string, more []string) (wrong []string) {
	for path, kind := range want {
		if got[path] != kind {
			wrong = append(wrong, fmt.Sprintf("%s%s is %q, published is %s", at, path, got[path], kind))
		}
	}
	for path := range got {
		if want[path] == "" && !slices.Contains(more, strings.TrimPrefix(path, "[].")) {
			wrong = append(wrong, fmt.Sprintf("%s%s is not published", at, path))
		}
	}
	slices.Sort(wrong)
	return wrong
}
