package mapsor_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/identity"
)

// post sends a request whose only credential is the token in its address.
func post(n *apptest.Neap, path, token, body string) apptest.Answer {
	n.T.Helper()
	if token != "" {
		path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "token=" + token
	}
	return n.Call("POST", path, body, "Authorization", "")
}

func must(n *apptest.Neap, status int, path, token, body string) map[string]any {
	n.T.Helper()
	answer := post(n, path, token, body)
	if answer.Status != status {
		n.T.Fatalf("%s: %d %s, want %d", path, answer.Status, answer.Raw, status)
	}
	return answer.Body
}

func code(body map[string]any) string {
	problem, _ := body["error"].(map[string]any)
	text, _ := problem["code"].(string)
	return text
}

// valid reports whether a token is anybody's.
func valid(n *apptest.Neap, token string) bool {
	n.T.Helper()
	return n.Call("GET", "/2016-07/user", nil, "Authorization", "Bearer "+token).Status == http.StatusOK
}

func TestTheSamplesOfUsersAreAnsweredAsPublished(t *testing.T) {
	n := apptest.Start(t)
	token := n.Admin
	for _, title := range []string{"create", "create monitor", "duplicate", "no token", "operator calls admin op", "regenerate", "disable", "enable"} {
		s := dialecttest.Find(t, "users", title, "<token>", token)
		if title == "operator calls admin op" {
			operator := must(n, 201, "/add-user", token, `{"user":"op"}`)["token"].(string)
			s = dialecttest.Find(t, "users", title, "<token>", operator)
		}
		answer := n.Call(s.Request.Method, s.Request.Path, string(s.Request.Body), "Authorization", "")
		s.Agrees(t, answer.Status, answer.Raw, "token", "message")
	}
}

func TestRolesAreThoseOfEveryDialect(t *testing.T) {
	n := apptest.Start(t)
	inst, err := n.Identity.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]identity.Role{"": identity.Operator, "?role=operator": identity.Operator, "?role=monitor": identity.Monitor, "?role=admin": identity.Admin} {
		name := "robot" + strings.TrimPrefix(query, "?role=")
		must(n, 201, "/add-user"+query, n.Admin, `{"user":"`+name+`"}`)
		u, err := n.Identity.FindUser(t.Context(), inst.Organisation, name, func(u identity.User) bool { return u.Name == name })
		if err != nil || u.Role != want || !u.Program {
			t.Errorf("%s: %+v %v", query, u, err)
		}
	}
	if body := must(n, 400, "/add-user?role=owner", n.Admin, `{"user":"x"}`); code(body) != "BAD_REQUEST" {
		t.Errorf("an unknown role: %v", body)
	}
}

func TestATokenDiesWhenItIsReplacedOrItsUserDisabled(t *testing.T) {
	n := apptest.Start(t)
	bo := `{"user":"bo"}`
	first := must(n, 201, "/add-user?role=admin", n.Admin, bo)["token"].(string)
	if !valid(n, first) {
		t.Fatal("the new token is not valid")
	}
	second := must(n, 201, "/regenerate-token", n.Admin, bo)["token"].(string)
	if valid(n, first) || !valid(n, second) {
		t.Error("replacing a token leaves the old one valid, or the new one void")
	}
	for range 2 {
		must(n, 201, "/disable-user", n.Admin, bo)
	}
	if valid(n, second) {
		t.Error("a disabled user's token is valid")
	}
	third := must(n, 201, "/regenerate-token", n.Admin, bo)["token"].(string)
	if valid(n, third) {
		t.Error("a new token enables a disabled user")
	}
	for range 2 {
		must(n, 201, "/enable-user", n.Admin, bo)
	}
	if valid(n, second) || !valid(n, third) {
		t.Error("once enabled, the user has not the newest token alone")
	}
	if own := must(n, 201, "/regenerate-token", third, bo)["token"].(string); valid(n, third) || !valid(n, own) {
		t.Error("users cannot replace their own token")
	}
}

func TestTheLastEnabledAdministratorStays(t *testing.T) {
	n := apptest.Start(t)
	if body := must(n, 400, "/disable-user", n.Admin, `{"user":"owner"}`); code(body) != "LAST_ADMIN" {
		t.Errorf("%v", body)
	}
	token := must(n, 201, "/add-user?role=admin", n.Admin, `{"user":"second"}`)["token"].(string)
	must(n, 201, "/disable-user", token, `{"user":"owner"}`)
	if body := must(n, 400, "/disable-user", token, `{"user":"second"}`); code(body) != "LAST_ADMIN" {
		t.Errorf("%v", body)
	}
}

func TestBadRequestsAreRefusedWithACodeAndASentence(t *testing.T) {
	n := apptest.Start(t)
	must(n, 201, "/add-user", n.Admin, `{"user":"bo"}`)
	for _, c := range []struct {
		path, token, body string
		status            int
		code              string
	}{
		{"/add-user", n.Admin, `{"user":"bo"}`, 409, "USER_EXISTS"},
		{"/add-user", n.Admin, `{"user":""}`, 400, "BAD_REQUEST"},
		{"/add-user", n.Admin, `{"user":"12"}`, 400, "BAD_REQUEST"},
		{"/add-user", n.Admin, `{"user":"a b"}`, 400, "BAD_REQUEST"},
		{"/add-user", n.Admin, `{"user":"` + strings.Repeat("a", 65) + `"}`, 400, "BAD_REQUEST"},
		{"/add-user", n.Admin, `{"user":7}`, 400, "BAD_REQUEST"},
		{"/add-user", n.Admin, `{}`, 400, "BAD_REQUEST"},
		{"/add-user", n.Admin, `{`, 400, "BAD_REQUEST"},
		{"/add-user", n.Admin, ``, 400, "BAD_REQUEST"},
		{"/regenerate-token", n.Admin, `{"user":"cy"}`, 400, "USER_NOT_FOUND"},
		{"/enable-user", n.Admin, `{"user":"cy"}`, 400, "USER_NOT_FOUND"},
		{"/disable-user", n.Admin, `{"user":"cy"}`, 400, "USER_NOT_FOUND"},
		{"/add-user", "", `{"user":"x"}`, 401, "UNAUTHORIZED"},
		{"/add-user", "nope", `{"user":"x"}`, 401, "UNAUTHORIZED"},
		{"/dev/nothing", n.Admin, `{}`, 404, "NOT_FOUND"},
	} {
		answer := post(n, c.path, c.token, c.body)
		if answer.Status != c.status || code(answer.Body) != c.code || answer.Body["error"].(map[string]any)["message"] == "" {
			t.Errorf("%s %.60s: %d %s", c.path, c.body, answer.Status, answer.Raw)
		}
	}
	header := n.Call("POST", "/add-user", `{"user":"x"}`) // with the administrator's token in the header
	if header.Status != 401 {
		t.Errorf("a token in the header gets %d", header.Status)
	}
}

func TestOnlyAdministratorsManageUsers(t *testing.T) {
	n := apptest.Start(t)
	for _, role := range []string{"operator", "monitor"} {
		token := must(n, 201, "/add-user?role="+role, n.Admin, `{"user":"robot-`+role+`"}`)["token"].(string)
		for _, path := range []string{"/add-user", "/regenerate-token", "/enable-user", "/disable-user"} {
			if body := must(n, 403, path, token, `{"user":"robot-`+role+`"}`); code(body) != "FORBIDDEN" {
				t.Errorf("%s as %s: %v", path, role, body)
			}
		}
	}
}

func TestUsersOfTheSameNameInTwoOrganisationsAreNotMistaken(t *testing.T) {
	n := apptest.Start(t)
	inst, err := n.Identity.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var admins, tokens []string
	for range 2 {
		of, err := n.Identity.AddOrganisation(t.Context(), inst.Organisation, "Acme")
		if err != nil {
			t.Fatal(err)
		}
		admin, _, err := n.Identity.CreateToken(t.Context(), of.ID, identity.NewToken{Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		admins, tokens = append(admins, admin), append(tokens, must(n, 201, "/add-user", admin, `{"user":"bo"}`)["token"].(string))
	}
	must(n, 201, "/disable-user", admins[0], `{"user":"bo"}`)
	if valid(n, tokens[0]) || !valid(n, tokens[1]) {
		t.Error("disabling a user reaches another organisation's of the same name")
	}
	must(n, 201, "/add-user", admins[0], `{"user":"cy"}`)
	must(n, 400, "/enable-user", admins[1], `{"user":"cy"}`)
}

// lines are what was logged; the engine logs beside the test.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is io.Writer's.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestTheTokenIsInNoLogLineAndNotInTheAudit(t *testing.T) {
	var log lines
	n := apptest.Start(t, func(c *app.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	secret := n.Admin[len("neap_00000000_"):]
	for _, path := range []string{"/dev/?token=" + n.Admin + "/add-user", "/?token=" + n.Admin + "/add-user?role=admin", "/?token=" + n.Admin + "/nothing", "/add-user?token=" + n.Admin, "/dev/add-user?x=%zz&token=" + n.Admin} {
		n.Call("POST", path, `{"user":"a"}`, "Authorization", "")
	}
	if text := log.String(); !strings.Contains(text, "mapsor.users.add") || strings.Contains(text, secret) {
		t.Errorf("the log lacks the operation or holds the token: %v", strings.Contains(text, secret))
	}
	if kept := string(n.Must("GET", "/neap/v1/audit", nil).Raw); !strings.Contains(kept, `"path":"/dev/"`) || strings.Contains(kept, secret) {
		t.Errorf("the audit lacks the calls or holds the token: %s", kept)
	}
}

func TestTheRootStaysAsItIs(t *testing.T) {
	n := apptest.Start(t)
	for path, status := range map[string]int{"/": 404, "/?token=x": 404, "/?token=x/neap/v1/status": 404} {
		if answer := n.Call("GET", path, nil); answer.Status != status || code(answer.Body) != "" {
			t.Errorf("GET %s: %d %s", path, answer.Status, answer.Raw)
		}
	}
	for _, path := range []string{"/healthz", "/metrics", "/openapi/", "/openapi/mapsor.json", "/openapi/compose.json"} {
		response, err := http.Get(n.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %d %v", path, response.StatusCode, err)
		}
	}
}
