package app_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
)

// journal of everything that the process says.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// planted are secrets that clients hand in, by where.
var planted = []string{
	"Canary-password-1", "Canary-wrong-password-1", "canary-private-key", "canary-azure-secret", "canary-refused-azure-secret", "canary-webhook-secret", "canary-unknown-token", "canary-user-data",
	"canary-cmpute-secret", "canary-query-token", "canary-client-secret",
}

func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	data, output := t.TempDir(), &said{}
	n := apptest.Start(t, func(c *app.Config) {
		c.Data = data
		c.Log = slog.New(slog.NewJSONHandler(output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	account := "accountId=" + n.Account.ID
	var answers []apptest.Answer
	send := func(method, path, body string, headers ...string) apptest.Answer {
		var content any
		if body != "" {
			content = body
		}
		a := n.Call(method, path, content, headers...)
		answers = append(answers, a)
		return a
	}
	send("POST", "/setup/user", `{"firstName":"Ada","lastName":"Byron","email":"ada@example.com","role":"viewer","password":"Canary-password-1"}`)
	send("POST", "/setup/user", `{"firstName":"Ada","lastName":"Byron","email":"ada@example.com","role":"viewer","password":"Canary-password-1"}`)
	send("POST", "/neap/v1/sign-in", `{"email":"ada@example.com","password":"Canary-wrong-password-1"}`)
	send("POST", "/gcp/setup/credentials?"+account, `{"serviceAccount":{"type":"service_account","project_id":"my-project-1","private_key":"canary-private-key","client_email":"a@b"}}`)
	send("POST", "/gcp/setup/credentials/validation?"+account, `{"serviceAccount":{"type":"wrong","private_key":"canary-private-key"}}`)
	send("POST", "/azure/setup/credentials?"+account, `{"clientId":"c","clientSecret":"canary-azure-secret","tenantId":"t","subscriptionId":"s"}`)
	send("POST", "/azure/setup/credentials?"+account, `{"clientSecret":"canary-refused-azure-secret"}`)
	send("POST", "/neap/v1/webhooks?"+account, `{"url":"https://example.com/x","secret":"canary-webhook-secret","name":"ci"}`)
	send("GET", "/setup/user", "", "Authorization", "Bearer canary-unknown-token")
	send("GET", "/api/accounts", "", "Authorization", "ApiKey neapkey-00000000:canary-cmpute-secret")
	send("POST", "/add-user?token=canary-query-token", `{"user":"ada"}`)
	send("POST", "/2016-07/refresh_tokens", `{"client_id":"tok-00000000","client_secret":"canary-client-secret"}`)
	send("POST", "/aws/ec2/group?"+account, `{"group":{"name":"x","compute":{"launchSpecification":{"userData":"canary-user-data"}}}}`)

	// What Neap itself gives out is shown once, in the answer that makes it.
	var given []string
	for _, kind := range []string{"spot", "cmpute", "vendor"} {
		a := n.Must("POST", "/neap/v1/tokens", fmt.Sprintf(`{"name":%q,"for":%q}`, kind, kind))
		secret, _ := a.Body["secret"].(string)
		_, part, _ := strings.Cut(secret, ":")
		given = append(given, secret)
		if part != "" {
			given = append(given, part)
		}
	}
	n.Must("GET", "/setup/account?x=1", nil, "Authorization", "Bearer "+given[0])
	signed := n.Must("POST", "/neap/v1/sign-in", `{"email":"ada@example.com","password":"Canary-password-1"}`)
	given = append(given, signed.Body["secret"].(string))

	for _, o := range app.Operations() { // whatever can be read without naming an object
		if o.Method == http.MethodGet && !strings.Contains(o.Path, "{") && o.Dialect != "mapsor" && o.Dialect != "cmpute" {
			answers = append(answers, n.Call(o.Method, o.Path+"?fromDate=2020-01-01&toDate=2099-01-01", nil))
		}
	}
	n.Until("the audit is sealed", time.Minute, func() bool { return n.Call("GET", "/neap/v1/audit/export", nil).Status == http.StatusOK })
	answers = append(answers, n.Must("GET", "/neap/v1/audit/export", nil))

	secrets := append(slices.Clone(planted), n.Admin)
	for _, a := range answers {
		expect(t, "an answer", a.Raw, append(secrets, given...))
	}
	output.mu.Lock()
	expect(t, "the log", output.text.Bytes(), append(secrets, given...))
	output.mu.Unlock()
	known := []string{"admin-token", "server.key"} // where they have to be
	err := filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || slices.Contains(known, entry.Name()) {
			return err
		}
		content, err := os.ReadFile(path)
		expect(t, entry.Name(), content, append(secrets, given...))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(output.text.String(), `"operation":"spot.`) {
		t.Error("the log says nothing of requests, so its silence proves nothing")
	}
}

// expect looks for secrets where none may be.
func expect(t *testing.T, where string, content []byte, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		at := bytes.Index(content, []byte(secret))
		if at < 0 {
			continue
		}
		t.Errorf("%s shows %q: …%s…", where, secret, content[max(0, at-100):min(len(content), at+150)])
	}
}
