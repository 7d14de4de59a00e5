package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

func (i tested) pair(t testing.TB) (access, secret string, made Token) {
	t.Helper()
	text, made, err := i.CreateToken(t.Context(), i.organisation, NewToken{Name: "pair", Kind: AccessKey})
	must(t, err)
	access, secret, _ = strings.Cut(text, ":")
	return access, secret, made
}

func proving(access, with string) op.Credential {
	return op.Credential{Key: access, Proves: func(secret string) bool { return SameSecret(secret, with) }}
}

func TestAnAccessKeyIsProvenByItsSecret(t *testing.T) {
	i, _ := started(t)
	access, secret, made := i.pair(t)
	caller, err := i.Authenticate(t.Context(), proving(access, secret))
	must(t, err)
	check(t, "token", caller.Token, made.ID)
	other, theirs, _ := i.pair(t)
	for what, c := range map[string]op.Credential{
		"another's secret": proving(access, theirs), "another's name": proving(other, secret), "no name": proving("neapkey-zzzzzzzz", secret), "a short name": proving("x", secret),
		"as a bearer": bearer(secret), "its name as a bearer": bearer(access),
	} {
		_, err := i.Authenticate(t.Context(), c)
		check(t, what, fault.KindOf(err), fault.Unauthenticated)
	}
	text, _ := i.token(t, "bearer")
	_, err = i.Authenticate(t.Context(), proving(pairPrefix+text[len(tokenPrefix):secretStart-1], ""))
	check(t, "a bearer as a pair", fault.KindOf(err), fault.Unauthenticated)
	doc, err := tokens.Get(t.Context(), i.db, store.Installation(), made.ID)
	must(t, err)
	check(t, "the secret is in the database", strings.Contains(string(doc.Value.Sealed), secret), false)
}

func TestASignedRequestIsAcceptedOnceAndInTime(t *testing.T) {
	i, _ := started(t)
	access, secret, _ := i.pair(t)
	try := func(nonce string, off time.Duration) error {
		c := proving(access, secret)
		c.Nonce, c.Signed = nonce, time.Now().Add(off)
		_, err := i.Authenticate(store.WithDryRun(t.Context()), c)
		return err
	}
	must(t, try("one", 0))
	must(t, try("two", skew-time.Second))
	must(t, try("three", time.Second-skew))
	check(t, "again", fault.As(try("one", 0)).Noun, "nonce")
	check(t, "too old", fault.As(try("four", -skew-time.Second)).Noun, "timestamp")
	check(t, "too new", fault.As(try("five", skew+time.Minute)).Noun, "timestamp")
	other, theirs, _ := i.pair(t)
	c := proving(other, theirs)
	c.Nonce, c.Signed = "one", time.Now()
	_, err := i.Authenticate(t.Context(), c)
	must(t, err)
}

func TestATenantThatTheAddressNamesHasToBeTheCallers(t *testing.T) {
	i, _ := started(t)
	of, err := i.Organisation(t.Context(), i.organisation)
	must(t, err)
	access, secret, _ := i.pair(t)
	for tenant, want := range map[string]fault.Kind{"": "", of.Slug(): "", "acme-1234": fault.Unauthenticated} {
		c := proving(access, secret)
		c.Tenant = tenant
		_, err := i.Authenticate(t.Context(), c)
		check(t, tenant, fault.KindOf(err), want)
	}
	check(t, "slug", Organisation{ID: "123456789012", Name: "  Äcme & Söhne "}.Slug(), "cme-s-hne-9012")
}

func TestATokenEndsWhenItSaysSo(t *testing.T) {
	i, _ := started(t)
	_, _, err := i.CreateToken(t.Context(), i.organisation, NewToken{Name: "late", Expires: time.Now().Add(-time.Second)})
	check(t, "in the past", fault.As(err).Field, "expires")
	secret, made, err := i.CreateToken(t.Context(), i.organisation, NewToken{Name: "soon", Expires: time.Now().Add(time.Hour)})
	must(t, err)
	_, err = i.Authenticate(t.Context(), bearer(secret))
	must(t, err)
	doc, err := tokens.Get(t.Context(), i.db, store.Installation(), made.ID)
	must(t, err)
	check(t, "retention goes by its end", doc.State+" "+doc.At.String(), expiring+" "+doc.Value.Expires.Truncate(time.Microsecond).UTC().String())
	doc.Value.Expires = time.Now().Add(-time.Second)
	_, err = tokens.Update(t.Context(), i.db, doc)
	must(t, err)
	clear(i.tokens.kept)
	_, err = i.Authenticate(t.Context(), bearer(secret))
	check(t, "kind", fault.KindOf(err), fault.Unauthenticated)
	list, err := i.Tokens(t.Context(), i.organisation)
	must(t, err)
	check(t, "listed", len(list), 1)
}
