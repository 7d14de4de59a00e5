package aws_test

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
)

const mayEverything = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`

// owner is somebody who may do everything in a region of moto's, and makes there what tests need.
func owner(t *testing.T, server awstest.Server, region string) awssdk.Config {
	t.Helper()
	key := server.User(t, mayEverything).Key
	awstest.Be(t, key)
	settings, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region), config.WithBaseEndpoint(server.Endpoint),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// account is Neap's view of moto's account, with a user that has no more than the permissions Neap asks for.
func account(t *testing.T, server awstest.Server) *aws.Account {
	t.Helper()
	awstest.Be(t, server.User(t, mayEverything).Key)
	return open(t, aws.Config{Endpoint: server.Endpoint, Endpoints: map[string]string{"": server.Endpoint}}).Account("", "")
}

// image is one that every region of moto's has.
func image(t *testing.T, client *ec2.Client) string {
	t.Helper()
	found, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Filters: []types.Filter{{Name: awssdk.String("architecture"), Values: []string{"x86_64"}}}})
	if err != nil || len(found.Images) == 0 {
		t.Fatalf("moto has no images: %v", err)
	}
	slices.SortFunc(found.Images, func(a, b types.Image) int { return cmp.Compare(*a.ImageId, *b.ImageId) })
	return *found.Images[0].ImageId
}

// subnet is one of the region's default network.
func subnet(t *testing.T, client *ec2.Client) types.Subnet {
	t.Helper()
	found, err := client.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{})
	if err != nil || len(found.Subnets) == 0 {
		t.Fatalf("moto has no subnets: %v", err)
	}
	return found.Subnets[0]
}

// securityGroup is one of the region's default network.
func securityGroup(t *testing.T, client *ec2.Client) string {
	t.Helper()
	found, err := client.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{})
	if err != nil || len(found.SecurityGroups) == 0 {
		t.Fatalf("moto has no security groups: %v", err)
	}
	return *found.SecurityGroups[0].GroupId
}

// recorded is an account whose every call is answered by answer, which gets the fields of the call's form.
func recorded(t *testing.T, answer func(call url.Values) (status int, body string)) *aws.Account {
	t.Helper()
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		status, body := answer(r.PostForm)
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		if _, err := io.WriteString(w, body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return open(t, aws.Config{Endpoints: map[string]string{"": server.URL}}).Account("", "")
}

// isRefused fails the test unless err is a refusal of the kind, and returns it.
func isRefused(t *testing.T, err error, kind cloud.RefusalKind) cloud.Refusal {
	t.Helper()
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) || refusal.Kind != kind {
		t.Fatalf("%v, want a refusal of kind %s", err, kind)
	}
	return *refusal
}

// moment is a time that answers name.
var moment = time.Date(2026, time.March, 4, 10, 0, 0, 0, time.UTC)
