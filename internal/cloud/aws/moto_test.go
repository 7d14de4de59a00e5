package aws_test

import (
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/fault"
)

const mayAssume = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}`

// trust is the policy that the documentation tells users to give their role.
func trust(principal, externalID string) string {
	return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "` + principal + `"}, "Action": "sts:AssumeRole",
		"Condition": {"StringEquals": {"sts:ExternalId": "` + externalID + `"}}}]}`
}

func open(t *testing.T, c aws.Config) *aws.AWS {
	t.Helper()
	a, err := aws.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestARoleThatTrustsNeapWithTheExternalIDGivesItsAccount(t *testing.T) {
	server := awstest.Moto(t)
	neap := server.User(t, mayAssume)
	awstest.Be(t, neap.Key)
	a := open(t, aws.Config{Endpoint: server.Endpoint, Region: "eu-west-1"})
	role := server.Role(t, trust(neap.ARN, "spotinst:aws:extid:0f1e"))
	if account, err := a.AssumeRole(t.Context(), role, "spotinst:aws:extid:0f1e"); err != nil || account != awstest.Account {
		t.Errorf("%q, %v", account, err)
	}
}

func TestARoleOfAnotherAccountGivesThatAccount(t *testing.T) {
	server := awstest.Moto(t)
	awstest.Be(t, server.User(t, mayAssume).Key)
	a := open(t, aws.Config{Endpoint: server.Endpoint})
	if account, err := a.AssumeRole(t.Context(), "arn:aws:iam::111122223333:role/teams/web/Neap", "anything"); err != nil || account != "111122223333" {
		t.Errorf("%q, %v", account, err)
	}
}

func TestARefusedRoleTellsWhomItHasToTrust(t *testing.T) {
	server := awstest.Moto(t)
	neap, other := server.User(t, mayAssume), server.User(t, mayAssume)
	powerless := server.User(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}`)
	for name, c := range map[string]struct {
		as   awstest.User
		role string
	}{
		"other external id": {neap, server.Role(t, trust(neap.ARN, "another"))},
		"other principal":   {neap, server.Role(t, trust(other.ARN, "mine"))},
		"no permission":     {powerless, server.Role(t, trust(powerless.ARN, "mine"))},
	} {
		t.Run(name, func(t *testing.T) {
			awstest.Be(t, c.as.Key)
			account, err := open(t, aws.Config{Endpoint: server.Endpoint}).AssumeRole(t.Context(), c.role, "mine")
			f := fault.As(err)
			if account != "" || !fault.Is(err, fault.Invalid) || f.Field != aws.FieldRole || !strings.Contains(f.Sentence(), c.as.ARN) || !strings.Contains(f.Sentence(), "sts:ExternalId") {
				t.Errorf("%q, %v", account, err)
			}
			if strings.Contains(err.Error(), c.as.Key.Secret) {
				t.Error("the secret is told")
			}
		})
	}
}

func TestThePrincipalIsNeapsOwnUser(t *testing.T) {
	server := awstest.Moto(t)
	neap := server.User(t, mayAssume)
	awstest.Be(t, neap.Key)
	if arn, err := open(t, aws.Config{Endpoint: server.Endpoint}).Principal(t.Context()); err != nil || arn != neap.ARN {
		t.Errorf("%q, %v; want %q", arn, err, neap.ARN)
	}
}

func TestCredentialsThatAWSDoesNotKnowAreSaidToBeNeapsOwn(t *testing.T) {
	server := awstest.Moto(t)
	neap := server.User(t, mayAssume)
	role := server.Role(t, trust(neap.ARN, "mine"))
	for name, key := range map[string]awstest.Key{
		"unknown key":  {ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI"},
		"wrong secret": {ID: neap.Key.ID, Secret: "wJalrXUtnFEMI"},
	} {
		t.Run(name, func(t *testing.T) {
			awstest.Be(t, key)
			_, err := open(t, aws.Config{Endpoint: server.Endpoint}).AssumeRole(t.Context(), role, "mine")
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Sentence(), "AWS_ACCESS_KEY_ID") || strings.Contains(err.Error(), "wJalrXUtnFEMI") {
				t.Error(err)
			}
		})
	}
}
