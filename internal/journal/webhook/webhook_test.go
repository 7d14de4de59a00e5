package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/dial"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
	"github.com/neap-cloud/neap/internal/workflow/workflowtest"
)

var dusk = time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC)

const canary = "canary-0123456789abcdef"

// desk is one replica's webhooks over a database.
type desk struct {
	*Webhooks
	t      *testing.T
	now    *clock.Manual
	engine *workflow.Engine
	log    *safeBuffer
}

func newDesk(t *testing.T, db *store.DB, now *clock.Manual) *desk {
	t.Helper()
	d := &desk{t: t, now: now, log: &safeBuffer{}}
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	guard := dial.New(dial.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	keys := identity.New(identity.Config{Key: bytes.Repeat([]byte{7}, 32)})
	d.engine = workflowtest.Start(t, db, now, func(e *workflow.Engine) {
		d.Webhooks = New(Config{DB: db, Journal: journal.New(journal.Config{DB: db, Clock: now, Log: log}), Workflow: e, Clock: now, Secrets: keys, Guard: guard, Log: log})
	})
	return d
}

func alone(t *testing.T) *desk { return newDesk(t, storetest.Memory(t), clock.NewManual(dusk)) }

// tell makes events happen in an account, and seals them.
func (d *desk) tell(account string, types ...string) {
	d.t.Helper()
	err := d.DB.Tx(d.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, kind := range types {
			if err := d.Journal.Emit(ctx, tx, account, "sig-1", journal.Event{Type: kind, Data: json.RawMessage(`{"note":"a<b"}`)}); err != nil {
				return err
			}
		}
		return nil
	})
	must(d.t, err)
	d.seal()
}

func (d *desk) seal() {
	d.t.Helper()
	_, err := d.Journal.Seal(d.t.Context())
	must(d.t, err)
}

func (d *desk) hook(account, address string, kinds ...string) string {
	d.t.Helper()
	made, _, err := d.Create(d.t.Context(), account, Spec{URL: address, Kinds: kinds, Secret: canary})
	must(d.t, err)
	return made.ID
}

// steps moves the clock until done holds.
func (d *desk) steps(what string, step time.Duration, done func() bool) {
	d.t.Helper()
	until(d.t, what, func() bool {
		if done() {
			return true
		}
		d.now.Advance(step)
		return false
	})
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(workflowtest.Patience)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *safeBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// receiver is a program that takes letters, checks them, and sometimes fails.
type receiver struct {
	*httptest.Server
	t  *testing.T
	mu sync.Mutex

	status   int
	asked    []time.Time // engine time of every attempt
	taken    []Letter
	now      clock.Clock
	wrongful string
}

func newReceiver(t *testing.T, now clock.Clock) *receiver {
	t.Helper()
	r := &receiver{t: t, status: http.StatusNoContent, now: now}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, r.now.Now())
	var l Letter
	switch err := Verify([]byte(canary), request.Header.Get(HeaderSignature), body, time.Now(), time.Minute); {
	case err != nil:
		r.wrongful = err.Error()
	case json.Unmarshal(body, &l) != nil || l.ID != request.Header.Get(HeaderDelivery) || l.Type != request.Header.Get(HeaderEvent) || request.Method != http.MethodPost:
		r.wrongful = string(body)
	case r.status < 300:
		r.taken = append(r.taken, l)
	}
	w.WriteHeader(r.status)
}

func (r *receiver) answer(status int) { r.mu.Lock(); defer r.mu.Unlock(); r.status = status }

func (r *receiver) attempts() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.asked) }

// types are the letters taken so far, in order.
func (r *receiver) types() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrongful != "" {
		r.t.Errorf("a letter is wrong: %s", r.wrongful)
	}
	text := ""
	for _, l := range r.taken {
		text += l.Type + " "
	}
	return text
}

func (r *receiver) gets(want string) {
	r.t.Helper()
	until(r.t, "it is told "+want, func() bool { return r.types() == want })
}

func TestLettersArriveSignedAndInOrderForTheKindsThatWereAskedFor(t *testing.T) {
	d := alone(t)
	all, some := newReceiver(t, d.now), newReceiver(t, d.now)
	d.tell("act-1", "before")
	d.hook("act-1", all.URL, "*")
	d.hook("act-1", some.URL, "launched", "hold", "scale.*")
	d.tell("act-1", "launched", "terminated", "scale.up", "scaled", "launched")
	must(t, d.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return d.Journal.Alert(ctx, tx, "act-1", "sig-1", journal.AlertHold, "half is gone")
	}))
	d.seal()
	all.gets("launched terminated scale.up scaled launched alert.hold ")
	some.gets("launched scale.up launched alert.hold ")
	ids := map[string]bool{}
	for _, l := range append(all.taken, some.taken...) {
		ids[l.ID] = true
	}
	check(t, "delivery ids", len(ids), 10)
	check(t, "a letter", fmt.Sprint(all.taken[0].Account, all.taken[0].Resource, all.taken[0].At.Equal(dusk), string(all.taken[0].Data)), `act-1sig-1true{"note":"a<b"}`)
}

func TestAnAccountIsToldOfItsOwnAndOfTheInstallationOnly(t *testing.T) {
	d := alone(t)
	one, two := newReceiver(t, d.now), newReceiver(t, d.now)
	d.hook("act-1", one.URL, "*")
	d.hook("act-2", two.URL, "*")
	d.tell("act-1", "mine")
	d.tell("", "alert.sealerLag")
	d.tell("act-2", "yours")
	d.tell("act-1", "mine.again")
	one.gets("mine alert.sealerLag mine.again ")
	two.gets("alert.sealerLag yours ")
}

func TestManyEventsOfTwoOwnersKeepTheirOrderOverPages(t *testing.T) {
	d := alone(t)
	r := newReceiver(t, d.now)
	want := ""
	d.engine.Stop(t.Context()) // everything waits at once
	d.hook("act-1", r.URL, "*")
	for n := range 120 {
		d.tell("act-1", fmt.Sprint("a", n), fmt.Sprint("b", n))
		d.tell("", fmt.Sprint("i", n))
		want += fmt.Sprintf("a%d b%d i%d ", n, n, n)
	}
	newDesk(t, d.DB, d.now)
	until(t, "all are told", func() bool { d.now.Advance(20 * time.Millisecond); return len(strings.Fields(r.types())) >= 360 })
	check(t, "order", r.types(), want)
}

func TestAnOutageDelaysLettersButLosesAndReordersNone(t *testing.T) {
	d := alone(t)
	r := newReceiver(t, d.now)
	r.answer(http.StatusServiceUnavailable)
	id := d.hook("act-1", r.URL, "*")
	d.tell("act-1", "one", "two", "three")
	until(t, "the first attempt", func() bool { return r.attempts() == 1 })
	for n, wait := range waits()[:4] {
		until(t, "the failure is known", func() bool { h, err := d.Get(t.Context(), "act-1", id); return err == nil && h.Attempts == n+1 })
		d.now.Advance(wait * 8 / 10) // too early, whatever the spread
		check(t, "attempts", r.attempts(), n+1)
		d.steps("the next attempt", wait/10, func() bool { return r.attempts() == n+2 })
	}
	h, err := d.Get(t.Context(), "act-1", id)
	must(t, err)
	check(t, "trouble", h.Trouble, "answered 503")
	r.answer(http.StatusOK)
	d.steps("recovery", time.Minute, func() bool { return r.types() == "one two three " })
	until(t, "the trouble is over", func() bool {
		h, err := d.Get(t.Context(), "act-1", id)
		return err == nil && h.Trouble == "" && h.Next.IsZero() && h.Delivered == 3
	})
	check(t, "open alerts", len(d.alerts()), 0)
}

func (d *desk) alerts() []journal.Alert {
	d.t.Helper()
	open, err := d.Journal.Alerts(d.t.Context(), "")
	must(d.t, err)
	return open
}

func TestALetterThatIsNeverTakenDiesIsToldOfAndCanBeSentAgain(t *testing.T) {
	d := alone(t)
	r := newReceiver(t, d.now)
	r.answer(http.StatusInternalServerError)
	id := d.hook("act-1", r.URL, "one", "two", "three")
	d.tell("act-1", "one", "two")
	dead := func() []Dead {
		list, _, err := d.DeadLetters(t.Context(), "act-1", id, 10, "")
		must(t, err)
		return list
	}
	d.steps("both letters are dead", 10*time.Minute, func() bool { return len(dead()) == 2 })
	check(t, "attempts of the first", dead()[0].Attempts, len(waits())+1)
	check(t, "attempts of the second, while nothing is taken", dead()[1].Attempts, 1)
	check(t, "trouble", dead()[0].Trouble, "answered 500")
	check(t, "alert", fmt.Sprint(len(d.alerts()), d.alerts()[0].Kind, d.alerts()[0].Resource == id), "1webhooktrue")

	if _, err := d.Redeliver(t.Context(), "act-1", id, []string{"dlv-nothing"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown letter: %v", err)
	}
	n, err := d.Redeliver(t.Context(), "act-1", id, nil)
	must(t, err)
	check(t, "sent again", n, 2)
	until(t, "they are dead again", func() bool { list := dead(); return len(list) == 2 && !list[0].Waiting && !list[1].Waiting })
	check(t, "attempts after that", dead()[1].Attempts, 2)

	r.answer(http.StatusOK)
	_, err = d.Redeliver(t.Context(), "act-1", id, []string{dead()[1].Letter.ID})
	must(t, err)
	until(t, "the second is taken", func() bool { return len(dead()) == 1 })
	check(t, "the alert, while one is left", len(d.alerts()), 1)
	_, err = d.Redeliver(t.Context(), "act-1", id, nil)
	must(t, err)
	until(t, "the first is taken", func() bool { return len(dead()) == 0 })
	check(t, "taken", r.types(), "two one ")
	check(t, "the alert at the end", len(d.alerts()), 0)
	d.tell("act-1", "three")
	d.steps("life goes on", time.Second, func() bool { return r.types() == "two one three " })
}

func TestAReceiverThatHangsHoldsUpNobodyElse(t *testing.T) {
	d := alone(t)
	free := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-free }))
	defer hung.Close()
	defer close(free)
	for range 5 {
		d.hook("act-1", hung.URL, "*")
	}
	r := newReceiver(t, d.now)
	d.hook("act-1", r.URL, "*")
	began := time.Now()
	d.tell("act-1", "one", "two")
	r.gets("one two ")
	if took := time.Since(began); took > answerTime/2 {
		t.Errorf("it took %s", took)
	}
}

func TestWhatIsInsideIsNotCalledEvenThroughANameOrARedirect(t *testing.T) {
	d := alone(t)
	victim := newReceiver(t, d.now)
	port := victim.URL[strings.LastIndex(victim.URL, ":"):]
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, victim.URL, http.StatusTemporaryRedirect)
	}))
	defer elsewhere.Close()
	// The desk's guard allows 127.0.0.1 alone.
	for address, says := range map[string]string{elsewhere.URL: "redirects are not followed", "http://localhost6" + port: "", "http://ip6-loopback" + port: ""} {
		id := d.hook("act-1", address, "*")
		d.tell("act-1", "secret")
		until(t, "the attempt at "+address, func() bool { h, err := d.Get(t.Context(), "act-1", id); return err == nil && h.Trouble != "" })
		h, err := d.Get(t.Context(), "act-1", id)
		must(t, err)
		if !strings.Contains(h.Trouble, says) {
			t.Errorf("%s: %s", address, h.Trouble)
		}
	}
	check(t, "attempts at the victim", victim.attempts(), 0)
	if _, _, err := d.Create(t.Context(), "act-1", Spec{URL: "http://169.254.169.254/latest", Kinds: []string{"*"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a metadata address: %v", err)
	}
}

func TestTheSecretIsSeenOnceAndNeverAgain(t *testing.T) {
	d := alone(t)
	r := newReceiver(t, d.now)
	r.answer(http.StatusBadGateway)
	id := d.hook("act-1", r.URL+"/path-canary", "*")
	d.tell("act-1", "one")
	d.steps("a dead letter", 10*time.Minute, func() bool {
		list, _, err := d.DeadLetters(t.Context(), "act-1", id, 10, "")
		return err == nil && len(list) > 0
	})
	list, err := d.List(t.Context(), "act-1")
	must(t, err)
	dead, _, err := d.DeadLetters(t.Context(), "act-1", id, 10, "")
	must(t, err)
	stored, err := hooks.Get(t.Context(), d.DB, store.Installation(), id)
	must(t, err)
	shown, err := json.Marshal([]any{list, dead, d.alerts(), stored})
	must(t, err)
	if strings.Contains(string(shown)+d.log.String(), canary) {
		t.Errorf("the secret shows:\n%s\n%s", shown, d.log)
	}
	if strings.Contains(d.log.String(), "path-canary") {
		t.Errorf("the log shows the address's path:\n%s", d.log)
	}
	made, secret, err := d.Create(t.Context(), "act-1", Spec{URL: r.URL, Kinds: []string{"*"}})
	must(t, err)
	if !strings.HasPrefix(secret, "whsec_") || len(secret) < 40 || made.ID == id {
		t.Errorf("the secret that is made: %q", secret)
	}
}

func TestWrongSpecsAreRefusedNamingEveryFault(t *testing.T) {
	d := alone(t)
	for name, s := range map[string]Spec{
		"no address": {Kinds: []string{"*"}}, "no kinds": {URL: "https://example.com"}, "a strange kind": {URL: "https://example.com", Kinds: []string{"a b"}},
		"a short secret": {URL: "https://example.com", Kinds: []string{"*"}, Secret: "short"}, "inside": {URL: "http://10.0.0.1", Kinds: []string{"*"}},
	} {
		if _, _, err := d.Create(t.Context(), "act-1", s); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err := d.Create(t.Context(), "act-1", Spec{URL: "x", Secret: "short"})
	check(t, "faults at once", len(fault.As(err).Others), 2)
	id := d.hook("act-1", "https://example.com", "launched")
	for _, account := range []string{"act-2", ""} {
		if _, err := d.Get(t.Context(), account, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("seen from %q: %v", account, err)
		}
		if err := d.Delete(t.Context(), account, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("deleted from %q: %v", account, err)
		}
	}
	must(t, d.Delete(t.Context(), "act-1", id))
	for range most {
		d.hook("act-1", "https://example.com", "launched")
	}
	if _, _, err := d.Create(t.Context(), "act-1", Spec{URL: "https://example.com", Kinds: []string{"*"}}); !fault.Is(err, fault.Limit) {
		t.Errorf("one too many: %v", err)
	}
}

func TestADeliveryIdIsTheSameInEveryAttemptAndAnotherForAnotherEventAtItsPlace(t *testing.T) {
	doc := store.Doc[hook]{Meta: store.Meta{ID: "whk-1", Account: "act-1"}}
	sealed := journal.Sealed[journal.Event]{Seq: 7, Resource: "sig-1", Value: journal.Event{At: dusk, Type: "launched"}}
	first := letter(doc, "act-1", sealed).ID
	check(t, "again", letter(doc, "act-1", sealed).ID, first)
	sealed.Value.At = dusk.Add(time.Second)
	if other := letter(doc, "act-1", sealed).ID; other == first || !strings.HasPrefix(other, "dlv-1-7-") {
		t.Errorf("%s and %s", first, other)
	}
}
