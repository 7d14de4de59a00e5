package identity

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// eventually waits for what another process would see, which takes up to a second.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

func TestATokenTellsItsCaller(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	account := i.account(t, i.organisation, "prod")
	i.account(t, i.organisation, "test")
	caller, err := i.Authenticate(t.Context(), secret)
	must(t, err)
	check(t, "caller", caller, op.Caller{Organisation: i.organisation, Subject: made.ID, Name: "ci", Default: account.ID})
}

func TestUnknownAndRevokedTokensReadTheSame(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	_, err := i.Authenticate(t.Context(), secret)
	must(t, err)
	must(t, i.RevokeToken(t.Context(), i.organisation, made.ID))
	_, gone := i.Authenticate(t.Context(), secret)
	_, never := i.Authenticate(t.Context(), mint().text)
	_, again := i.Authenticate(t.Context(), secret)
	check(t, "kind", fault.KindOf(gone), fault.Unauthenticated)
	check(t, "text of an unknown token", never.Error(), gone.Error())
	check(t, "text from memory", again.Error(), gone.Error())
}

func TestARightNameWithAWrongSecretIsUnknown(t *testing.T) {
	i, _ := started(t)
	secret, _ := i.token(t, "ci")
	other := mint().text
	forged := secret[:secretStart] + other[secretStart:secretStart+secretSize]
	_, err := i.Authenticate(t.Context(), forged+checksum(forged))
	check(t, "kind", fault.KindOf(err), fault.Unauthenticated)
	_, err = i.Authenticate(t.Context(), secret)
	must(t, err)
}

func TestARevocationReachesOtherProcessesWithinASecondOrSo(t *testing.T) {
	i, _ := started(t)
	other := New(Config{DB: i.db, Key: testKey})
	secret, made := i.token(t, "ci")
	_, err := other.Authenticate(t.Context(), secret)
	must(t, err)
	must(t, i.RevokeToken(t.Context(), i.organisation, made.ID))
	eventually(t, "the other process refuses the token", func() bool {
		_, err := other.Authenticate(t.Context(), secret)
		return fault.Is(err, fault.Unauthenticated)
	})
}

func TestARevocationThatIsRolledBackChangesNothing(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	must(t, i.RevokeToken(store.WithDryRun(t.Context()), i.organisation, made.ID))
	_, err := i.Authenticate(t.Context(), secret)
	must(t, err)
}

func TestAFloodOfUnknownTokensIsForgottenAndDisplacesNoKnownOne(t *testing.T) {
	i, admin := started(t)
	_, err := i.Authenticate(t.Context(), admin)
	must(t, err)
	for range mostAnswers + 10 {
		var hash [hashSize]byte
		copy(hash[:], mint().text)
		i.strangers.put(hash, struct{}{}, 0)
	}
	if kept := len(i.strangers.answers); kept > mostAnswers {
		t.Errorf("%d unknown tokens are remembered", kept)
	}
	check(t, "known tokens", len(i.tokens.answers), 1)
}

func TestTheLastUseIsNotedOnceAnHour(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	check(t, "use before the first", made.Used, time.Time{})
	for range 3 {
		_, err := i.Authenticate(store.WithDryRun(t.Context()), secret)
		must(t, err)
		i.tokens.forget()
	}
	doc, err := tokens.Get(t.Context(), i.db, store.Installation(), made.ID)
	must(t, err)
	if since := time.Since(doc.Value.Used); since > coarse+time.Minute || doc.Value.Used.Truncate(coarse) != doc.Value.Used {
		t.Errorf("last use is noted as %s", doc.Value.Used)
	}
	check(t, "writes", doc.Version, 2)
}

func TestAForeignAccountReadsLikeAMissingOne(t *testing.T) {
	i, admin := started(t)
	own := i.account(t, i.organisation, "own")
	var other Organisation
	i.tx(t, func(ctx context.Context, tx *store.Tx) (err error) {
		other, err = i.CreateOrganisation(ctx, tx, "Other")
		return err
	})
	foreign := i.account(t, other.ID, "theirs")
	caller, err := i.Authenticate(t.Context(), admin)
	must(t, err)

	must(t, i.Authorize(t.Context(), caller, "elastigroup:describeGroup", own.ID))
	must(t, i.Authorize(t.Context(), caller, "setup:describeAccounts", ""))
	missing := "act-" + "00000000"
	refusals := map[string]*fault.Error{}
	for _, id := range []string{foreign.ID, missing} {
		refusals[id] = fault.As(i.Authorize(t.Context(), caller, "elastigroup:describeGroup", id))
		check(t, "kind", refusals[id].Kind, fault.Denied)
		check(t, "noun", refusals[id].Noun, "account")
		check(t, "text", refusals[id].Message, fmt.Sprintf("You have no right to do this in account %q; check the account's id.", id))
	}
	for what, denied := range map[string]error{
		"nobody":       i.Authorize(t.Context(), op.Caller{}, "elastigroup:describeGroup", own.ID),
		"no need":      i.Authorize(t.Context(), caller, "", own.ID),
		"organisation": i.Authorize(t.Context(), op.Caller{Organisation: other.ID}, "elastigroup:describeGroup", own.ID),
	} {
		check(t, what, fault.KindOf(denied), fault.Denied)
	}
}

func TestAnOrganisationThatIsGoneIsDenied(t *testing.T) {
	i, _ := started(t)
	err := i.Authorize(t.Context(), op.Caller{Organisation: "100000000000"}, "elastigroup:describeGroup", "act-00000000")
	check(t, "kind", fault.KindOf(err), fault.Denied)
}

func BenchmarkAuthenticateAndAuthorize(b *testing.B) {
	i, admin := started(b)
	account := i.account(b, i.organisation, "prod")
	caller, err := i.Authenticate(b.Context(), admin)
	must(b, err)
	for name, work := range map[string]func() error{
		"authenticate": func() error { _, err := i.Authenticate(b.Context(), admin); return err },
		"authorize":    func() error { return i.Authorize(b.Context(), caller, "elastigroup:describeGroup", account.ID) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := work(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}
