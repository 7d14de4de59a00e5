package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

func TestAMintedTokenChecksOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := mint()
		if err := CheckToken(m.text); err != nil || len(m.text) != tokenSize || idOf(m.text) != m.id {
			t.Fatalf("%q with id %s: %v", m.text, m.id, err)
		}
	})
}

func TestATypoIsRecognisedWithoutALookUp(t *testing.T) {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	rapid.Check(t, func(t *rapid.T) {
		text := mint().text
		at := rapid.IntRange(0, len(text)-2).Draw(t, "at")
		var wrong string
		switch rapid.SampledFrom([]string{"other letter", "swapped", "left out", "doubled"}).Draw(t, "typo") {
		case "other letter":
			wrong = text[:at] + string(letters[rapid.IntRange(0, len(letters)-1).Draw(t, "letter")]) + text[at+1:]
		case "swapped":
			wrong = text[:at] + text[at+1:at+2] + text[at:at+1] + text[at+2:]
		case "left out":
			wrong = text[:at] + text[at+1:]
		case "doubled":
			wrong = text[:at] + text[at:at+1] + text[at:]
		}
		if err := CheckToken(wrong); wrong != text && fault.KindOf(err) != fault.Unauthenticated {
			t.Fatalf("%q, which was %q, gives %v", wrong, text, err)
		}
	})
}

func TestEachWrongTokenIsExplained(t *testing.T) {
	good := mint().text
	for text, say := range map[string]string{
		"":                        "has no token",
		"letmein":                 "begin with",
		"NEAP" + good[4:]:         "begin with",
		good + "x":                "begin with",
		good[:len(good)-1] + "?":  "mistyped",
		strings.ToUpper(good)[:9]: "begin with",
	} {
		if err := CheckToken(text); fault.KindOf(err) != fault.Unauthenticated || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, want %q", text, err, say)
		}
	}
}

func FuzzCheckToken(f *testing.F) {
	f.Add(mint().text)
	f.Add("neap_")
	f.Fuzz(func(t *testing.T, text string) {
		err := CheckToken(text)
		same := len(text) == tokenSize && strings.HasPrefix(text, tokenPrefix) && text[tokenSize-checksumSize:] == checksum(text[:tokenSize-checksumSize])
		if (err == nil) != same {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func TestATokenIsShownOnceAndListedWithoutItsSecret(t *testing.T) {
	i, admin := started(t)
	secret, made := i.token(t, "ci")
	check(t, "last characters", secret[len(secret)-4:], made.Last)
	list, err := i.Tokens(t.Context(), i.organisation)
	must(t, err)
	check(t, "tokens", len(list), 2)
	check(t, "listed", list[1], made)
	for _, text := range []string{admin, secret} {
		if strings.Contains(fmt.Sprintf("%+v", list), text[secretStart:secretStart+secretSize]) {
			t.Error("a listed token shows its secret")
		}
	}
}

func TestNoSecretIsInTheDatabase(t *testing.T) {
	i, admin := started(t)
	secret, _ := i.token(t, "ci")
	if _, err := i.Authenticate(t.Context(), bearer(secret)); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, table := range []string{"tokens", "installation", "organisations", "accounts", "users", "user_groups"} {
		docs, _, err := (store.Collection[any]{Table: table}).List(t.Context(), i.db, store.Installation(), store.Query{})
		must(t, err)
		fmt.Fprintf(&all, "%+v\n", docs)
	}
	for _, text := range []string{admin, secret} {
		if strings.Contains(all.String(), text[secretStart:secretStart+secretSize]) {
			t.Error("a token's secret is in the database")
		}
	}
	if strings.Contains(all.String(), string(testKey)) {
		t.Error("the server key is in the database")
	}
}

func TestRevokingNeedsAValidTokenOfOnesOwnOrganisation(t *testing.T) {
	i, _ := started(t)
	_, made := i.token(t, "ci")
	var other Organisation
	i.tx(t, func(ctx context.Context, tx *store.Tx) (err error) {
		other, err = i.CreateOrganisation(ctx, tx, "Other")
		return err
	})
	for _, c := range []struct {
		organisation, id string
		want             fault.Kind
	}{
		{other.ID, made.ID, fault.NotFound},
		{"", made.ID, fault.NotFound},
		{i.organisation, "tok-00000000", fault.NotFound},
		{i.organisation, made.ID, ""},
		{i.organisation, made.ID, fault.NotFound},
	} {
		check(t, fmt.Sprintf("revoking %+v", c), fault.KindOf(i.RevokeToken(t.Context(), c.organisation, "", c.id)), c.want)
	}
	list, err := i.Tokens(t.Context(), i.organisation)
	must(t, err)
	check(t, "revoking the last token", fault.KindOf(i.RevokeToken(t.Context(), i.organisation, "", list[0].ID)), fault.Conflict)
}

func TestATokenNeedsANameAndAnOrganisation(t *testing.T) {
	i, _ := started(t)
	for _, c := range []struct {
		organisation, name string
		want               fault.Kind
	}{
		{i.organisation, "", fault.Invalid}, {i.organisation, "12", fault.Invalid}, {i.organisation, strings.Repeat("a", 256), fault.Invalid},
		{"100000000000", "ci", fault.NotFound},
	} {
		_, _, err := i.CreateToken(t.Context(), c.organisation, NewToken{Name: c.name})
		check(t, fmt.Sprintf("creating %.20q in %s", c.name, c.organisation), fault.KindOf(err), c.want)
	}
}

func TestAReplacedTokenIsTheOnlyOneOfItsKind(t *testing.T) {
	i, admin := started(t)
	robot, first, err := i.CreateUser(t.Context(), NewUser{Token: "first", User: User{Organisation: i.organisation, Program: true, Name: "robot", Role: Admin}})
	must(t, err)
	_, _, err = i.CreateToken(t.Context(), i.organisation, NewToken{User: robot.ID, Name: "key", Kind: AccessKey})
	must(t, err)
	second, made, err := i.ReplaceTokens(t.Context(), i.organisation, NewToken{User: robot.ID, Name: "second"})
	must(t, err)
	for text, want := range map[string]fault.Kind{first: fault.Unauthenticated, second: "", admin: ""} {
		_, err := i.Authenticate(t.Context(), bearer(text))
		check(t, "a token of "+text[:13], fault.KindOf(err), want)
	}
	list, err := i.Tokens(t.Context(), i.organisation)
	must(t, err)
	var names []string
	for _, one := range list {
		names = append(names, one.Name)
	}
	slices.Sort(names)
	check(t, "tokens", strings.Join(names, " "), "admin key second")
	check(t, "made for", made.User, robot.ID)

	_, _, err = i.ReplaceTokens(t.Context(), i.organisation, NewToken{User: "pu-00000000", Name: "third"})
	check(t, "an unknown user's", fault.KindOf(err), fault.NotFound)
	_, _, err = i.ReplaceTokens(t.Context(), i.organisation, NewToken{User: robot.ID, Name: "3"})
	check(t, "a nameless one", fault.KindOf(err), fault.Invalid)
	_, err = i.Authenticate(t.Context(), bearer(second))
	check(t, "the token after a refused replacement", fault.KindOf(err), "")
}
