package app_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
)

// BenchmarkReadGroup is a GET of the demo group through the whole stack, without sockets; make bench compares it with a bare handler.
func BenchmarkReadGroup(b *testing.B) {
	a, err := app.Build(b.Context(), app.Config{Version: "bench", Data: b.TempDir(), Demo: true, Seed: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := a.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer a.Stop(b.Context())
	groups, err := a.Fleet.List(b.Context(), a.Account.ID, "spot/elastigroup/aws")
	if err != nil || len(groups) == 0 {
		b.Fatal("no demo group", err)
	}
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodGet, "http://localhost/aws/ec2/group/"+groups[0].ID, nil)
		request.RemoteAddr = "127.0.0.1:1" // loopback callers have the wide rate limit
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(a.Admin))
		answer := httptest.NewRecorder()
		a.Handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			b.Fatal(answer.Body.String())
		}
	}
}
