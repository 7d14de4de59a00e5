package journal

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// patience is how long a write of the journal's own may take. Inside somebody's transaction it would wait for that one, which this ends.
const patience = 5 * time.Second

// longestMessage bounds the text of a refusal, which may quote what the client sent.
const longestMessage = 1000

// audited is an audit entry as it is stored: the same fields, with names that stay though the Go ones may change. An entry is found by the text of its subject and
// status, see holding.
type audited struct {
	Request      string `json:"request"`
	Organisation string `json:"organisation"`
	Account      string `json:"account"`
	Subject      string `json:"subject"`
	Name         string `json:"name"`
	Email        string `json:"email,omitempty"`
	Remote       string `json:"remote,omitempty"`
	Agent        string `json:"agent,omitempty"`
	Source       string `json:"source,omitempty"`
	Operation    string `json:"operation"`
	Need         string `json:"need"`
	Method       string `json:"method"`
	Path         string `json:"path"`
	Object       string `json:"object"`
	Outcome      string `json:"outcome"`
	Status       int    `json:"status,omitempty"`
	Message      string `json:"message"`
	Context      string `json:"context,omitempty"`
}

// Record makes the journal op's Auditor. With a transaction the entry lives and dies with it; without one it is kept even when the request is a dry run or has
// been abandoned. Call it without one only outside of transactions.
func (j *Journal) Record(ctx context.Context, tx *store.Tx, entry op.AuditEntry) error {
	if text := []rune(entry.Message); len(text) > longestMessage {
		entry.Message = string(text[:longestMessage]) + "…"
	}
	record := store.Record[audited]{
		ID: auditID(), Account: entry.Account, Resource: entry.Organisation, Kind: entry.Outcome, At: time.Now().UTC(), Value: storedForm(entry),
	}
	if tx != nil {
		return audit.Append(ctx, tx, record)
	}
	own, cancel := context.WithTimeout(bare{context.WithoutCancel(ctx)}, patience)
	defer cancel()
	return audit.Append(own, j.db, record)
}

// auditID is recordID in the 24 digits that one of the published APIs has for ids.
func auditID() string { return recordID()[:24] }

// AuditEntry is one recorded call. Seq is 0 until it is sealed.
type AuditEntry struct {
	op.AuditEntry
	ID  string
	Seq int64
	At  time.Time // wall time
}

// AuditQuery selects audit entries of one organisation, newest first. Zero fields don't restrict.
type AuditQuery struct {
	Account   string   // "" = all accounts of the organisation, and what is above accounts
	Subject   string   // user or token id
	Outcomes  []string // "done", "refused", "failed", "dryRun"
	Succeeded bool     // only what was answered with status 200
	From, To  time.Time
	Newer     time.Time // From ≤ At < To, and At > Newer
	After     string    // ID of the last entry of the page before
	Limit     int
}

// AuditEntries reads what callers of an organisation did, newest first. fault.Invalid when After is no entry of the organisation.
func (j *Journal) AuditEntries(ctx context.Context, organisation string, q AuditQuery) ([]AuditEntry, error) {
	if organisation == "" {
		return nil, nil // anonymous refusals belong to nobody
	}
	if q.After != "" {
		if _, err := j.AuditEntryByID(ctx, organisation, q.After); fault.Is(err, fault.NotFound) {
			return nil, fault.Field("after", "There is no audit entry %q to go on behind; begin again without it.", q.After)
		} else if err != nil {
			return nil, err
		}
	}
	if after := q.Newer.Truncate(time.Microsecond).Add(time.Microsecond); !q.Newer.IsZero() && after.After(q.From) {
		q.From = after
	}
	scope := store.Installation()
	if q.Account != "" {
		scope = store.Account(q.Account)
	}
	holding, err := q.holding()
	if err != nil {
		return nil, err
	}
	return j.auditEntries(ctx, scope, store.LogQuery{
		Resource: organisation, Kinds: q.Outcomes, Holding: holding, From: q.From, To: q.To, After: q.After, Descending: true, Limit: q.Limit,
	})
}

// holding are texts that only the stored form of a matching entry has: quotes inside of other members are escaped there.
func (q AuditQuery) holding() (texts []string, err error) {
	if q.Subject != "" {
		subject, err := json.Marshal(q.Subject)
		if err != nil {
			return nil, err
		}
		texts = append(texts, `,"subject":`+string(subject)+`,`)
	}
	if q.Succeeded {
		texts = append(texts, `,"status":200,`)
	}
	return texts, nil
}

// AuditEntryByID reads one entry; fault.NotFound when the organisation has none of this id.
func (j *Journal) AuditEntryByID(ctx context.Context, organisation, id string) (AuditEntry, error) {
	if organisation == "" || id == "" {
		return AuditEntry{}, fault.Missing("audit entry", id)
	}
	found, err := j.auditEntries(ctx, store.Installation(), store.LogQuery{Resource: organisation, ID: id, Limit: 1})
	if err != nil {
		return AuditEntry{}, err
	}
	if len(found) == 0 {
		return AuditEntry{}, fault.Missing("audit entry", id)
	}
	return found[0], nil
}

func (j *Journal) auditEntries(ctx context.Context, scope store.Scope, q store.LogQuery) ([]AuditEntry, error) {
	records, err := audit.List(ctx, j.db, scope, q)
	if err != nil {
		return nil, err
	}
	read := make([]AuditEntry, len(records))
	for i, r := range records {
		read[i] = AuditEntry{AuditEntry: r.Value.entry(), ID: r.ID, Seq: r.Seq, At: r.At}
	}
	return read, nil
}

func storedForm(e op.AuditEntry) audited {
	return audited{
		Request: e.Request, Organisation: e.Organisation, Account: e.Account, Subject: e.Subject, Name: e.Name, Email: e.Email, Remote: e.Remote, Agent: e.Agent, Source: e.Source,
		Operation: e.Operation, Need: e.Need, Method: e.Method, Path: e.Path, Object: e.Object, Outcome: e.Outcome, Status: e.Status, Message: e.Message, Context: e.Context,
	}
}

func (a audited) entry() op.AuditEntry {
	return op.AuditEntry{
		Request: a.Request, Organisation: a.Organisation, Account: a.Account, Subject: a.Subject, Name: a.Name, Email: a.Email, Remote: a.Remote, Agent: a.Agent, Source: a.Source,
		Operation: a.Operation, Need: a.Need, Method: a.Method, Path: a.Path, Object: a.Object, Outcome: a.Outcome, Status: a.Status, Message: a.Message, Context: a.Context,
	}
}

var _ op.Auditor = (*Journal)(nil)
