package setup

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/op"
)

func (d dialect) auditRows() []op.Row {
	return []op.Row{
		{N: 320, ID: "audit.listAuditLogEvents", Route: "GET /audit/events", Need: "setup:describeAllAuditEvents", Title: "List what callers changed", Kind: "spotinst:audit", Do: op.Func(d.audit)},
	}
}

type auditIn struct {
	From    string `query:"fromDate" doc:"An ISO date or time, or Unix milliseconds."`
	To      string `query:"toDate" doc:"The same; what happened then is left out."`
	Status  string `query:"responseStatus" enum:"success,all" default:"success" doc:"all includes what was refused."`
	Account string `query:"accountId" doc:"Only what was about this account."`
}

// auditItem is an audit entry on the wire.
type auditItem struct {
	User      string    `json:"user"`
	Namespace string    `json:"namespace"`
	Action    string    `json:"actionType"`
	Type      string    `json:"resourceType"`
	Resource  string    `json:"resourceId"`
	Created   spot.Time `json:"createdAt"`
	Context   string    `json:"context"` // JSON as text
	Source    string    `json:"source"`
	Agent     string    `json:"agent"`
	Status    int       `json:"responseStatus"`
}

// mostEntries bounds an answer, which the wire cannot page: the newest are in it.
const mostEntries = 10_000

func (d dialect) audit(ctx context.Context, in auditIn) (spot.Items[auditItem], error) {
	caller := op.CallOf(ctx).Caller
	from, to, err := spot.Span(in.From, in.To, time.Now())
	if err != nil {
		return nil, err
	}
	if in.Account != "" {
		if err := caller.Rights.Authorize(op.Deed{Need: "setup:describeAllAuditEvents", Account: in.Account, Reads: true}); err != nil {
			return nil, err
		}
	}
	// What a dry run tried did not happen.
	query := journal.AuditQuery{Account: in.Account, From: from, To: to, Outcomes: []string{"done"}, Succeeded: true, Limit: mostEntries}
	if in.Status == "all" {
		query.Outcomes, query.Succeeded = []string{"done", "refused", "failed"}, false
	}
	entries, err := d.Journal.AuditEntries(ctx, caller.Organisation, query)
	titles := map[string]string{}
	for _, o := range d.Operations() {
		titles[o.ID] = o.Title
	}
	items := make(spot.Items[auditItem], len(entries))
	for n, e := range entries {
		namespace, resource := subjectOf(e.Need)
		items[n] = auditItem{
			cmp.Or(e.Email, e.Name), namespace, cmp.Or(titles[e.Operation], e.Operation), resource, e.Object, spot.Time(e.At), e.Context, e.Source, e.Agent, e.Status,
		}
	}
	return items, err
}

// subjectOf tells from a need what a deed was about: "elastigroup:updateGroup" → ELASTIGROUP, Group.
func subjectOf(need string) (namespace, resource string) {
	service, action, _ := strings.Cut(need, ":")
	if at := strings.IndexFunc(action, unicode.IsUpper); at >= 0 {
		action = action[at:]
	}
	if service == "setup" {
		return "GENERAL", action
	}
	return strings.ToUpper(service), action
}
