package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

func entry(account, outcome string) op.AuditEntry {
	return op.AuditEntry{
		Request: "req-1", Organisation: "606000000001", Account: account, Subject: "tok-1", Name: "ci", Operation: "spot.elastigroup.aws.update",
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
	raw, err := (store.Log[map[string]string]{Table: audit.Table}).List(t.Context(), j.db, store.Installation(), store.LogQuery{})
	must(t, err)
	check(t, "stored", fmt.Sprint(raw[0].Value), "map[account:act-1 message: method:PUT name:ci need:elastigroup:updateGroup object:sig-1 "+
		"operation:spot.elastigroup.aws.update organisation:606000000001 outcome:done path:/aws/ec2/group/sig-1 request:req-1 subject:tok-1]")
}
