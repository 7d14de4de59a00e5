package workflow

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/neap-cloud/neap/internal/fault"
)

const (
	riverTimeout = 2 * time.Second
	// River's default of 100 ms between fetches would be most of a wake-up's time.
	fetchCooldown = 5 * time.Millisecond
	deliverers    = 4
	callsApart    = 50 * time.Millisecond
	// tablesLock is the advisory lock of PostgreSQL under which River's tables are made.
	tablesLock = 0x6e656170_72697672
)

// wake is the River job by which a replica that has more to do than workers calls the others. It carries no state: losing one costs a scan's delay.
type wake struct {
	Loop string `json:"loop"`
}

// Kind names the job in River's tables.
func (wake) Kind() string { return "neap_wake" }

// InsertOpts keeps at most one waiting call per loop.
func (wake) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

type wakeWorker struct {
	river.WorkerDefaults[wake]
	look func(loop string)
}

// Work makes this replica look for work of the loop.
func (w *wakeWorker) Work(_ context.Context, job *river.Job[wake]) error {
	w.look(job.Args.Loop)
	return nil
}

// courier calls the other replicas.
type courier interface {
	send(loop string)
	stop(ctx context.Context) error
}

// riverCourier is a River client, on either database.
type riverCourier[TTx any] struct {
	client *river.Client[TTx]
	log    *slog.Logger
	mu     sync.Mutex
	busy   map[string]bool // loops that were called for lately; true = and again since
	sends  sync.WaitGroup
}

func startRiver(ctx context.Context, c Config, look func(loop string)) (courier, error) {
	if c.DB.Driver() == "postgres" {
		driver := riverpgxv5.New(c.DB.Pool())
		if err := alone(ctx, c.DB.Pool(), func() error { return makeTables(ctx, c, driver) }); err != nil {
			return nil, riverFault(err)
		}
		return startCourier[pgx.Tx](ctx, c, driver, look, time.Second)
	}
	driver := riversqlite.New(c.DB.SQL())
	if err := makeTables(ctx, c, driver); err != nil {
		return nil, riverFault(err)
	}
	poll := scanEvery // SQLite cannot notify; polling more often than we scan would gain nothing
	if c.Alone {
		poll = time.Minute // nobody calls
	}
	return startCourier[*sql.Tx](ctx, c, driver, look, poll)
}

// alone works while no other replica does: River's migrations take no turns by themselves, and of replicas that start together on an empty database all
// but one would fail.
func alone(ctx context.Context, pool *pgxpool.Pool, work func() error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", tablesLock); err != nil {
		return err
	}
	err = work()
	_, unlocked := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", tablesLock)
	return errors.Join(err, unlocked)
}

// makeTables brings River's tables to the form that this release's River needs.
func makeTables[TTx any](ctx context.Context, c Config, driver riverdriver.Driver[TTx]) error {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(quiet{c.Log.Handler()})})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

func startCourier[TTx any](ctx context.Context, c Config, driver riverdriver.Driver[TTx], look func(loop string), poll time.Duration) (courier, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &wakeWorker{look: look})
	client, err := river.NewClient(driver, &river.Config{
		ID:                          c.Replica,
		Logger:                      slog.New(quiet{c.Log.Handler()}),
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: deliverers}},
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           poll,
		CompletedJobRetentionPeriod: time.Minute,
		DiscardedJobRetentionPeriod: time.Hour,
	})
	if err != nil {
		return nil, riverFault(err)
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, riverFault(err)
	}
	return &riverCourier[TTx]{client: client, log: c.Log, busy: map[string]bool{}}, nil
}

// send does not hold up the caller, whose change is committed already. Many calls within callsApart are one: whoever hears it finds all of them.
func (r *riverCourier[TTx]) send(loop string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, is := r.busy[loop]; is {
		r.busy[loop] = true
		return
	}
	r.busy[loop] = false
	r.sends.Go(func() {
		for again := true; again; again = r.calledAgain(loop) {
			r.call(loop)
			time.Sleep(callsApart)
		}
	})
}

func (r *riverCourier[TTx]) call(loop string) {
	ctx, cancel := context.WithTimeout(context.Background(), riverTimeout)
	defer cancel()
	if _, err := r.client.Insert(ctx, wake{Loop: loop}, nil); err != nil {
		r.log.Warn("cannot wake other replicas; their next scan will", "loop", loop, "error", err)
	}
}

func (r *riverCourier[TTx]) calledAgain(loop string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.busy[loop]
	if r.busy[loop] = false; !again {
		delete(r.busy, loop)
	}
	return again
}

func (r *riverCourier[TTx]) stop(ctx context.Context) error {
	r.sends.Wait()
	ctx, cancel := context.WithTimeout(ctx, riverTimeout)
	defer cancel()
	if err := r.client.StopAndCancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return riverFault(err)
	}
	return nil
}

func riverFault(err error) error {
	return fault.Of(fault.Unavailable, "workflow", "The job queue cannot be used; the log has the details.").With(err)
}

// quiet lets only warnings and errors of River through.
type quiet struct{ slog.Handler }

// Enabled tells slog which levels to drop.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}
