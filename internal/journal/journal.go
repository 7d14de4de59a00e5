// Package journal remembers what happened and why.
//
// It owns log lines, events, audit entries, decision records, alerts, and the sealed order of the first three. It must not know rules of any product. Start reading at Journal.
//
// Lines, events and audit entries are written unsealed, in the transaction of what they tell of; Seal gives each of the three logs its gap-free order
// afterwards. Lines and events bear engine time, audit entries wall time.
package journal

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// Config is what the journal needs. Clock dates lines and events; audit entries live on wall time. Log hears of alerts; nil = nobody does. Without a Signer, audit
// entries are sealed without hashes.
type Config struct {
	DB     *store.DB
	Clock  clock.Clock
	Log    *slog.Logger
	Signer Signer
}

// Journal writes inside its callers' transactions and reads on its own. Safe for concurrent use.
type Journal struct {
	db     *store.DB
	clock  clock.Clock
	slog   *slog.Logger
	signer Signer
	packer packer

	verifying sync.Mutex
}

// New makes a journal over an open database.
func New(c Config) *Journal {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Journal{db: c.DB, clock: c.Clock, slog: c.Log, signer: c.Signer}
}

// The logs.
var (
	lines  = store.Log[line]{Table: "log_lines"}
	events = store.Log[event]{Table: "events"}
	audit  = store.Log[audited]{Table: "audit"}
)

// batch is how many records of a log are sealed in one transaction.
const batch = 2000

// Seal gives all waiting records their final order and tells how many there were. Call it under a lease, at least once a second; live streams wait for it.
func (j *Journal) Seal(ctx context.Context) (int, error) {
	total := 0
	type log interface {
		Waiting(ctx context.Context, s store.Session) (id string, err error)
		Seal(ctx context.Context, tx *store.Tx, limit int) (int, error)
	}
	for _, l := range []log{lines, events, sealer{j}} {
		// Mostly nothing waits, and to see that takes no transaction.
		if waiting, err := l.Waiting(ctx, j.db); err != nil {
			return total, err
		} else if waiting == "" {
			continue
		}
		for sealed := batch; sealed == batch; total += sealed {
			err := j.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
				sealed, err = l.Seal(ctx, tx, batch)
				return err
			})
			if err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

// recordID is unique; it begins with the time, which keeps the database's index narrow at its growing end.
func recordID() string {
	return strconv.FormatInt(time.Now().UnixNano(), 16) + ident.Hex(6)
}

// dated is at, or the engine's present when at is zero.
func (j *Journal) dated(at time.Time) time.Time {
	if at.IsZero() {
		return j.clock.Now()
	}
	return at.UTC()
}

// bare hides what a request's context carries for its transactions (dry run, waiting audit entry), so that a write of the journal's own is just that.
type bare struct{ context.Context }

func (bare) Value(any) any { return nil }
