package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is what the tests' clock shows.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// server answers from a table of "METHOD /path" and remembers what it was asked.
type server struct {
	*httptest.Server
	answers map[string]reply
	then    map[string]reply // answers to the second question on
	states  []reply          // answers to questions for jobs in some states, one after the other; the last again and again
	seen    func(line string)
	mu      sync.Mutex
	asked   []asked
	agent   string // that asked last
}

type reply struct {
	status int // 0 = 200
	body   string
	header map[string]string
}

type asked struct {
	line, token, dryRun, body string
}

func serve(t *testing.T, answers map[string]reply) *server {
	t.Helper()
	s := &server{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.asked = append(s.asked, asked{r.Method + " " + r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("Neap-Dry-Run"), string(body)})
		s.agent = r.UserAgent()
		answer, ok := s.answers[r.Method+" "+r.URL.EscapedPath()]
		if next, is := s.then[r.Method+" "+r.URL.EscapedPath()]; is {
			s.answers[r.Method+" "+r.URL.EscapedPath()] = next
		}
		if r.URL.Query().Has("state") && len(s.states) > 0 {
			answer, ok = s.states[0], true
			s.states = s.states[min(1, len(s.states)-1):]
		}
		s.mu.Unlock()
		if s.seen != nil {
			s.seen(r.Method + " " + r.URL.RequestURI())
		}
		if !ok {
			answer = refused(400, "CANT_FIND", "There is nothing here.", "")
		}
		for name, value := range answer.header {
			w.Header().Set(name, value)
		}
		if answer.status != 0 {
			w.WriteHeader(answer.status)
		}
		if _, err := io.WriteString(w, answer.body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// requests are the request lines so far, without those that only ask who answers.
func (s *server) requests() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []asked
	for _, a := range s.asked {
		if !strings.Contains(a.line, " /neap/v1/status") {
			found = append(found, a)
		}
	}
	return found
}

// spot wraps items in the Spot envelope.
func spot(items ...string) reply {
	return reply{body: `{"request":{"id":"req-1","url":"/","method":"GET","timestamp":"2026-03-01T12:00:00.000Z"},"response":{"status":{"code":200,"message":"OK"},"kind":"k","items":[` +
		strings.Join(items, ",") + `],"count":` + number(len(items)) + `}}`}
}

func refused(status int, code, message, field string) reply {
	body, err := json.Marshal(map[string]any{
		"request":  map[string]string{"id": "req-9"},
		"response": map[string]any{"status": map[string]any{"code": status, "message": "no"}, "errors": []map[string]string{{"code": code, "message": message, "field": field}}},
	})
	if err != nil {
		panic(err)
	}
	return reply{status: status, body: string(body)}
}

// outcome is what a command line did.
type outcome struct {
	code     int
	out, err string
}

// neap runs a command line against s (nil: none) as the tests' user would.
func neap(t *testing.T, s *server, hooks Hooks, args ...string) outcome {
	t.Helper()
	environ := []string{"NEAP_TOKEN=secret-1", "NEAP_DATA=" + t.TempDir()}
	if s != nil {
		environ = append(environ, "NEAP_URL="+s.URL)
	}
	return neapIn(t, environ, hooks, args...)
}

func neapIn(t *testing.T, environ []string, hooks Hooks, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	world := World{In: strings.NewReader(`{"from":"stdin"}`), Out: &out, Err: &errs, Environ: environ, Clock: clock.NewManual(noon())}
	code := Run(context.Background(), hooks, world, args)
	return outcome{code, out.String(), errs.String()}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the test with -update and read the change.\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

func operationsOfTests() []Operation {
	return []Operation{
		{Dialect: "spot", ID: "spot.elastigroup.aws.scaleUp", Method: "PUT", Path: "/aws/ec2/group/{groupId}/scale/up", Need: "elastigroup:scaleUp", N: 199, Title: "Scale Up", Mutates: true},
		{Dialect: "spot", ID: "spot.elastigroup.aws.read", Method: "GET", Path: "/aws/ec2/group/{groupId}", Need: "elastigroup:read", N: 183, Title: "List Elastigroup"},
		{Dialect: "spot", ID: "spot.thing.read", Method: "GET", Path: "/thing", Need: "thing:read", Title: "Read"},
		{Dialect: "neap", ID: "neap.thing.read", Method: "GET", Path: "/neap/v1/thing", Need: "thing:read", Title: "Read"},
	}
}

func operationsReply(t *testing.T) reply {
	t.Helper()
	body, err := json.Marshal(map[string]any{"items": operationsOfTests()})
	if err != nil {
		t.Fatal(err)
	}
	return reply{body: string(body)}
}

func hooksOfTests() Hooks {
	copies := copying(new([]string))
	return Hooks{
		AWSInit: func(AWSSetup) (string, error) { return "", nil },
		Backup:  copies.Backup, Restore: copies.Restore,
		Observe:    func(context.Context, ObserveConfig) (Observed, error) { return Observed{}, nil },
		Replay:     func(context.Context, ReplayConfig) (Replayed, error) { return Replayed{}, nil },
		Version:    "v1.2.3",
		Up:         func(context.Context, UpConfig) error { return nil },
		Operations: operationsOfTests,
		ResetToken: func(_ context.Context, c UpConfig) (string, error) {
			return "npt_new_for_" + filepath.Base(c.Data), nil
		},
		RotateKey: func(_ context.Context, c UpConfig) error {
			if len(c.NextKey) != len(c.Key) {
				return errors.New("the keys have different sizes")
			}
			return nil
		},
	}
}

func TestAWrongCommandLineExitsWithTwoAndSaysWhy(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"frobnicate"}, "unknown command"},
		{[]string{"get", "grups"}, `did you mean "groups"?`},
		{[]string{"get", "group"}, "accepts 1 arg"},
		{[]string{"get", "groups", "--sideways"}, "unknown flag: --sideways"},
		{[]string{"get", "groups", "-o", "jsn"}, `did you mean "json"?`},
		{[]string{"get", "groups", "--url", "nonsense"}, "is not an address"},
		{[]string{"token", "creat"}, `did you mean "create"?`},
		{[]string{"up", "--listen", "8080"}, `listen: "8080" is not host:port`},
		{[]string{"up", "--rate", "fast"}, "invalid argument"},
		{[]string{"explain"}, "accepts between 1 and 2 arg"},
		{[]string{"call", "x", "-f", "a", "-d", "{}"}, "leave one of them out"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			got := neap(t, nil, hooksOfTests(), c.args...)
			if got.code != ExitUsage || !strings.Contains(got.err, c.want) || !strings.Contains(got.err, "--help") || got.out != "" {
				t.Errorf("%+v; %q expected", got, c.want)
			}
		})
	}
}

func TestAServerThatDoesNotAnswerIsSaidToBeMissing(t *testing.T) {
	s := serve(t, nil)
	s.Close()
	got := neap(t, s, Hooks{}, "status")
	if got.code != ExitRefused || !strings.Contains(got.err, "No Neap answers at "+s.URL) || !strings.Contains(got.err, "neap up") {
		t.Errorf("%+v", got)
	}
}

func TestCommandsWithoutTheirHookDoNotExist(t *testing.T) {
	for _, args := range [][]string{{"up"}, {"operations"}, {"token", "reset"}} {
		if got := neap(t, nil, Hooks{}, args...); got.code != ExitUsage {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestParentsAloneShowTheirHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"get"}, {"token"}} {
		if got := neap(t, nil, hooksOfTests(), args...); got.code != ExitDone || !strings.Contains(got.out, "Available Commands") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestHelpOfServerCommandsLeavesClientFlagsOut(t *testing.T) {
	got := neap(t, nil, hooksOfTests(), "up", "--help")
	if strings.Contains(got.out, "--token") || !strings.Contains(got.out, "--no-demo") {
		t.Error(got.out)
	}
	if got := neap(t, nil, hooksOfTests(), "get", "groups", "--help"); !strings.Contains(got.out, "--token") {
		t.Error(got.out)
	}
}

func TestCompletionKnowsOperationsAndTheirParameters(t *testing.T) {
	if got := neap(t, nil, hooksOfTests(), "__complete", "call", ""); !strings.Contains(got.out, "spot.elastigroup.aws.scaleUp\tScale Up") {
		t.Error(got.out)
	}
	if got := neap(t, nil, hooksOfTests(), "__complete", "call", "spot.elastigroup.aws.scaleUp", ""); !strings.Contains(got.out, "groupId=") {
		t.Error(got.out)
	}
	if got := neap(t, nil, hooksOfTests(), "completion", "bash"); got.code != ExitDone || !strings.Contains(got.out, "__start_neap") {
		t.Error(got.err)
	}
}
