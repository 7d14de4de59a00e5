// Package sim is a simulated cloud: a separate party with its own database and its own memory, which the engine knows only through
// cloud.Provider.
//
// It owns the world behind the provider: accounts, instances, limits, calls. What happens in it by itself is drawn by its room physics. It must not know groups,
// plans or any other room's data. The world is a function of its seed, the clock and what callers did, so it needs no ticking and survives a restart.
// docs/sim.md states the model and its figures. Start reading at Open; then launch.go, grant.go and the package physics.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// Config says where the world is kept and how it behaves. Exactly one of Path, Memory and URL is set.
type Config struct {
	Path    string // SQLite file, made when missing
	Memory  bool   // gone with the process, for tests
	URL     string // PostgreSQL ("postgres://…"); shared by all replicas: schema "sim", or NAME_sim beside the search_path NAME
	Clock   clock.Clock
	Seed    uint64         // of all randomness; 0 = the stored one, or a fresh one for a new world
	Catalog *catalog.Cloud // nil = catalog.AWS()
	Tuning  *Tuning        // nil = Usual()
}

// Cloud is the simulated cloud with all its accounts. Safe for concurrent use, also by several processes on one database.
type Cloud struct {
	db      *database
	clock   clock.Clock
	catalog *catalog.Cloud
	tuning  Tuning
	dice    physics.Dice
	faults  faults
	orders  orders
	limits  limiter
	reads   readCount
	board   board
}

// Open opens a world, or makes one. A seed that differs from the stored one is an error: it would be another world.
func Open(ctx context.Context, c Config) (*Cloud, error) {
	if c.Clock == nil {
		return nil, errors.New("simulated cloud: no clock given")
	}
	db, err := openDatabase(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("simulated cloud: %w", err)
	}
	seed, err := db.seed(ctx, c.Seed)
	if err != nil {
		return nil, fmt.Errorf("simulated cloud: %w", errors.Join(err, db.close()))
	}
	opened := &Cloud{db: db, clock: c.Clock, catalog: c.Catalog, tuning: Usual(), dice: physics.Dice(seed)}
	if c.Catalog == nil {
		opened.catalog = catalog.AWS()
	}
	if c.Tuning != nil {
		opened.tuning = *c.Tuning
	}
	return opened, nil
}

// Close releases the database; the world stays as it is.
func (c *Cloud) Close() error { return c.db.close() }

// Account gives one account of this cloud. Instances, tokens, quotas and request limits are the account's own; pools are everybody's.
func (c *Cloud) Account(id string) *Account { return &Account{cloud: c, id: id} }

// Account implements cloud.Provider and all its optional abilities.
type Account struct {
	cloud *Cloud
	id    string
}

// Info says that this cloud is simulated, and how long its read-back may lag.
func (a *Account) Info() cloud.Info {
	return cloud.Info{Name: "sim", Simulated: true, Settle: a.cloud.tuning.Settle, Notice: ec2Notice}
}

// NoticeIn is how long before its end a spot instance of a region is told, as the region's own cloud would: Info tells EC2's.
func (a *Account) NoticeIn(region string) time.Duration { return a.cloud.noticeIn(region) }

const (
	ec2Notice   = 2 * time.Minute
	azureNotice = 30 * time.Second
)

func (c *Cloud) noticeIn(region string) time.Duration {
	if c.catalog.Vendor(region) == catalog.VendorAzure {
		return azureNotice
	}
	return ec2Notice
}

func (c *Cloud) now() physics.Instant { return physics.At(c.clock.Now()) }

// do carries out one call of an account: faults and limits come first, and a lost reply last.
func do[T any](ctx context.Context, a *Account, call Call, region string, work func() (T, error)) (T, error) {
	var none T
	if err := a.admit(ctx, call, region); err != nil {
		return none, err
	}
	answer, err := work()
	if lost := a.cloud.faults.lost(call); lost != nil {
		return none, lost
	}
	if lost := a.cloud.swallowed(call, region); lost != nil {
		return none, lost
	}
	return answer, err
}

func (a *Account) admit(ctx context.Context, call Call, region string) error {
	if err := a.cloud.faults.strike(ctx, a.cloud.clock, call, region); err != nil {
		return err
	}
	if err := a.cloud.suffer(ctx, call, region); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.cloud.catalog.Zones(region) == nil {
		return bad("InvalidRegion", "There is no region %q in the simulated cloud.", region)
	}
	if !a.cloud.limits.take(a.cloud.tuning.Rates[call], limitKey{a.id, region, call}, a.cloud.now()) {
		return throttled(call, region)
	}
	return nil
}

// bad is a request that will never work as asked.
func bad(code, format string, args ...any) *cloud.Refusal {
	return &cloud.Refusal{Kind: cloud.BadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

func unknown(id string) *cloud.Refusal {
	return &cloud.Refusal{Kind: cloud.Unknown, Key: id, Code: "InvalidInstanceID.NotFound",
		Message: fmt.Sprintf("The instance %q does not exist in this account and region (simulated).", id)}
}

// readCount counts the calls that change nothing, which the ledger would not show otherwise.
type readCount struct {
	mu sync.Mutex
	by map[Call]int
}

func (r *readCount) add(call Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[Call]int{}
	}
	r.by[call]++
}

func (r *readCount) of(call Call) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by[call]
}

var (
	_ cloud.Provider    = (*Account)(nil)
	_ cloud.Notifier    = (*Account)(nil)
	_ cloud.Forewarner  = (*Account)(nil)
	_ cloud.Pricer      = (*Account)(nil)
	_ cloud.Interrupter = (*Account)(nil)
	_ cloud.Tagger      = (*Account)(nil)
	_ cloud.Powerer     = (*Account)(nil)
	_ cloud.Modifier    = (*Account)(nil)
	_ cloud.Consoler    = (*Account)(nil)
)

// linux is the product that a market without one means.
func product(m cloud.Market) string { return cmp.Or(m.Product, catalog.Linux) }
