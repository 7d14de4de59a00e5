package neap

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/journal/chain"
	"github.com/neap-cloud/neap/internal/op"
)

// auditRows let an organisation read what its callers did, and the one that runs the installation verify it.
func (d Deps) auditRows() []op.Row {
	return []op.Row{
		{ID: "audit.list", Route: "GET /neap/v1/audit", Need: "neap:readAudit", Title: "List what callers changed, or were refused", NoAccount: true, Do: op.Func(d.audit)},
		{ID: "audit.read", Route: "GET /neap/v1/audit/{entryId}", Need: "neap:readAudit", Title: "Read an audit entry", NoAccount: true, Do: op.Func(d.auditEntry)},
		{ID: "audit.export", Route: "GET /neap/v1/audit/export", Need: "neap:readAudit", Title: "Export the audit with what is needed to verify it", NoAccount: true, Do: op.Func(d.exportAudit)},
		{ID: "audit.verify", Route: "GET /neap/v1/audit/verify", Need: "neap:readAuditChain", Title: "Verify the audit of the installation", NoAccount: true, Do: op.Func(d.verifyAudit)},
	}
}

// auditEntry is an entry on the wire.
type auditEntry struct {
	ID        string          `json:"id"`
	Seq       int64           `json:"seq,omitempty"` // none until it is sealed
	At        time.Time       `json:"at"`
	Request   string          `json:"request"`
	Account   string          `json:"account,omitempty"`
	Subject   string          `json:"subject"`
	Name      string          `json:"name"`
	Email     string          `json:"email,omitempty"`
	Remote    string          `json:"remote,omitempty"`
	Agent     string          `json:"agent,omitempty"`
	Source    string          `json:"source,omitempty"`
	Operation string          `json:"operation"`
	Need      string          `json:"need"`
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Object    string          `json:"object,omitempty"`
	Outcome   string          `json:"outcome"`
	Status    int             `json:"status,omitempty"`
	Message   string          `json:"message,omitempty"`
	Context   json.RawMessage `json:"context,omitempty"`
}

func fromAudit(e journal.AuditEntry) auditEntry {
	out := auditEntry{
		ID: e.ID, Seq: e.Seq, At: e.At, Request: e.Request, Account: e.Account, Subject: e.Subject, Name: e.Name, Email: e.Email, Remote: e.Remote, Agent: e.Agent, Source: e.Source,
		Operation: e.Operation, Need: e.Need, Method: e.Method, Path: e.Path, Object: e.Object, Outcome: e.Outcome, Status: e.Status, Message: e.Message,
	}
	if json.Valid([]byte(e.Context)) { // what somebody has changed must not keep the rest from being read
		out.Context = json.RawMessage(e.Context)
	}
	return out
}

type listAudit struct {
	Account string    `query:"accountId" doc:"Only what was about this account"`
	Subject string    `query:"subject" doc:"Only what this user or token did, by id"`
	Outcome []string  `query:"outcome" doc:"Only these: done, refused, failed, dryRun"`
	Newer   time.Time `query:"newerThan" doc:"Only what is newer"`
	Older   time.Time `query:"olderThan" doc:"Only what is older"`
	Limit   int       `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Entries on a page"`
	After   string    `query:"after" doc:"Next of the page before"`
}

func (d Deps) audit(ctx context.Context, in listAudit) (page[auditEntry], error) {
	for _, outcome := range in.Outcome {
		switch outcome {
		case "done", "refused", "failed", "dryRun":
		default:
			return page[auditEntry]{}, fault.Field("outcome", "must be done, refused, failed or dryRun, got %q", outcome)
		}
	}
	list, err := d.Journal.AuditEntries(ctx, op.CallOf(ctx).Caller.Organisation, journal.AuditQuery{
		Account: in.Account, Subject: in.Subject, Outcomes: in.Outcome, Newer: in.Newer, To: in.Older, After: in.After, Limit: in.Limit + 1,
	})
	out := page[auditEntry]{Items: make([]auditEntry, 0, len(list))}
	for n, e := range list {
		if n == in.Limit { // there is more
			out.Next = list[n-1].ID
			break
		}
		out.Items = append(out.Items, fromAudit(e))
	}
	return out, err
}

type oneAuditEntry struct {
	ID string `path:"entryId"`
}

func (d Deps) auditEntry(ctx context.Context, in oneAuditEntry) (auditEntry, error) {
	e, err := d.Journal.AuditEntryByID(ctx, op.CallOf(ctx).Caller.Organisation, in.ID)
	return fromAudit(e), err
}

type exportAudit struct {
	After int64 `query:"after" minimum:"0" doc:"Only entries behind this place; Next of the page before"`
	Until int64 `query:"until" minimum:"0" doc:"Only entries up to this place: the head's of the first page"`
	Limit int   `query:"limit" minimum:"1" maximum:"5000" default:"1000" doc:"Entries on a page"`
}

// exportedAudit is a page of lines, with the preface of a file of them.
type exportedAudit struct {
	chain.Preface
	Items []chain.Line `json:"items"`
	Next  string       `json:"next,omitempty"`
}

func (d Deps) exportAudit(ctx context.Context, in exportAudit) (exportedAudit, error) {
	part, err := d.Journal.ExportAudit(ctx, op.CallOf(ctx).Caller.Organisation, in.After, in.Until, in.Limit)
	out := exportedAudit{Preface: part.Preface, Items: part.Lines}
	if out.Items == nil {
		out.Items = []chain.Line{}
	}
	if part.Next > 0 {
		out.Next = strconv.FormatInt(part.Next, 10)
	}
	return out, err
}

type verifyAudit struct {
	Head keptHead `query:"head" doc:"A head that was kept outside of the database, SEQ:HASH; the entries up to it have to be here unchanged"`
}

// keptHead is a place with its hash, as people keep it.
type keptHead journal.AuditPlace

// UnmarshalText reads SEQ:HASH.
func (k *keptHead) UnmarshalText(text []byte) error {
	place, hash, _ := strings.Cut(string(text), ":")
	seq, err := strconv.ParseInt(place, 10, 64)
	if err != nil || seq < 1 || k.Hash.UnmarshalText([]byte(hash)) != nil {
		return fault.Of(fault.Invalid, "head", "a head is SEQ:HASH, a number and 64 hex digits")
	}
	k.Seq = seq
	return nil
}

// auditReport is a verification on the wire.
type auditReport struct {
	Verified  bool            `json:"verified"` // nothing was found
	Entries   int64           `json:"entries"`  // whose hash was computed anew
	Before    int64           `json:"before"`   // older than the chain, not covered
	Unhashed  int64           `json:"unhashed"` // inside of the chain, sealed by a release that knew no hashes, not covered
	Stretches []chain.Stretch `json:"unhashedStretches,omitempty"`
	Waiting   int64           `json:"waiting"` // not sealed yet
	Begin     *chain.Mark     `json:"begin,omitempty"`
	Head      *chain.Mark     `json:"head,omitempty"`
	PublicKey string          `json:"publicKey"`
	Problems  []chain.Problem `json:"problems"`
	Unlisted  int64           `json:"unlistedProblems,omitempty"`
	Seconds   float64         `json:"seconds"`
}

func (d Deps) verifyAudit(ctx context.Context, in verifyAudit) (auditReport, error) {
	inst, err := d.Identity.Installation(ctx)
	if err != nil {
		return auditReport{}, err
	}
	if op.CallOf(ctx).Caller.Organisation != inst.Organisation {
		return auditReport{}, fault.Of(fault.Denied, "audit", "Only the organisation that runs this installation verifies its audit: the chain runs through everybody's entries. "+
			"Export your own with neap audit export, and verify the file with neap audit verify --file.")
	}
	public, err := d.Identity.PublicKey()
	if err != nil {
		return auditReport{}, err
	}
	r, err := d.Journal.VerifyAudit(ctx, journal.AuditPlace(in.Head), nil)
	out := auditReport{
		Verified: err == nil && len(r.Problems) == 0, Entries: r.Entries, Before: r.Before, Unhashed: r.Bare, Stretches: r.Stretches, Waiting: r.Waiting,
		PublicKey: hex.EncodeToString(public), Problems: append([]chain.Problem{}, r.Problems...), Unlisted: r.Unlisted, Seconds: r.Took.Seconds(),
	}
	if r.Begin.Kind != "" {
		out.Begin = &r.Begin
	}
	if r.Head.Kind != "" {
		out.Head = &r.Head
	}
	return out, err
}
