package cmpute_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/identity"
)

type sample struct {
	Title   string
	Request struct {
		Method, Path string
		Body         json.RawMessage
	}
	Response struct {
		Status int
		Body   json.RawMessage
	}
}

// corrections are where a published sample breaks a published rule.
func corrections() map[string][2]string {
	return map[string][2]string{
		// Three fields are required; the answer to the sample as it is names two that are missing.
		"missing name": {`"BaseRegion": "us-east-1"`, `"BaseRegion": "us-east-1", "RoleArn": "` + roleArn + `"`},
	}
}

// TestPublishedSamplesAreAnsweredAsPublished plays each sample in an organisation that has what the sample speaks of, and only differs in ids.
func TestPublishedSamplesAreAnsweredAsPublished(t *testing.T) {
	for _, file := range []string{"accounts", "users", "teams"} {
		content, err := os.ReadFile("testdata/samples/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var samples []sample
		if err := json.Unmarshal(content, &samples); err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			t.Run(file+"/"+s.Title, func(t *testing.T) { s.play(t, file) })
		}
	}
}

func (s sample) play(t *testing.T, file string) {
	ana := start(t)
	ana.crew("Crew One", ana)
	ids := []string{"/89", "/" + fmt.Sprint(ana.id.Number), `"Id": 89`, fmt.Sprintf(`"Id": %d`, ana.id.Number), "Z-01F2C9B4", ana.team("Organization")}
	if file+"/"+s.Title != "teams/create" {
		ids = append(ids, "Z-7EA3AF3D", ana.crew("Crew", ana))
	}
	if file+"/"+s.Title != "users/create" {
		ana.join(t, "bo@acme.example", identity.TeamEditor)
	}
	if s.Title != "attach" {
		ids = append(ids, "A-4C1D09E2", ana.attach("Acme dev"))
	}
	if correction, is := corrections()[s.Title]; is {
		s.Request.Body = json.RawMessage(strings.Replace(string(s.Request.Body), correction[0], correction[1], 1))
	}
	var body any
	if s.Request.Body != nil {
		body = string(s.Request.Body)
	}
	caller := ana
	if s.Title == "bad key" {
		caller.key = "X:Y"
	}
	got := caller.call(s.Request.Method, strings.NewReplacer(ids...).Replace(s.Request.Path), body)
	if got.Status != s.Response.Status {
		t.Fatalf("%d %s, want %d", got.Status, got.Raw, s.Response.Status)
	}
	if s.Title == "attach" {
		ids = append(ids, "A-4C1D09E2", got.Body["Data"].(map[string]any)["Id"].(string))
	}
	if got.Header.Get("X-Request-Id") != got.Body["RequestId"] {
		t.Errorf("the header says X-Request-Id: %s, the body %s", got.Header.Get("X-Request-Id"), got.Body["RequestId"])
	}
	differ(t, "", read(t, []byte(strings.NewReplacer(ids...).Replace(string(s.Response.Body)))), read(t, got.Raw))
}

// read keeps numbers as they are written.
func read(t *testing.T, text []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

var requestForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// differ compares an answer with a sample: objects have the same members, lists all items of the sample, errors are about the same fields.
func differ(t *testing.T, at string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, is := got.(map[string]any)
		if !is || len(g) != len(w) {
			t.Errorf("%s is %v, want %v", at, got, want)
			return
		}
		for name, value := range w {
			if _, is := g[name]; !is {
				t.Errorf("%s has no %s: %v", at, name, got)
			}
			differ(t, at+"."+name, value, g[name])
		}
	case []any:
		g, is := got.([]any)
		if !is || len(g) == 0 {
			t.Errorf("%s is %v, want %v", at, got, want)
			return
		}
		if strings.HasPrefix(at, ".Errors") || strings.HasPrefix(at, ".ModelState") {
			return // in words of our own
		}
		for n, item := range w {
			if !slices.ContainsFunc(g, func(one any) bool { return fmt.Sprint(one) == fmt.Sprint(item) }) {
				t.Errorf("%s[%d] %v is not in %v", at, n, item, g)
			}
		}
	default:
		if text, _ := got.(string); at == ".RequestId" && requestForm.MatchString(text) {
			return
		}
		if got != want {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}
}
