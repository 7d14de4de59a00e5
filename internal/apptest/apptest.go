// Package apptest starts the real app for tests: every room, an in-memory database, the simulated cloud, and a clock that the test steps.
//
// It owns the harness only. It must not stand in for any room. Start reading at Start.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/clock"
)

// Neap is a running app.
type Neap struct {
	*app.App
	T     *testing.T
	Clock *clock.Manual
	URL   string
}

// Epoch is when every test begins: after the catalogue's prices were taken.
var Epoch = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// Start runs a Neap until the test ends. change may alter the configuration, e.g. to take a database of its own.
func Start(t *testing.T, change ...func(*app.Config)) *Neap {
	t.Helper()
	steps := clock.NewManual(Epoch)
	config := app.Config{Version: "test", Seed: 1, Clock: steps, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for _, c := range change {
		c(&config)
	}
	a, err := app.Build(t.Context(), config)
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	if err := a.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("start: %v", err)
	}
	server := httptest.NewServer(a.Handler)
	t.Cleanup(func() {
		server.Close()
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Stop(stop); err != nil {
			t.Errorf("stop: %v", err)
		}
		a, server = nil, nil // a finished test keeps its clean-up, and what that holds, until all that run beside it are done
	})
	return &Neap{App: a, T: t, Clock: steps, URL: server.URL}
}

// Answer is what a call gave.
type Answer struct {
	Status int
	Header http.Header
	Body   map[string]any
	Raw    []byte
}

// Items are response.items of the Spot envelope.
func (a Answer) Items() []map[string]any {
	response, _ := a.Body["response"].(map[string]any)
	list, _ := response["items"].([]any)
	var items []map[string]any
	for _, i := range list {
		if item, ok := i.(map[string]any); ok {
			items = append(items, item)
		}
	}
	return items
}

// Call sends a request as the administrator. body may be nil, a string of JSON, or anything that encodes to it; headers come in pairs.
func (n *Neap) Call(method, path string, body any, headers ...string) Answer {
	n.T.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = bytes.NewBufferString(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			n.T.Fatalf("encode body: %v", err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(n.T.Context(), method, n.URL+path, reader)
	if err != nil {
		n.T.Fatalf("make request: %v", err)
	}
	request.Header.Set("Authorization", "Bearer "+n.Admin)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		n.T.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		n.T.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	answer := Answer{Status: response.StatusCode, Header: response.Header, Raw: raw}
	if err := json.Unmarshal(raw, &answer.Body); err != nil {
		n.T.Fatalf("%s %s: answer is not a JSON object: %s", method, path, raw)
	}
	return answer
}

// Must is Call for requests that have to succeed.
func (n *Neap) Must(method, path string, body any, headers ...string) Answer {
	n.T.Helper()
	answer := n.Call(method, path, body, headers...)
	if answer.Status != http.StatusOK {
		n.T.Fatalf("%s %s: %d %s", method, path, answer.Status, answer.Raw)
	}
	return answer
}

// Until steps the clock until done holds, a second at a time, or more when the limit is long; it gives up after limit of engine time or a minute of real time.
func (n *Neap) Until(what string, limit time.Duration, done func() bool) {
	n.T.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(time.Minute)
	step := max(time.Second, limit/600)
	for end := n.Clock.Now().Add(limit); ; {
		if done() {
			return
		}
		select {
		case <-giveUp:
			n.T.Fatalf("gave up waiting until %s", what)
		case <-tick.C:
			if n.Clock.Now().After(end) {
				n.T.Fatalf("not within %s of engine time: %s", limit, what)
			}
			n.Clock.Advance(step)
		}
	}
}
