package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

func entry(account, outcome string) op.AuditEntry {
	return op.AuditEntry{
		Request: "req-1", Organisation: "606000000001", Account: account, Subject: "tok-1", Name: "ci", Operation: "spot.elastigroup.aws.update",
		Email: "ci@example.com", Remote: "192.0.2.1", Agent: "curl/8", Source: "API", Status: 200, Context: `{"body":{"subject":"tok-2","status":404}}`,
		Need: "elastigroup:updateGroup", Method: "PUT", Path: "/aws/ec2/group/sig-1", Object: "sig-1", Outcome: outcome, Message: "",
	}
}

func (j *Journal) audits(t testing.TB, q AuditQuery) []AuditEntry {
	t.Helper()
	read, err := j.AuditEntries(t.Context(), "606000000001", q)
	must(t, err)
	return read
}

func TestAnAuditEntryComesBackWholeOnWallTime(t *testing.T) {
	j, _ := newJournal(t)
	before := time.Now().Truncate(time.Microsecond)
	must(t, j.Record(t.Context(), nil, entry("act-1", "done")))
	_, err := j.Seal(t.Context())
	must(t, err)
	read := j.audits(t, AuditQuery{})
	check(t, "entries", len(read), 1)
	check(t, "entry", read[0].AuditEntry, entry("act-1", "done"))
	check(t, "place", read[0].Seq, 1)
	if read[0].At.Before(before) || read[0].At.After(time.Now()) {
		t.Errorf("it is dated %s, although it was written just now", read[0].At)
	}
}

func TestAnEntryLivesAndDiesWithItsTransaction(t *testing.T) {
	j, _ := newJournal(t)
	undone := errors.New("undone")
	for _, outcome := range []error{undone, nil} {
		err := j.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(j.Record(ctx, tx, entry("act-1", "done")), outcome)
		})
		if !errors.Is(err, outcome) {
			t.Fatal(err)
		}
	}
	check(t, "entries", len(j.audits(t, AuditQuery{})), 1)
}

func TestAnEntryOfItsOwnOutlivesDryRunAndAbandonedRequest(t *testing.T) {
	j, _ := newJournal(t)
	must(t, j.Record(store.WithDryRun(t.Context()), nil, entry("act-1", "dryRun")))
	abandoned, leave := context.WithCancel(t.Context())
	leave()
	must(t, j.Record(abandoned, nil, entry("act-1", "refused")))
	check(t, "entries", len(j.audits(t, AuditQuery{})), 2)
}

func TestAnEntryOfItsOwnDoesNotSpendTheRequestsWaitingOne(t *testing.T) {
	j, _ := newJournal(t)
	ctx, done := store.WithPrologue(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return j.Record(ctx, tx, entry("act-1", "done"))
	})
	must(t, j.Record(ctx, nil, entry("act-1", "refused")))
	check(t, "the waiting entry is written", done(), false)
	check(t, "entries", len(j.audits(t, AuditQuery{})), 1)
}

func TestAuditEntriesAreFilteredAndBelongToOneOrganisation(t *testing.T) {
	j, _ := newJournal(t)
	foreign := entry("act-1", "done")
	foreign.Organisation = "606000000002"
	anonymous := entry("", "refused")
	anonymous.Organisation = ""
	for _, e := range []op.AuditEntry{entry("act-1", "done"), entry("act-1", "refused"), entry("act-2", "done"), entry("", "done"), foreign, anonymous} {
		must(t, j.Record(t.Context(), nil, e))
	}
	for name, c := range map[string]struct {
		query AuditQuery
		want  int
	}{
		"all":        {AuditQuery{}, 4},
		"account":    {AuditQuery{Account: "act-1"}, 2},
		"outcome":    {AuditQuery{Outcomes: []string{"done"}}, 3},
		"limited":    {AuditQuery{Limit: 1}, 1},
		"from now":   {AuditQuery{From: time.Now().Add(time.Hour)}, 0},
		"up to then": {AuditQuery{To: time.Now().Add(-time.Hour)}, 0},
	} {
		check(t, name, len(j.audits(t, c.query)), c.want)
	}
	nobody, err := j.AuditEntries(t.Context(), "", AuditQuery{})
	must(t, err)
	check(t, "entries of nobody", len(nobody), 0)
}

func TestALongRefusalIsCutBetweenLetters(t *testing.T) {
	j, _ := newJournal(t)
	long := entry("act-1", "refused")
	long.Message = strings.Repeat("ü", 5*longestMessage)
	must(t, j.Record(t.Context(), nil, long))
	check(t, "message", j.audits(t, AuditQuery{})[0].Message, strings.Repeat("ü", longestMessage)+"…")
}

func TestStoredFieldNamesOfAuditEntriesStay(t *testing.T) {
	j, _ := newJournal(t)
	must(t, j.Record(t.Context(), nil, entry("act-1", "done")))
	raw, err := (store.Log[map[string]any]{Table: audit.Table}).List(t.Context(), j.db, store.Installation(), store.LogQuery{})
	must(t, err)
	check(t, "stored", fmt.Sprint(raw[0].Value), `map[account:act-1 agent:curl/8 context:{"body":{"subject":"tok-2","status":404}} email:ci@example.com message: method:PUT name:ci `+
		"need:elastigroup:updateGroup object:sig-1 operation:spot.elastigroup.aws.update organisation:606000000001 outcome:done path:/aws/ec2/group/sig-1 remote:192.0.2.1 request:req-1 "+
		"source:API status:200 subject:tok-1]")
}

func TestWhatAnOlderReleaseRecordedIsRead(t *testing.T) {
	j, _ := newJournal(t)
	older := entry("act-1", "done")
	older.Email, older.Remote, older.Agent, older.Source, older.Status, older.Context = "", "", "", "", 0, ""
	must(t, j.Record(t.Context(), nil, older))
	check(t, "entry", j.audits(t, AuditQuery{})[0].AuditEntry, older)
}

func TestAuditEntriesAreFoundBySubjectAndSuccessAsTheyWereRecordedNotAsTheyWereSent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j, _ := journalOn(at.Open(t))
		other, failed := entry("act-1", "done"), entry("act-1", "refused")
		other.Subject, failed.Status, failed.Message = `tok-"2"`, 404, "Null: \x00"
		for _, e := range []op.AuditEntry{entry("act-1", "done"), other, failed} {
			must(t, j.Record(t.Context(), nil, e))
		}
		for name, c := range map[string]struct {
			query AuditQuery
			want  int
		}{
			"subject":         {AuditQuery{Subject: "tok-1"}, 2},
			"quoted subject":  {AuditQuery{Subject: `tok-"2"`}, 1},
			"sent only":       {AuditQuery{Subject: "tok-2"}, 0},
			"capital letters": {AuditQuery{Subject: "TOK-1"}, 0},
			"status 200":      {AuditQuery{Succeeded: true}, 2},
			"both":            {AuditQuery{Succeeded: true, Subject: "tok-1"}, 1},
		} {
			check(t, name, len(j.audits(t, c.query)), c.want)
		}
	})
}

func TestPagesGoOnBehindAnEntryAndMissNone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		j, _ := journalOn(at.Open(t))
		for n := range 25 {
			e := entry("act-1", "done")
			if n%5 == 4 {
				e.Organisation = "606000000002"
			}
			must(t, j.Record(t.Context(), nil, e))
		}
		all := j.audits(t, AuditQuery{})
		check(t, "entries", len(all), 20)
		var paged []AuditEntry
		for after := ""; ; after = paged[len(paged)-1].ID {
			page := j.audits(t, AuditQuery{After: after, Limit: 3})
			if paged = append(paged, page...); len(page) == 0 {
				break
			}
		}
		check(t, "paged", len(paged), len(all))
		for n := range all {
			check(t, "entry", paged[n], all[n])
		}
		middle := all[10]
		for name, c := range map[string]struct {
			query AuditQuery
			least AuditEntry
			most  AuditEntry
		}{
			"newer than it": {AuditQuery{Newer: middle.At}, all[9], all[0]},
			"older than it": {AuditQuery{To: middle.At}, all[19], all[11]},
		} {
			found := j.audits(t, c.query)
			if len(found) == 0 || found[0].ID != c.most.ID || found[len(found)-1].ID != c.least.ID {
				t.Errorf("%s: %d entries", name, len(found))
			}
		}
	})
}

func TestAnOrganisationNeverSeesAnothersEntries(t *testing.T) {
	j, _ := newJournal(t)
	foreign := entry("act-1", "done")
	foreign.Organisation = "606000000002"
	must(t, j.Record(t.Context(), nil, foreign))
	must(t, j.Record(t.Context(), nil, entry("act-1", "done")))
	theirs, err := j.AuditEntries(t.Context(), "606000000002", AuditQuery{})
	must(t, err)
	id := theirs[0].ID
	for organisation, want := range map[string]fault.Kind{"606000000001": fault.NotFound, "": fault.NotFound, "606000000002": ""} {
		got, err := j.AuditEntryByID(t.Context(), organisation, id)
		if want == "" && (err != nil || got != theirs[0]) || want != "" && !fault.Is(err, want) {
			t.Errorf("%q reads %+v, %v", organisation, got, err)
		}
	}
	if _, err := j.AuditEntries(t.Context(), "606000000001", AuditQuery{After: id}); !fault.Is(err, fault.Invalid) {
		t.Errorf("their entry as a place to go on from: %v", err)
	}
	for _, q := range []AuditQuery{{}, {Account: "act-1"}, {Subject: "tok-1"}, {Succeeded: true}, {Newer: noon}, {To: time.Now().Add(time.Hour)}} {
		for _, e := range j.audits(t, q) {
			check(t, "organisation", e.Organisation, "606000000001")
		}
	}
}
