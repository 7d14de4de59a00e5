package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
)

func TestAnAccountIsConnectedByARoleThatAWSLetsNeapAssume(t *testing.T) {
	moto := awstest.Moto(t)
	neap := moto.User(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`)
	awstest.Be(t, neap.Key)
	n := apptest.Start(t, func(c *app.Config) { c.Clouds = app.Clouds{Real: true, AWSEndpoint: moto.Endpoint} })
	ctx, organisation := t.Context(), n.Account.Organisation
	account, err := n.Identity.AddAccount(ctx, identity.Account{Organisation: organisation, Name: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	external, _, err := n.Identity.OfferExternalID(ctx, organisation, account.ID)
	if err != nil {
		t.Fatal(err)
	}
	trust := func(external string) string {
		return moto.Role(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":%q}}}]}`, neap.ARN, external))
	}
	err = n.Identity.SetRole(ctx, organisation, account.ID, trust("somebody else's"))
	if known := fault.As(err); known == nil || known.Kind != fault.Invalid || !strings.HasSuffix(known.Field, "iamRole") {
		t.Errorf("a role that names another external id: %v", err)
	}
	if err := n.Identity.SetRole(ctx, organisation, account.ID, trust(external)); err != nil {
		t.Fatal(err)
	}
	account, err = n.Identity.Account(ctx, account.ID)
	if err != nil || account.ExternalID != awstest.Account || account.Cloud != "aws" {
		t.Errorf("%+v, %v", account, err)
	}
}

func TestClientsOfASimulatedAccountMayHandInWhatLooksRight(t *testing.T) {
	n := apptest.Start(t)
	ctx, organisation := t.Context(), n.Account.Organisation
	if _, _, err := n.Identity.OfferExternalID(ctx, organisation, n.Account.ID); err != nil {
		t.Fatal(err)
	}
	if err := n.Identity.SetRole(ctx, organisation, n.Account.ID, "arn:aws:iam::123456789012:role/Neap"); err != nil {
		t.Error(err)
	}
	if err := n.Identity.SetServiceAccount(ctx, organisation, n.Account.ID, []byte(`{}`)); fault.As(err).Field != "serviceAccount.type" {
		t.Error(err)
	}
	if err := n.Identity.SetApp(ctx, organisation, n.Account.ID, identity.AzureApp{}); fault.As(err).Field != "clientId" {
		t.Error(err)
	}
}
