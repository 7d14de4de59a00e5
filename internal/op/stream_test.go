package op

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

type sound struct {
	Says string `json:"says"`
}

type listening struct {
	ID    string `path:"animalId"`
	After string `query:"after"`
	Loud  int    `query:"loud" maximum:"3"`
}

// hearing is a zoo in which animals can be listened to; each test says what they do.
func hearing(t *testing.T, guard Authenticator, sounds func(ctx context.Context, in listening, send func(Event[sound]) error) error) *house {
	return open(t, func(c *Config) {
		zoo := &c.Dialects[0]
		target := Target{Noun: "animal", Param: "animalId", AccountOf: func(context.Context, string) (string, error) { return "act-n1", nil }}
		zoo.Rows = append(zoo.Rows, Row{ID: "animal.listen", Route: "GET /zoo/animal/{animalId}/sounds", Need: "zoo:listen", Target: target, Do: Events(sounds)})
		if guard != nil {
			c.Authenticator = guard
		}
	})
}

// ear takes an answer in its pieces, as a connection would.
type ear struct {
	header http.Header
	mu     sync.Mutex
	status int
	text   strings.Builder
	deaf   bool
}

func (e *ear) Header() http.Header { return e.header }
func (e *ear) WriteHeader(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}
func (e *ear) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf {
		return 0, errors.New("broken pipe")
	}
	return e.text.Write(p)
}
func (e *ear) Flush() {}
func (e *ear) heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.String()
}

// listen asks until the answer ends.
func (h *house) listen(ctx context.Context, headers ...string) *ear {
	r := httptest.NewRequestWithContext(ctx, "GET", "/zoo/animal/ani-1/sounds?After=old&loud=2", nil)
	r.Header.Set("Authorization", "Bearer "+keeperToken)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	e := &ear{header: http.Header{}}
	h.ServeHTTP(e, r)
	return e
}

func TestEventsAreSentOneByOneOverARealConnection(t *testing.T) {
	next := make(chan string)
	h := hearing(t, nil, func(_ context.Context, in listening, send func(Event[sound]) error) error {
		for says := range next {
			if says == "" {
				return nil
			}
			if err := send(Event[sound]{ID: "cursor-" + says, Name: "sound", Data: sound{says + "\n"}}); err != nil {
				return err
			}
		}
		return nil
	})
	server := httptest.NewServer(h)
	defer server.Close()
	for range 2 { // the second time over the same connection
		r, err := http.NewRequest("GET", server.URL+"/zoo/animal/ani-1/sounds", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+keeperToken)
		go func() { next <- "moo" }()
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream" {
			t.Errorf("%d %s", res.StatusCode, got)
		}
		lines := bufio.NewScanner(res.Body)
		read := func(want ...string) {
			t.Helper()
			for _, w := range want {
				if !lines.Scan() || lines.Text() != w {
					t.Fatalf("got %q, want %q", lines.Text(), w)
				}
			}
		}
		read("event: sound", "id: cursor-moo", `data: {"says":"moo\n"}`, "")
		next <- "baa" // only now: each event came by itself
		read("event: sound", "id: cursor-baa", `data: {"says":"baa\n"}`, "")
		next <- ""
		if lines.Scan() {
			t.Errorf("behind the end: %q", lines.Text())
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnIdOfTwoLinesIsNotSent(t *testing.T) {
	h := hearing(t, nil, func(_ context.Context, _ listening, send func(Event[sound]) error) error {
		return send(Event[sound]{ID: "1\ndata: forged", Data: sound{"moo"}})
	})
	if e := h.listen(t.Context()); e.status != 500 || strings.Contains(e.heard(), "forged") {
		t.Errorf("%d %q", e.status, e.heard())
	}
}

func TestTheHeaderOfAClientThatComesBackGoesBeforeItsAddress(t *testing.T) {
	var got []listening
	h := hearing(t, nil, func(_ context.Context, in listening, _ func(Event[sound]) error) error {
		got = append(got, in)
		return nil
	})
	h.listen(t.Context())
	if e := h.listen(t.Context(), "Last-Event-ID: new"); e.status != 200 || e.heard() != "" {
		t.Errorf("a stream without events: %d %q", e.status, e.heard())
	}
	if len(got) != 2 || got[0] != (listening{"ani-1", "old", 2}) || got[1] != (listening{"ani-1", "new", 2}) {
		t.Errorf("%+v", got)
	}
}

func TestAFailureBeforeTheFirstEventIsARefusalAndALaterOneAnEvent(t *testing.T) {
	late := false
	h := hearing(t, nil, func(_ context.Context, _ listening, send func(Event[sound]) error) error {
		if late {
			if err := send(Event[sound]{}); err != nil {
				return err
			}
		}
		return fault.Of(fault.Conflict, "animal", "It sleeps.")
	})
	if e := h.listen(t.Context()); e.status != 409 || e.header.Get("Content-Type") != "application/json" || !strings.Contains(e.heard(), `"Message":"It sleeps."`) {
		t.Errorf("%d %s", e.status, e.heard())
	}
	late = true
	e := h.listen(t.Context())
	said, data, _ := strings.Cut(e.heard(), "event: error\ndata: ")
	if e.status != 200 || said != ": open\n\n" || !strings.Contains(data, `"Message":"It sleeps."`) || !strings.Contains(data, `"status":409`) || !json.Valid([]byte(data)) {
		t.Errorf("%d %q", e.status, e.heard())
	}
	for _, says := range []string{`"kind":"conflict"`, `"took":`} {
		if !strings.Contains(h.logs.String(), says) {
			t.Errorf("the log lacks %s: %s", says, h.logs)
		}
	}
	for _, c := range []struct {
		header string
		status int
	}{{as("nobody"), 401}, {as(rivalToken), 404}} {
		if e := h.listen(t.Context(), c.header); e.status != c.status {
			t.Errorf("%s: %d", c.header, e.status)
		}
	}
	if w := h.ask("GET /zoo/animal/ani-1/sounds?loud=4"); w.Code != 400 {
		t.Errorf("too loud: %d", w.Code)
	}
}

// silence listens to an animal that says nothing until it is told to end.
func silence(ctx context.Context, _ listening, send func(Event[sound]) error) error {
	if err := send(Event[sound]{}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// begin listens in the background; the answer comes through the channel when it has ended.
func (h *house) begin(ctx context.Context) <-chan *ear {
	ended := make(chan *ear, 1)
	go func() { ended <- h.listen(ctx) }()
	synctest.Wait()
	return ended
}

func TestASilentStreamShowsThatItLivesUntilItsClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hearing(t, nil, silence)
		ctx, leave := context.WithCancel(t.Context())
		ended := h.begin(ctx)
		time.Sleep(61 * time.Second)
		if w := h.ask("GET /metrics"); !strings.Contains(w.Body.String(), "neap_http_streams 1\n") {
			t.Error("the open stream is not counted")
		}
		leave()
		e := <-ended
		if got := strings.Count(e.heard(), ": still here\n\n"); got != 4 || strings.Contains(e.heard(), "error") {
			t.Errorf("%d signs of life in a minute: %q", got, e.heard())
		}
		metrics := h.ask("GET /metrics").Body.String()
		for _, says := range []string{"neap_http_streams 0\n", `neap_http_stream_seconds_sum{operation="zoo.animal.listen"} 61`, `neap_http_requests_total{operation="zoo.animal.listen",status="200"} 1`} {
			if !strings.Contains(metrics, says) {
				t.Errorf("the metrics lack %s", says)
			}
		}
		if strings.Contains(metrics, `neap_http_request_seconds_sum{operation="zoo.animal.listen"}`) {
			t.Error("a stream's length counts as the time of an answer")
		}
	})
}

func TestAStreamEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hearing(t, nil, silence)
		ended := h.begin(t.Context())
		h.EndStreams()
		h.EndStreams()
		if e := <-ended; e.heard() != ": open\n\n" {
			t.Errorf("%q", e.heard())
		}
		if e := h.listen(t.Context()); strings.Contains(e.heard(), "error") {
			t.Errorf("one that begins later: %q", e.heard())
		}
	})
}

// turncoat is a guard that can take a token, or a right, away.
type turncoat struct {
	guard
	mu      sync.Mutex
	revoked bool
	moved   bool
	down    bool
	nonces  []string
}

func (g *turncoat) Authenticate(ctx context.Context, c Credential) (Caller, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.nonces = append(g.nonces, c.Nonce); g.revoked {
		return Caller{}, fault.Of(fault.Unauthenticated, "token", "This token is not valid.")
	}
	caller, err := g.guard.Authenticate(ctx, c)
	if g.moved {
		caller.Rights = rights{"south", false}
	}
	return caller, err
}

func (g *turncoat) now(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

func TestWhoMayNoLongerReadIsToldSoWithinAMinute(t *testing.T) {
	for name, take := range map[string]struct {
		change func(g *turncoat)
		says   string
	}{
		"the token is revoked": {func(g *turncoat) { g.revoked = true }, "not valid"},
		"the right is gone":    {func(g *turncoat) { g.moved = true }, "You have no account"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &turncoat{}
				h := hearing(t, g, silence)
				ended := h.begin(t.Context())
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				select {
				case e := <-ended:
					t.Fatalf("it ended while all was well: %q", e.heard())
				default:
				}
				g.now(func() { take.change(g) })
				began := time.Now()
				e := <-ended
				if took := time.Since(began); took > time.Minute {
					t.Errorf("it took %s", took)
				}
				if _, data, is := strings.Cut(e.heard(), "event: error\ndata: "); !is || !strings.Contains(data, take.says) {
					t.Errorf("%q", e.heard())
				}
			})
		})
	}
}

func TestAClientThatTakesNothingEndsItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ear{header: http.Header{}, deaf: true}
		sent := 0
		h := hearing(t, nil, func(ctx context.Context, _ listening, send func(Event[sound]) error) error {
			for {
				sent++
				if err := send(Event[sound]{Data: sound{"moo"}}); err != nil {
					return err
				}
			}
		})
		r := httptest.NewRequest("GET", "/zoo/animal/ani-1/sounds", nil)
		r.Header.Set("Authorization", "Bearer "+keeperToken)
		h.ServeHTTP(e, r)
		if sent != 1 {
			t.Errorf("%d events were sent into nothing", sent)
		}
	})
}

func TestAPanicInAStreamEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hearing(t, nil, func(_ context.Context, _ listening, send func(Event[sound]) error) error {
			if err := send(Event[sound]{Data: sound{"moo"}}); err != nil {
				return err
			}
			panic("it is loose")
		})
		e := h.listen(t.Context())
		if strings.Contains(e.heard(), "loose") || !strings.Contains(h.logs.String(), "it is loose") {
			t.Errorf("%q; %s", e.heard(), h.logs)
		}
		if w := h.ask("GET /metrics"); !strings.Contains(w.Body.String(), "neap_http_streams 0\n") {
			t.Error("the stream is still counted")
		}
	})
}

func TestAnOrganisationHasOnlySoManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hearing(t, nil, silence)
		ctx, leave := context.WithCancel(t.Context())
		for range mostStreams {
			h.begin(ctx)
		}
		if e := h.listen(ctx); e.status != 429 || !strings.Contains(e.heard(), "500 streams") {
			t.Errorf("%d %s", e.status, e.heard())
		}
		leave()
		synctest.Wait()
		if ended := h.begin(t.Context()); len(ended) != 0 {
			t.Error("no stream can be opened after others were closed")
		}
		h.EndStreams()
	})
}

func TestAStreamIsDescribedAsOne(t *testing.T) {
	h := hearing(t, nil, silence)
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Responses  map[string]struct {
				Content map[string]struct{ Schema json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(h.ask("GET /openapi/zoo.json").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	got := doc.Paths["/zoo/animal/{animalId}/sounds"]["get"]
	if schema := string(got.Responses["200"].Content["text/event-stream"].Schema); !strings.Contains(schema, `"says"`) {
		t.Errorf("schema %s of %+v", schema, got)
	}
	named := ""
	for _, p := range got.Parameters {
		named += p.In + " " + p.Name + ","
	}
	if !strings.Contains(named, "header Last-Event-ID,") {
		t.Errorf("parameters: %s", named)
	}
	defer func() {
		if said, is := recover().(string); !is || !strings.Contains(said, "changes nothing") {
			t.Errorf("a stream that changes something is mounted: %v", said)
		}
	}()
	open(t, func(c *Config) {
		c.Dialects[1].Rows[0].Mutates, c.Dialects[1].Rows[0].Do = true, Events(silence)
	})
}
