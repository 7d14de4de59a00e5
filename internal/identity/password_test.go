package identity

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

const strong = "Correct-Horse-1"

func TestAPasswordIsKeptAsAHashThatFitsItAlone(t *testing.T) {
	i, _ := started(t)
	hash, err := i.hashPassword(t.Context(), strong)
	must(t, err)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, strong) {
		t.Errorf("hash %q", hash)
	}
	again, err := i.hashPassword(t.Context(), strong)
	must(t, err)
	check(t, "salted", hash == again, false)
	check(t, "the password", isPassword(hash, strong), true)
	for _, wrong := range []string{"", "correct-horse-1", strong + " "} {
		check(t, wrong, isPassword(hash, wrong), false)
	}
	for _, broken := range []string{"", "x", strings.Replace(hash, "m=19456", "m=99999999", 1), strings.Replace(hash, "v=19", "v=1", 1), hash[:len(hash)-60], strings.Replace(hash, "$m", "$x", 1)} {
		check(t, broken, isPassword(broken, strong), false)
	}
}

func TestWeakPasswordsAreRefused(t *testing.T) {
	i, _ := started(t)
	for _, weak := range []string{"Aa1!", "alllower1!", "ALLUPPER1!", "NoDigits!!", "NoSpecial11", strings.Repeat("Aa1!", 300)} {
		_, err := i.hashPassword(t.Context(), weak)
		check(t, weak[:min(20, len(weak))], fault.As(err).Field, "password")
	}
	none, err := i.hashPassword(t.Context(), "")
	must(t, err)
	check(t, "no password", none, "")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range hashesAtOnce { // somebody else's turn
		i.hashes <- struct{}{}
	}
	_, err = i.hashPassword(gone, strong)
	check(t, "nobody waits", err, context.Canceled)
}

func TestSigningInGivesATokenForADay(t *testing.T) {
	i, _ := started(t)
	other, err := i.AddOrganisation(t.Context(), i.organisation, "Other")
	must(t, err)
	i.human(t, other.ID, "ada@example.com", func(n *NewUser) { n.Password = "Another-Horse-2" })
	ada, _ := i.human(t, i.organisation, "ada@example.com", func(n *NewUser) { n.Password = strong })
	secret, made, err := i.SignIn(t.Context(), "ADA@example.com", strong)
	must(t, err)
	check(t, "user", made.User, ada.ID)
	if left := time.Until(made.Expires); left > signInLasts || left < signInLasts-time.Minute {
		t.Errorf("it lasts %s", left)
	}
	_, err = i.Authenticate(t.Context(), bearer(secret))
	must(t, err)
	_, wrong, nobody := "", second2(i.SignIn(t.Context(), "ada@example.com", "wrong")), second2(i.SignIn(t.Context(), "bob@example.com", strong))
	check(t, "kind", fault.KindOf(wrong), fault.Unauthenticated)
	check(t, "an unknown address reads the same", nobody.Error(), wrong.Error())
	_, err = i.UpdateUser(t.Context(), i.organisation, ada.ID, func(u *User) error { u.Disabled = true; return nil })
	must(t, err)
	check(t, "disabled", second2(i.SignIn(t.Context(), "ada@example.com", strong)).Error(), wrong.Error())
}
