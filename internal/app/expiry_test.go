package app

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
)

func TestCredentialsThatEndAreSpokenOfInTime(t *testing.T) {
	a, err := Build(t.Context(), Config{Version: "test", Seed: 1, Clock: clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	e := expiry{a.db, a.Identity, a.diary}
	end := time.Now().Add(30 * 24 * time.Hour)
	set := func(expires time.Time) {
		t.Helper()
		app := identity.AzureApp{Client: "client-1", Secret: "canary", Tenant: "tenant", Subscription: "subscription", Expires: expires}
		if err := a.Identity.SetApp(t.Context(), a.Account.Organisation, a.Account.ID, app); err != nil {
			t.Fatal(err)
		}
	}
	alerts := func(now time.Time) (sentences []string) {
		t.Helper()
		if err := e.look(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		open, err := a.diary.Alerts(t.Context(), a.Account.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, alert := range open {
			if alert.Kind == journal.AlertCredentials {
				sentences = append(sentences, alert.Message)
			}
		}
		return sentences
	}
	set(end)
	if got := alerts(time.Now()); len(got) != 0 {
		t.Errorf("a month before: %q", got)
	}
	for now, want := range map[time.Time]string{end.Add(-13 * 24 * time.Hour): "ends on " + end.UTC().Format("2006-01-02"), end.Add(time.Hour): "ended on"} {
		if got := alerts(now); len(got) != 1 || !strings.Contains(got[0], want) || strings.Contains(got[0], "canary") {
			t.Errorf("at %s: %q", now, got)
		}
	}
	set(end.Add(300 * 24 * time.Hour))
	if got := alerts(end); len(got) != 0 {
		t.Errorf("with a new secret: %q", got)
	}
}
