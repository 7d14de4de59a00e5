package replicas

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// What the test's own binary becomes when it is started as a replica: an engine with one recipe.
const (
	workerURL   = "NEAP_TEST_WORKER_URL"   // the database
	workerDiary = "NEAP_TEST_WORKER_DIARY" // the file that each step adds its line to
	workerStuck = "NEAP_TEST_WORKER_STUCK" // the step that never ends
	recipeSteps = 5
)

func TestMain(m *testing.M) {
	if url := os.Getenv(workerURL); url != "" {
		if err := work(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work takes part until the process is killed.
func work(url string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{URL: url})
	if err != nil {
		return err
	}
	e, err := workflow.New(workflow.Config{DB: db, Clock: clock.Wall{}, Replica: ident.UUID()})
	if err != nil {
		return err
	}
	e.AddRecipe(recipe())
	if err := e.Start(ctx); err != nil {
		return err
	}
	select {} // until the signal
}

// recipe notes each step in the diary, with the process that took it.
func recipe() workflow.Recipe {
	r := workflow.Recipe{Name: "diary"}
	for n := range recipeSteps {
		name := fmt.Sprintf("step%d", n+1)
		r.Steps = append(r.Steps, workflow.Step{Name: name, Do: func(ctx context.Context, _ *workflow.Run) error {
			diary, err := os.OpenFile(os.Getenv(workerDiary), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer diary.Close()
			if _, err := fmt.Fprintf(diary, "%s %d\n", name, os.Getpid()); err != nil {
				return err
			}
			if os.Getenv(workerStuck) == name {
				<-ctx.Done()
			}
			return ctx.Err()
		}})
	}
	return r
}

func TestARecipeGoesOnInAnotherProcessWhenItsOwnIsKilled(t *testing.T) {
	t.Parallel()
	in := install(t)
	diary := in.path("diary")
	db, err := store.Open(t.Context(), store.Config{URL: in.url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	idle, err := workflow.New(workflow.Config{DB: db, Clock: clock.Wall{}, Replica: ident.UUID()}) // begins the run, and works on nothing
	if err != nil {
		t.Fatal(err)
	}
	idle.AddRecipe(recipe())
	first := startWorker(t, in.url, diary, "step3")
	err = db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := idle.Begin(ctx, tx, "diary", workflow.Run{ID: "run"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	written := func() []string {
		text, err := os.ReadFile(diary)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	eventually(t, "the first process is in the middle", limit, func() bool { return len(written()) == 3 })
	second := startWorker(t, in.url, diary, "")
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	state := func() (state string) {
		in.rows("SELECT state FROM runs WHERE id = 'run'", func(row pgx.Rows) error { return row.Scan(&state) })
		return state
	}
	eventually(t, "the run has finished", limit, func() bool { return state() == workflow.Finished })
	a, b := first.Process.Pid, second.Process.Pid
	want := []string{
		fmt.Sprintf("step1 %d", a), fmt.Sprintf("step2 %d", a), fmt.Sprintf("step3 %d", a), // killed here
		fmt.Sprintf("step3 %d", b), fmt.Sprintf("step4 %d", b), fmt.Sprintf("step5 %d", b),
	}
	if got := written(); !slices.Equal(got, want) {
		t.Errorf("steps %q, %q expected", got, want)
	}
	t.Logf("the run had finished %s after its process was killed", time.Since(killed).Round(time.Millisecond))
}

// startWorker starts this very binary as a replica.
func startWorker(t *testing.T, url, diary, stuck string) *exec.Cmd {
	t.Helper()
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), workerURL+"="+url, workerDiary+"="+diary, workerStuck+"="+stuck)
	worker.Stderr = t.Output()
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		worker.Process.Kill()
		worker.Wait()
	})
	return worker
}
