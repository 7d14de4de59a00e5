package instance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// heard is a log that everybody writes to.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

// spellings are the forms in which the marker might stand somewhere. Base64 has three, by where it begins.
func spellings() []string {
	all := []string{marker, hex.EncodeToString([]byte(marker))}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte("x"), shift), marker...))
		all = append(all, text[4:len(text)-4])
	}
	return all
}

func tell(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range spellings() {
		if strings.Contains(text, s) {
			t.Errorf("%s holds user data: %.400s", where, text)
		}
	}
}

// everything is the text of every row of every table.
func (w *world) everything() map[string]string {
	w.t.Helper()
	ctx := w.t.Context()
	names, err := w.DB.SQL().QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table'")
	if err != nil {
		w.t.Fatal(err)
	}
	var tables []string
	for names.Next() {
		var name string
		if err := names.Scan(&name); err != nil {
			w.t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := names.Close(); err != nil {
		w.t.Fatal(err)
	}
	found := map[string]string{}
	for _, table := range tables {
		rows, err := w.DB.SQL().QueryContext(ctx, "SELECT * FROM "+table)
		if err != nil {
			w.t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			w.t.Fatal(err)
		}
		var text strings.Builder
		for rows.Next() {
			cells := make([]any, len(columns))
			for n := range cells {
				cells[n] = new(any)
			}
			if err := rows.Scan(cells...); err != nil {
				w.t.Fatal(err)
			}
			for _, c := range cells {
				if raw, is := (*c.(*any)).([]byte); is {
					fmt.Fprintf(&text, "%s ", raw)
				} else {
					fmt.Fprint(&text, *c.(*any), " ")
				}
			}
		}
		if err := rows.Close(); err != nil {
			w.t.Fatal(err)
		}
		found[table] = text.String()
	}
	return found
}

func TestUserDataReachTheInstanceAndNothingElse(t *testing.T) {
	t.Parallel()
	var log heard
	w := begin(t, func(o *options) {
		o.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.dry("c5.large", cloud.Spot, w.clock.Now().Add(3*time.Minute)) // so that launches are refused, and that is told too
	w.start(spec("a", "acc-1"))
	w.start(spec("b", "acc-1"))
	w.until("both run", 2*time.Hour, func() bool { return w.in("a", runtime.Running)() && w.in("b", runtime.Running)() })
	a, b := w.task("a"), w.task("b")
	asked := w.launches.all()
	if len(asked) < 3 {
		t.Fatalf("only %d launches were asked for", len(asked))
	}
	for _, l := range asked {
		if raw, err := base64.StdEncoding.DecodeString(l.Template.UserData); err != nil || !strings.Contains(string(raw), marker) {
			t.Errorf("the cloud was asked for an instance with the user data %q, %v", raw, err)
		}
	}
	look := func(when string) {
		t.Helper()
		for table, text := range w.everything() {
			tell(t, when+", table "+table, text)
		}
		for _, task := range []string{"a", "b"} {
			decisions, _, err := w.diary.Decisions(t.Context(), "acc-1", GroupOf(task), 100, "")
			if err != nil || len(decisions) == 0 {
				t.Fatalf("%d decisions, %v", len(decisions), err)
			}
			for _, d := range decisions {
				tell(t, when+", decision", string(d.Inputs)+string(d.Plan)+d.Summary)
				outcomes, err := w.Fleet.Outcomes(t.Context(), d)
				if err != nil {
					t.Fatal(err)
				}
				tell(t, when+", outcome", strings.Join(outcomes, "\n"))
			}
		}
	}
	look("while they run")
	if err := w.Stop(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	w.interrupt("acc-1", b.Instance)
	w.until("both have ended", 10*time.Minute, func() bool { return w.in("a", runtime.Ended)() && w.in("b", runtime.Lost)() })
	look("when they have ended")
	tell(t, "the log", log.text.String())
	if text := w.everything()["instance_tasks"]; strings.Contains(text, secretState) || !strings.Contains(text, a.Instance) {
		t.Errorf("of tasks that have ended nothing secret is to be left: %s", text)
	}
}

func TestTheUserDataOfATaskOpenForThatTaskAlone(t *testing.T) {
	t.Parallel()
	w := begin(t, func(o *options) { o.idle = true })
	w.start(spec("a", "acc-1"))
	w.start(spec("b", "acc-1"))
	if data, err := w.Form.UserData(t.Context(), "acc-1", GroupOf("a")); err != nil || !strings.HasSuffix(string(data), marker+" a") {
		t.Errorf("%q, %v", data, err)
	}
	for _, c := range []struct{ account, group string }{{"acc-2", GroupOf("a")}, {"acc-1", GroupOf("c")}, {"acc-1", "sig-1a2b3c4d"}} {
		if data, err := w.Form.UserData(t.Context(), c.account, c.group); err == nil {
			t.Errorf("%v has the user data %q: an instance without its own must not be launched", c, data)
		}
	}
	d, err := secrets.Get(t.Context(), w.DB, store.Account("acc-1"), secretID("a"))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := w.Form.Secrets.Open(d.Value.Sealed, use("b")); err == nil {
		t.Errorf("sealed for one task, opened for another: %q", data)
	}
}
