package journal

import (
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// patience is how long a write of the journal's own may take. Inside somebody's transaction it would wait for that one, which this ends.
const patience = 5 * time.Second

// longestMessage bounds the text of a refusal, which may quote what the client sent.
const longestMessage = 1000

// audited is an audit entry as it is stored: the same fields, with names that stay though the Go ones may change.
type audited struct {
	Request      string `json:"request"`
	Organisation string `json:"organisation"`
	Account      string `json:"account"`
	Subject      string `json:"subject"`
	Name         string `json:"name"`
	Operation    string `json:"operation"`
	Need         string `json:"need"`
	Method       string `json:"method"`
	Path         string `json:"path"`
	Object       string `json:"object"`
	Outcome      string `json:"outcome"`
	Message      string `json:"message"`
}

// Record makes the journal op's Auditor. With a transaction the entry lives and dies with it; without one it is kept even when the request is a dry run or has
// been abandoned. Call it without one only outside of transactions.
func (j *Journal) Record(ctx context.Context, tx *store.Tx, entry op.AuditEntry) error {
	if text := []rune(entry.Message); len(text) > longestMessage {
		entry.Message = string(text[:longestMessage]) + "…"
	}
	record := store.Record[audited]{
		ID: recordID(), Account: entry.Account, Resource: entry.Organisation, Kind: entry.Outcome, At: time.Now().UTC(), Value: audited(entry),
	}
	if tx != nil {
		return audit.Append(ctx, tx, record)
	}
	own, cancel := context.WithTimeout(bare{context.WithoutCancel(ctx)}, patience)
	defer cancel()
	return audit.Append(own, j.db, record)
}

// AuditEntry is one recorded call. Seq is 0 until it is sealed.
type AuditEntry struct {
	op.AuditEntry
	Seq int64
	At  time.Time // wall time
}

// AuditQuery selects audit entries of one organisation: From ≤ At < To, newest first. Zero fields don't restrict.
type AuditQuery struct {
	Account  string   // "" = all accounts of the organisation, and what is above accounts
	Outcomes []string // "done", "refused", "failed", "dryRun"
	From, To time.Time
	Limit    int
}

// AuditEntries reads what callers of an organisation did, newest first.
func (j *Journal) AuditEntries(ctx context.Context, organisation string, q AuditQuery) ([]AuditEntry, error) {
	if organisation == "" {
		return nil, nil // anonymous refusals belong to nobody
	}
	scope := store.Installation()
	if q.Account != "" {
		scope = store.Account(q.Account)
	}
	records, err := audit.List(ctx, j.db, scope, store.LogQuery{
		Resource: organisation, Kinds: q.Outcomes, From: q.From, To: q.To, Descending: true, Limit: q.Limit,
	})
	if err != nil {
		return nil, err
	}
	read := make([]AuditEntry, len(records))
	for i, r := range records {
		read[i] = AuditEntry{AuditEntry: op.AuditEntry(r.Value), Seq: r.Seq, At: r.At}
	}
	return read, nil
}

var _ op.Auditor = (*Journal)(nil)
