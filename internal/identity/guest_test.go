package identity

import (
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

func TestAGuestWorksOnSingleInstancesOfTheFirstAccountAndNothingElse(t *testing.T) {
	i, _ := started(t)
	own, other := i.account(t, i.organisation, "first"), i.account(t, i.organisation, "second")
	caller, err := i.Authenticate(t.Context(), op.Credential{Guest: true})
	must(t, err)
	if caller.Organisation != i.organisation || caller.Default != own.ID || caller.Subject == "" {
		t.Fatalf("%+v", caller)
	}
	for _, c := range []struct {
		need, account string
		may           bool
	}{
		{"launch:runInstances", own.ID, true}, {"launch:describeInstance", own.ID, true},
		{"launch:runInstances", other.ID, false}, {"launch:runInstances", "act-00000000", false}, {"launch:runInstances", "", false},
		{"launcher:run", own.ID, false}, {"elastigroup:listGroups", own.ID, false}, {"setup:describeAccount", own.ID, false}, {"neap:listTokens", "", false},
	} {
		deed := op.Deed{Need: c.need, Account: c.account}
		if err := caller.Rights.Authorize(deed); (err == nil) != c.may || err != nil && !fault.Is(err, fault.Denied) {
			t.Errorf("%+v: %v", deed, err)
		}
	}
}

func TestNobodyIsAGuestWhereAnAccountIsReal(t *testing.T) {
	for name, cloud := range map[string]string{"aws": "aws", "not known yet": ""} {
		i, _ := started(t)
		if _, err := i.Authenticate(t.Context(), op.Credential{Guest: true}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("before there is an account: %v", err)
		}
		i.account(t, i.organisation, "first")
		made, err := i.AddOrganisation(t.Context(), i.organisation, "Acme")
		must(t, err)
		if _, err := i.AddAccount(t.Context(), Account{Organisation: made.ID, Name: "real", Cloud: cloud, Provider: "AWS"}); err != nil {
			t.Fatal(err)
		}
		i.reality.forget() // what was true a second ago
		if _, err := i.Authenticate(t.Context(), op.Credential{Guest: true}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheGuestsOwnAccountIsNeverTakenForSimulatedFromMemory(t *testing.T) {
	i, _ := started(t)
	own := i.account(t, i.organisation, "first")
	if _, err := i.Authenticate(t.Context(), op.Credential{Guest: true}); err != nil {
		t.Fatal(err)
	}
	_, err := i.UpdateAccount(t.Context(), i.organisation, own.ID, func(a *Account) error { a.Cloud = "aws"; return nil })
	must(t, err)
	if _, err := i.Authenticate(t.Context(), op.Credential{Guest: true}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("%v", err)
	}
}
