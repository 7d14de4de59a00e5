package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/identity"
)

// simCloud is the cloud of accounts that cost nothing.
const simCloud = "sim"

// checks asks the clouds whether credentials are good; what a simulated account is given is looked at and believed.
type checks struct{}

// AssumeRole is identity.Clouds'.
func (checks) AssumeRole(_ context.Context, a identity.Account, role, _ string) (string, error) {
	if a.Cloud == simCloud {
		return sim.AssumeRole(role)
	}
	return "", unreachable(a)
}

// ServiceAccount is identity.Clouds'.
func (checks) ServiceAccount(_ context.Context, a identity.Account, key []byte) (project, email string, err error) {
	if a.Cloud == simCloud {
		return sim.ServiceAccount(key)
	}
	return "", "", unreachable(a)
}

// App is identity.Clouds'.
func (checks) App(_ context.Context, a identity.Account, app identity.AzureApp) error {
	if a.Cloud != simCloud {
		return unreachable(a)
	}
	var faults []*fault.Error
	for field, value := range map[string]string{"clientId": app.Client, "clientSecret": app.Secret, "tenantId": app.Tenant} {
		if value == "" {
			faults = append(faults, fault.Field(field, "is required"))
		}
	}
	return fault.All(faults)
}

func unreachable(a identity.Account) error {
	return fault.Of(fault.Unavailable, "cloud", "This Neap cannot reach the cloud of account %s.", a.ID)
}

// occupied says what still runs in an account.
func (a *App) occupied(ctx context.Context, account string) (string, error) {
	size, err := a.Fleet.Size(ctx, account)
	if err != nil || size == (fleet.Size{}) {
		return "", err
	}
	return fmt.Sprintf("%d groups and %d instances", size.Groups, size.Instances), nil
}

// needs lists what operations need.
func (a *App) needs() []string {
	var all []string
	for _, o := range a.server.Operations() {
		if !slices.Contains(all, o.Need) {
			all = append(all, o.Need)
		}
	}
	return all
}
