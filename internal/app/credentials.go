package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/azure"
	"github.com/neap-cloud/neap/internal/cloud/gcp"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/identity"
)

// The clouds that instances run in.
const (
	simCloud = "sim" // costs nothing
	awsCloud = "aws"
)

// Clouds says where the clouds are; zero = every account is simulated.
type Clouds struct {
	Real bool // accounts that are made are in the cloud that their credentials are for
	// Other addresses than the clouds' own, for private ways to them and for tests.
	AWSEndpoint, GCPTokenURL, AzureLoginURL, AzureManagementURL string
	AWSEndpoints                                                map[string]string // of single services
	AWSQueue                                                    string            // name of the queue of notices; "" = aws.DefaultQueue
}

// checks asks the clouds whether credentials are good; what a simulated account is given is looked at and believed.
type checks struct {
	aws   *aws.AWS
	gcp   *gcp.GCP
	azure *azure.Azure
}

func newChecks(ctx context.Context, c Clouds, log *slog.Logger) (checks, error) {
	amazon, err := aws.New(ctx, aws.Config{Endpoint: c.AWSEndpoint, Endpoints: c.AWSEndpoints, Queue: c.AWSQueue, Log: log})
	return checks{
		aws: amazon, gcp: gcp.New(gcp.Config{TokenURL: c.GCPTokenURL}),
		azure: azure.New(azure.Config{LoginURL: c.AzureLoginURL, ManagementURL: c.AzureManagementURL}),
	}, err
}

// made is the cloud of accounts that are made.
func (c Clouds) made() string {
	if c.Real {
		return ""
	}
	return simCloud
}

// AssumeRole is identity.Clouds'.
func (c checks) AssumeRole(ctx context.Context, a identity.Account, role, external string) (string, error) {
	if a.Cloud == simCloud {
		return sim.AssumeRole(role)
	}
	return c.aws.AssumeRole(ctx, role, external)
}

// ServiceAccount is identity.Clouds'.
func (c checks) ServiceAccount(ctx context.Context, a identity.Account, key []byte) (project, email string, err error) {
	project, email, err = sim.ServiceAccount(key)
	if err == nil && a.Cloud != simCloud {
		project, err = c.gcp.Check(ctx, key)
		err = below("serviceAccount", err)
	}
	return project, email, err
}

// App is identity.Clouds'.
func (c checks) App(ctx context.Context, a identity.Account, app identity.AzureApp) error {
	if a.Cloud == simCloud {
		return sim.App(app.Client, app.Secret, app.Tenant)
	}
	return c.azure.Check(ctx, azure.App{ClientID: app.Client, ClientSecret: app.Secret, TenantID: app.Tenant, SubscriptionID: app.Subscription, Expires: app.Expires})
}

// below puts the fields of all faults below another one.
func below(field string, err error) error {
	if err == nil {
		return nil
	}
	known := *fault.As(err)
	others := known.Others
	known.Others = nil
	var all []*fault.Error
	for _, f := range append([]*fault.Error{&known}, others...) {
		moved := *f
		if moved.Kind == fault.Invalid {
			moved.Field = strings.TrimSuffix(field+"."+moved.Field, ".")
		}
		all = append(all, &moved)
	}
	return fault.All(all)
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
