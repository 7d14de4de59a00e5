package compose

import (
	"cmp"
	"context"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/op"
)

// event is an audit entry on the wire. Data holds texts only: a client reads nothing else.
type event struct {
	ID         string            `json:"id"`
	Account    string            `json:"account_id"`
	Deployment *string           `json:"deployment_id"`
	Cluster    *string           `json:"cluster_id"`
	User       string            `json:"user_id"`
	Email      string            `json:"email"`
	Created    time.Time         `json:"created_at"`
	Event      string            `json:"event"`
	Data       map[string]string `json:"data"`
	IP         string            `json:"ip"`
	Agent      string            `json:"user_agent"`
	Links      map[string]link   `json:"_links"`
}

// eventOf names an operation in this API's words. What it has no word for keeps our name of the operation.
func eventOf(operation string) string {
	return cmp.Or(map[string]string{
		"compose.accounts.close": "account.close",
		"compose.users.create":   "account.user.create",
		"compose.users.delete":   "account.user.delete",
		"compose.teams.create":   "team.create",
		"compose.teams.rename":   "team.update",
		"compose.teams.setUsers": "team.update",
		"compose.teams.delete":   "team.delete",
	}[operation], operation)
}

func fromEntry(e journal.AuditEntry) event {
	data := map[string]string{"request": e.Request}
	if e.Object != "" {
		data["object"] = cmp.Or(ID(e.Object), e.Object)
	}
	return event{
		ID: e.ID, Account: ID(e.Organisation), User: ID(e.Subject), Email: e.Email, Created: e.At, Event: eventOf(e.Operation), Data: data, IP: e.Remote, Agent: e.Agent,
		Links: map[string]link{"self": linkTo("/audit_events/" + e.ID)},
	}
}

// done is the outcome of what was neither refused nor a rehearsal: an event is something that happened.
const done = "done"

// audited is whose events the caller may see: "" = everybody's.
func audited(caller op.Caller) (subject string) {
	if caller.Rights.Authorize(op.Deed{Need: "setup:describeAllAuditEvents", Reads: true}) == nil {
		return ""
	}
	return caller.Subject
}

type someEvents struct {
	Newer  time.Time `query:"newer_than" doc:"Only events after this moment"`
	Older  time.Time `query:"older_than" doc:"Only events before this moment"`
	Cursor string    `query:"cursor" doc:"Id of the last event seen"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Events to answer, newest first"`
}

func (d Deps) events(ctx context.Context, in someEvents) (collection[event], error) {
	caller := op.CallOf(ctx).Caller
	list, err := d.Journal.AuditEntries(ctx, caller.Organisation, journal.AuditQuery{
		Subject: audited(caller), Outcomes: []string{done}, Newer: in.Newer, To: in.Older, After: in.Cursor, Limit: in.Limit,
	})
	shown := make([]event, len(list))
	for n, e := range list {
		shown[n] = fromEntry(e)
	}
	return listed("audit_events", shown), err
}

type oneEvent struct {
	ID string `path:"id"`
}

func (d Deps) event(ctx context.Context, in oneEvent) (event, error) {
	caller := op.CallOf(ctx).Caller
	e, err := d.Journal.AuditEntryByID(ctx, caller.Organisation, in.ID)
	if err != nil {
		return event{}, err
	}
	if subject := audited(caller); e.Outcome != done || subject != "" && subject != e.Subject {
		return event{}, fault.Missing("audit event", in.ID)
	}
	return fromEntry(e), nil
}
