package identity

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

func (i tested) vendorOf(t testing.TB, organisation string) (id, secret string) {
	t.Helper()
	secret, made, err := i.CreateToken(t.Context(), organisation, NewToken{Name: "vendor", Kind: Vendor})
	must(t, err)
	return made.ID, secret
}

func TestAVendorTradesAPersonalTokenForBearers(t *testing.T) {
	i, _ := started(t)
	id, secret := i.vendorOf(t, i.organisation)
	ada, personal := i.human(t, i.organisation, "ada@example.com", func(n *NewUser) { n.Token = "personal" })
	first, err := i.TradeToken(t.Context(), bearer(personal), id, secret)
	must(t, err)
	next, err := i.RefreshToken(t.Context(), first.Refresh, id, secret)
	must(t, err)
	for _, text := range []string{first.Bearer, next.Bearer} {
		caller, err := i.Authenticate(t.Context(), bearer(text))
		must(t, err)
		check(t, "user", caller.Subject, ada.ID)
	}
	if left := time.Until(next.Expires); left > bearerLasts || left < bearerLasts-time.Minute {
		t.Errorf("it lasts %s", left)
	}
	for what, text := range map[string]string{"a refresh token": first.Refresh, "a vendor's secret": secret} {
		_, err := i.Authenticate(t.Context(), bearer(text))
		check(t, what+" is no bearer", fault.KindOf(err), fault.Unauthenticated)
	}

	list, err := i.Tokens(t.Context(), i.organisation)
	must(t, err)
	for _, made := range list {
		if made.Kind == Refresh {
			must(t, i.RevokeToken(t.Context(), i.organisation, "", made.ID))
		}
	}
	_, err = i.Authenticate(t.Context(), bearer(next.Bearer))
	check(t, "a bearer of a revoked refresh token", fault.KindOf(err), fault.Unauthenticated)
	_, err = i.RefreshToken(t.Context(), first.Refresh, id, secret)
	check(t, "a revoked refresh token", fault.KindOf(err), fault.NotFound)
}

func TestEveryFaultOfAVendorsCredentialsReadsAndTakesTheSame(t *testing.T) {
	i, _ := started(t)
	other, err := i.AddOrganisation(t.Context(), i.organisation, "Other")
	must(t, err)
	id, secret := i.vendorOf(t, i.organisation)
	otherID, otherSecret := i.vendorOf(t, other.ID)
	_, personal := i.human(t, i.organisation, "ada@example.com", func(n *NewUser) { n.Token = "personal" })
	trade, err := i.TradeToken(t.Context(), bearer(personal), id, secret)
	must(t, err)
	said := ""
	for what, try := range map[string]func() error{
		"no token":               func() error { return second(i.TradeToken(t.Context(), bearer(""), id, secret)) },
		"an unknown token":       func() error { return second(i.TradeToken(t.Context(), bearer(mint().text), id, secret)) },
		"an unknown vendor":      func() error { return second(i.TradeToken(t.Context(), bearer(personal), "tok-00000000", secret)) },
		"a wrong secret":         func() error { return second(i.TradeToken(t.Context(), bearer(personal), id, mint().text)) },
		"no secret":              func() error { return second(i.TradeToken(t.Context(), bearer(personal), id, "")) },
		"another organisation's": func() error { return second(i.TradeToken(t.Context(), bearer(personal), otherID, otherSecret)) },
		"a bearer as refresh":    func() error { return second(i.RefreshToken(t.Context(), personal, id, secret)) },
		"another's refresh":      func() error { return second(i.RefreshToken(t.Context(), trade.Refresh, otherID, otherSecret)) },
	} {
		before := time.Now()
		err := try()
		if took := time.Since(before); took < leastRefusal {
			t.Errorf("%s takes %s", what, took)
		}
		check(t, what, fault.KindOf(err), fault.NotFound)
		if said == "" {
			said = err.Error()
		}
		check(t, what, err.Error(), said)
	}
}
