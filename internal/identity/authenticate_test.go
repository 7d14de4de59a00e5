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

func bearer(text string) op.Credential { return op.Credential{Token: text} }

func TestATokenTellsItsCaller(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	account := i.account(t, i.organisation, "prod")
	i.account(t, i.organisation, "test")
	caller, err := i.Authenticate(t.Context(), bearer(secret))
	must(t, err)
	rights := caller.Rights
	caller.Rights = nil
	check(t, "caller", caller, op.Caller{Organisation: i.organisation, Subject: made.User, Name: "owner", Token: made.ID, Default: account.ID})
	must(t, rights.Authorize(op.Deed{Need: "elastigroup:scaleUp", Account: account.ID}))
}

func TestUnknownAndRevokedTokensReadTheSame(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	_, err := i.Authenticate(t.Context(), bearer(secret))
	must(t, err)
	must(t, i.RevokeToken(t.Context(), i.organisation, "", made.ID))
	_, gone := i.Authenticate(t.Context(), bearer(secret))
	_, never := i.Authenticate(t.Context(), bearer(mint().text))
	_, again := i.Authenticate(t.Context(), bearer(secret))
	check(t, "kind", fault.KindOf(gone), fault.Unauthenticated)
	check(t, "text of an unknown token", never.Error(), gone.Error())
	check(t, "text from memory", again.Error(), gone.Error())
}

func TestARightNameWithAWrongSecretIsUnknown(t *testing.T) {
	i, _ := started(t)
	secret, _ := i.token(t, "ci")
	other := mint().text
	forged := secret[:secretStart] + other[secretStart:secretStart+secretSize]
	_, err := i.Authenticate(t.Context(), bearer(forged+checksum(forged)))
	check(t, "kind", fault.KindOf(err), fault.Unauthenticated)
	_, err = i.Authenticate(t.Context(), bearer(secret))
	must(t, err)
}

func TestARevocationHoldsFromTheNextRequestOnInEveryProcess(t *testing.T) {
	i, _ := started(t)
	other := New(Config{DB: i.db, Key: testKey})
	secret, made := i.token(t, "ci")
	_, err := other.Authenticate(t.Context(), bearer(secret))
	must(t, err)
	must(t, i.RevokeToken(t.Context(), i.organisation, "", made.ID))
	_, err = other.Authenticate(t.Context(), bearer(secret))
	check(t, "kind", fault.KindOf(err), fault.Unauthenticated)
}

func TestARevocationThatIsRolledBackChangesNothing(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	must(t, i.RevokeToken(store.WithDryRun(t.Context()), i.organisation, "", made.ID))
	_, err := i.Authenticate(t.Context(), bearer(secret))
	must(t, err)
}

func TestAFloodOfUnknownTokensIsForgottenAndDisplacesNoKnownOne(t *testing.T) {
	i, admin := started(t)
	_, err := i.Authenticate(t.Context(), bearer(admin))
	must(t, err)
	for range mostAnswers + 10 {
		var hash [hashSize]byte
		copy(hash[:], mint().text)
		i.strangers.put(hash, struct{}{}, 0)
	}
	if kept := len(i.strangers.answers); kept > mostAnswers {
		t.Errorf("%d unknown tokens are remembered", kept)
	}
	check(t, "known tokens", len(i.tokens.kept), 1)
}

func TestTheLastUseIsNotedOnceAnHour(t *testing.T) {
	i, _ := started(t)
	secret, made := i.token(t, "ci")
	check(t, "use before the first", made.Used, time.Time{})
	for range 3 {
		_, err := i.Authenticate(store.WithDryRun(t.Context()), bearer(secret))
		must(t, err)
		clear(i.tokens.kept)
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
	caller, err := i.Authenticate(t.Context(), bearer(admin))
	must(t, err)

	may := func(need, account string) error {
		return caller.Rights.Authorize(op.Deed{Need: need, Account: account, Reads: true})
	}
	must(t, may("elastigroup:describeGroup", own.ID))
	must(t, may("setup:describeAccounts", ""))
	for _, id := range []string{foreign.ID, "act-" + "00000000"} {
		refusal := fault.As(may("elastigroup:describeGroup", id))
		check(t, "kind", refusal.Kind, fault.Denied)
		check(t, "noun", refusal.Noun, "account")
		check(t, "text", refusal.Message, fmt.Sprintf("You have no right to do this in account %q; check the account's id.", id))
	}
}

func BenchmarkAuthenticateAndAuthorize(b *testing.B) {
	i, admin := started(b)
	account := i.account(b, i.organisation, "prod")
	caller, err := i.Authenticate(b.Context(), bearer(admin))
	must(b, err)
	for name, work := range map[string]func() error{
		"authenticate": func() error { _, err := i.Authenticate(b.Context(), bearer(admin)); return err },
		"authorize": func() error {
			return caller.Rights.Authorize(op.Deed{Need: "elastigroup:describeGroup", Account: account.ID})
		},
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
