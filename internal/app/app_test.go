package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/fault"
)

// config is a Neap on a folder of its own.
func config(folder string) app.Config {
	return app.Config{Version: "test", Data: folder, Seed: 1, Demo: true, Log: slog.New(slog.DiscardHandler)}
}

func start(t *testing.T, c app.Config) *app.App {
	t.Helper()
	a, err := app.Build(t.Context(), c)
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	if err := a.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("start: %v", err)
	}
	return a
}

func stop(t *testing.T, a *app.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func ask(a *app.App, token, path string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer := httptest.NewRecorder()
	a.Handler.ServeHTTP(answer, request)
	return answer
}

func TestARestartKeepsTheTokenTheAccountAndTheGroups(t *testing.T) {
	folder := t.TempDir()
	first := start(t, config(folder))
	if !first.First || first.Admin == "" {
		t.Fatal("the first start gives no admin token")
	}
	groups := ask(first, first.Admin, "/aws/ec2/group").Body.String()
	if !strings.Contains(groups, "demo-web") {
		t.Fatalf("there is no demo group: %s", groups)
	}
	stop(t, first)
	second := start(t, config(folder))
	defer stop(t, second)
	if second.First || second.Admin != "" {
		t.Error("a later start makes an admin token again")
	}
	if second.Account.ID != first.Account.ID {
		t.Errorf("the account was %s, and is %s", first.Account.ID, second.Account.ID)
	}
	again := ask(second, first.Admin, "/aws/ec2/group").Body.String()
	if strings.Count(again, `"name":"demo-web"`) != 1 {
		t.Errorf("the groups after a restart: %s", again)
	}
}

func TestWhatAPersonNeedsToGetInIsOnDiskForTheOwnerOnly(t *testing.T) {
	folder := t.TempDir()
	a := start(t, config(folder))
	defer stop(t, a)
	for name, want := range map[string]string{"admin-token": a.Admin, "demo-account": a.Account.ID} {
		path := filepath.Join(folder, name)
		text, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(text)) != want {
			t.Errorf("%s holds %q (%v), not %q", name, text, err, want)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
	}
}

func TestOneFolderServesOneNeap(t *testing.T) {
	folder := t.TempDir()
	a := start(t, config(folder))
	defer stop(t, a)
	_, err := app.Build(t.Context(), config(folder))
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a second Neap on the folder: %v", err)
	}
}

func TestReadinessAndMetricsTellTheTruth(t *testing.T) {
	a, err := app.Build(t.Context(), config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if answer := ask(a, "", "/readyz"); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("ready before the engine works: %d", answer.Code)
	}
	if answer := ask(a, "", "/healthz"); answer.Code != http.StatusOK {
		t.Errorf("not healthy: %d", answer.Code)
	}
	if err := a.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if answer := ask(a, "", "/readyz"); answer.Code != http.StatusOK {
		t.Errorf("not ready after the start: %d %s", answer.Code, answer.Body)
	}
	if text := ask(a, "", "/metrics").Body.String(); !strings.Contains(text, "neap_groups 1") {
		t.Errorf("the metrics don't count the demo group:\n%s", text)
	}
	stop(t, a)
	if answer := ask(a, "", "/readyz"); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("ready after it was stopped: %d", answer.Code)
	}
}

func TestTimeGoesOnFromWhereItWasWhenTheRateChanges(t *testing.T) {
	folder := t.TempDir()
	fast := config(folder)
	fast.Rate, fast.Demo = 100_000, false
	a := start(t, fast)
	token := a.Admin
	ahead := func(a *app.App) bool {
		var status struct{ Time time.Time }
		if err := json.Unmarshal(ask(a, token, "/neap/v1/status").Body.Bytes(), &status); err != nil {
			t.Fatal(err)
		}
		return status.Time.After(time.Now().Add(24 * time.Hour))
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ahead(a) {
		select {
		case <-deadline:
			t.Fatal("the engine's time does not run ahead")
		case <-tick.C:
		}
	}
	stop(t, a)
	slow := start(t, config(folder))
	defer stop(t, slow)
	if !ahead(slow) {
		t.Error("the engine's time jumped back")
	}
}

func TestALostAdminTokenIsReplacedOffline(t *testing.T) {
	folder := t.TempDir()
	a := start(t, config(folder))
	old := a.Admin
	stop(t, a)
	fresh, err := app.ResetToken(t.Context(), config(folder))
	if err != nil {
		t.Fatal(err)
	}
	again := start(t, config(folder))
	defer stop(t, again)
	if code := ask(again, old, "/aws/ec2/group").Code; code != http.StatusUnauthorized {
		t.Errorf("the old token still works: %d", code)
	}
	if code := ask(again, fresh, "/aws/ec2/group").Code; code != http.StatusOK {
		t.Errorf("the new token does not work: %d", code)
	}
}

func TestUpTellsAPersonHowToGetInAndStopsWhenAsked(t *testing.T) {
	said := greeting(t, config(t.TempDir()), "neap explain sig-")
	for _, want := range []string{"listening on http://127.0.0.1:", "simulated", "neap_", "neap get groups"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

func TestUpOnAWSTellsHowToConnectItsAccount(t *testing.T) {
	c := config(t.TempDir())
	c.Clouds = app.Clouds{Real: true}
	said := greeting(t, c, "docs/aws.md")
	for _, want := range []string{"costs money", "createAwsAccountExternalId accountId=act-", "neap aws init", "setCredentialsForAws accountId=act-"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

// greeting is what Up says until it has said a text; then it is asked to stop.
func greeting(t *testing.T, c app.Config, until string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := app.Up(ctx, c, "127.0.0.1:0", write)
		write.Close()
		ended <- err
	}()
	buffer := make([]byte, 4096)
	for !strings.Contains(out.String(), until) {
		n, err := read.Read(buffer)
		if err != nil {
			t.Fatalf("it ended early: %v\n%s", err, out.String())
		}
		out.Write(buffer[:n])
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it did not stop gracefully: %v", err)
	}
	return out.String()
}
