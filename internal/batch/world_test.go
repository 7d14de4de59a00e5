package batch_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/batch/batchtest"
	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/fleet/plan/deadline"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/ledger"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
	"github.com/neap-cloud/neap/internal/workflow"
)

// open seals nothing away, so that tests see what would be sealed.
type open struct{}

func (open) Seal(plain []byte, use string) ([]byte, error) {
	return []byte(use + "\n" + string(plain)), nil
}
func (open) Open(sealed []byte, use string) ([]byte, error) {
	return []byte(strings.TrimPrefix(string(sealed), use+"\n")), nil
}

// world is a batch room with its store, a runtime inside of the process, and machines that are simply there.
type world struct {
	*batch.Batch
	t        testing.TB
	DB       *store.DB
	Clock    *clock.Manual
	Machines *batchtest.Fixed
	Instant  *batchtest.Instant
	engine   *workflow.Engine
	books    *ledger.Ledger
	end      context.CancelFunc
	file     string
	at       storetest.Place
	room     runtime.Resources
	machine  string
	alive    func(string) bool
	market   func(context.Context, capacity.Lane, runtime.Resources) (deadline.Market, error)
}

const account = "act-1"

var dawn = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{
		t: t, Clock: clock.NewManual(dawn), file: filepath.Join(t.TempDir(), "instant"), machine: "here", room: runtime.Resources{MilliCPU: 4000},
		Machines: &batchtest.Fixed{Machines: 2, Each: runtime.Resources{MilliCPU: 2000, MemoryMiB: 16384}, Named: []string{"media"}},
	}
	for _, c := range change {
		c(w)
	}
	if w.at.Driver == "" {
		w.at = storetest.SQLite(t)
	}
	w.DB = w.at.Open(t)
	w.begin()
	t.Cleanup(func() { w.stop() })
	return w
}

// begin is the start of a process.
func (w *world) begin() {
	w.t.Helper()
	var err error
	if w.Instant, err = batchtest.NewInstant(w.file); err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	w.engine, err = workflow.New(workflow.Config{DB: w.DB, Clock: w.Clock, Log: log, Replica: ident.UUID(), Lease: time.Second, Alone: w.at.Driver == "sqlite"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.books = ledger.New(ledger.Config{DB: w.DB, Clock: w.Clock, Market: flat{}})
	w.Batch = batch.New(batch.Config{
		DB: w.DB, Clock: w.Clock, Workflow: w.engine, Ledger: w.books, Capacity: w.Machines, Seal: open{}, Output: &output.Collector{Book: &output.Book{DB: w.DB}},
		Simulated: func(context.Context, string) (bool, error) { return true, nil }, Hosted: []runtime.Runtime{w.Instant},
		Room: w.room, Machine: w.machine, Alive: w.alive, Market: w.market, Log: log,
	})
	ctx, end := context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.end = end
	if err := w.engine.Start(ctx); err != nil {
		w.t.Fatal(err)
	}
	w.engine.Beside(w.Run)
}

// stop is the end of a process, without a word to the room.
func (w *world) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.engine.Stop(ctx); err != nil {
		w.t.Errorf("stop: %v", err)
	}
	w.end()
	if err := w.Instant.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.begin()
}

func asked(command ...string) batch.Submission {
	return batch.Submission{Customer: "lightning", Class: "Transcode_23", Cloud: "aws", Region: "us-east-1", Image: "hello-world:linux", Command: command}
}

func (w *world) submit(s batch.Submission) batch.Job {
	w.t.Helper()
	j, err := w.Submit(w.t.Context(), account, "usr-1", s, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// becomes waits for a job to reach a state.
func (w *world) becomes(id string, state batch.State) batch.Job {
	w.t.Helper()
	var j batch.Job
	w.until(fmt.Sprintf("job %s is %s", id, state), func() bool {
		var err error
		if j, err = w.Get(w.t.Context(), account, id); err != nil {
			w.t.Fatal(err)
		}
		return j.State == state
	})
	return j
}

func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(end) {
			w.t.Fatalf("it never was so that %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}
