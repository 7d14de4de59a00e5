package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

// launcher is a client of the Launch & Provision API of a Neap with its data on disk, over a socket.
type launcher struct {
	*app.App
	clock *clock.Manual
	url   string
}

func newLauncher(b *testing.B) launcher {
	b.Helper()
	steps := clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	a, err := app.Build(b.Context(), app.Config{Version: "bench", Data: b.TempDir(), Seed: 1, Clock: steps, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := a.Start(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(a.Handler)
	b.Cleanup(func() {
		server.Close()
		if err := a.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	a.Cloud.Room(cloud.Market{Region: "us-east-1", Zone: "us-east-1b", Type: "t1.micro", Lifecycle: cloud.OnDemand}, 1_000, steps.Now().Add(1_000*time.Hour))
	return launcher{a, steps, server.URL}
}

func (l launcher) call(b *testing.B, method, path string) []byte {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, l.url+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(l.Admin))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%s: %d %s %v", path, response.StatusCode, body, err)
	}
	return body
}

func (l launcher) launch(b *testing.B, count int) (ids []string) {
	b.Helper()
	body := l.call(b, "PUT", fmt.Sprintf("%s&min_count=%d&max_count=%d", launching, count, count))
	if err := json.Unmarshal(body, &ids); err != nil || len(ids) != count {
		b.Fatalf("%s: %v", body, err)
	}
	return ids
}

// BenchmarkLaunchOfAHundredThroughTheAPI is held to 200 ms.
func BenchmarkLaunchOfAHundredThroughTheAPI(b *testing.B) {
	l := newLauncher(b)
	for b.Loop() {
		ids := l.launch(b, 100)
		b.StopTimer()
		if err := l.Cloud.Account(l.Account.ID).Terminate(b.Context(), "us-east-1", ids); err != nil {
			b.Fatal(err)
		}
		l.clock.Advance(time.Minute) // so that neither budgets nor addresses run out
		b.StartTimer()
	}
}

// BenchmarkOneCallOverTheProvider tells the median time of calls through the API, of the same calls made to the provider directly in the same run, and what lies between: that is held to 5 ms.
func BenchmarkOneCallOverTheProvider(b *testing.B) {
	l := newLauncher(b)
	id := l.launch(b, 1)[0]
	l.clock.Advance(time.Minute)
	ctx, provider := b.Context(), l.Cloud.Account(l.Account.ID)
	for _, c := range []struct {
		name, method, path string
		direct             func() error
	}{
		{"attributes", "GET", "/v1/" + id + "/attributes", func() error {
			_, err := provider.Describe(ctx, cloud.Query{Region: "us-east-1", IDs: []string{id}})
			return err
		}},
		{"reboot", "PUT", "/v1/" + id + "/reboot", func() error { return provider.Reboot(ctx, "us-east-1", []string{id}) }},
		{"modify", "PUT", "/v1/" + id + "/modify?attribute=sourceDestCheck&value=true", func() error { return provider.Modify(ctx, "us-east-1", id, "sourceDestCheck", "true") }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var through, direct []time.Duration
			for b.Loop() {
				began := time.Now()
				l.call(b, c.method, c.path)
				through = append(through, time.Since(began))
				b.StopTimer()
				began = time.Now()
				if err := c.direct(); err != nil {
					b.Fatal(err)
				}
				direct = append(direct, time.Since(began))
				l.clock.Advance(10 * time.Second)
				b.StartTimer()
			}
			b.ReportMetric(median(through), "p50-ms")
			b.ReportMetric(median(direct), "provider-p50-ms")
			b.ReportMetric(median(through)-median(direct), "overhead-p50-ms")
		})
	}
}

// median is in milliseconds.
func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000
}
