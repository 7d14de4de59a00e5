package sim

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// Ledger is what the cloud itself saw: every instance there ever was and every call that changed something, for an independent check.
type Ledger struct {
	Instances []Record
	Calls     []CallRecord
}

// Record is one instance with the call that started it.
type Record struct {
	cloud.Instance
	Account string
	Token   string
	Alive   bool // neither ended nor shutting down
}

// CallRecord is one changing call, written in the transaction of its effect. Refused launches are among them, throttled calls are not.
type CallRecord struct {
	At      time.Time
	Account string
	Region  string
	Call    Call
	Detail  string
	Outcome string // "ok" or the refusal's code
}

// Ledger reads the record of this world.
func (c *Cloud) Ledger(ctx context.Context) (Ledger, error) { return readLedger(ctx, c.db, c.now()) }

// Reads is how often a call that changes nothing was made in this process.
func (c *Cloud) Reads(call Call) int { return c.reads.of(call) }

// ReadLedger reads the record of a world's file as of a moment, while or after another process uses it. It changes nothing.
func ReadLedger(ctx context.Context, path string, now time.Time) (read Ledger, err error) {
	reads, err := sql.Open("sqlite", fileName(path, "mode=ro&_pragma=busy_timeout(10000)"))
	if err != nil {
		return Ledger{}, fmt.Errorf("simulated cloud: %w", err)
	}
	defer func() { err = errors.Join(err, reads.Close()) }()
	return readLedger(ctx, &database{reads: reads, writes: reads}, physics.At(now))
}

func readLedger(ctx context.Context, db *database, now physics.Instant) (Ledger, error) {
	instances, err := readInstances(ctx, db, db.reads, "seq > 0")
	if err != nil {
		return Ledger{}, err
	}
	var ledger Ledger
	for _, i := range instances {
		shown, err := i.show(now)
		if err != nil {
			return Ledger{}, err
		}
		ledger.Instances = append(ledger.Instances, Record{Instance: shown, Account: i.account, Token: i.token, Alive: now < i.ends})
	}
	ledger.Calls, err = readCalls(ctx, db)
	return ledger, err
}

func readCalls(ctx context.Context, db *database) ([]CallRecord, error) {
	rows, err := db.reads.QueryContext(ctx, "SELECT at, account, region, name, detail, outcome FROM call ORDER BY seq")
	if err != nil {
		return nil, fmt.Errorf("simulated cloud: %w", err)
	}
	defer rows.Close()
	var calls []CallRecord
	for rows.Next() {
		var made CallRecord
		var when physics.Instant
		if err := rows.Scan(&when, &made.Account, &made.Region, &made.Call, &made.Detail, &made.Outcome); err != nil {
			return nil, fmt.Errorf("simulated cloud: %w", err)
		}
		made.At = when.Time()
		calls = append(calls, made)
	}
	return calls, rows.Err()
}

// record writes a call down beside its effect.
func (a *Account) record(ctx context.Context, tx runner, call Call, region, outcome, detail string) error {
	seq, err := a.cloud.db.number(ctx, tx, 1)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, a.cloud.db.sql("INSERT INTO call (seq, at, account, region, name, detail, outcome) VALUES (?, ?, ?, ?, ?, ?, ?)"),
		seq, int64(a.cloud.now()), a.id, region, string(call), detail, outcome)
	return err
}
