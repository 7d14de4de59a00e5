// Package awstest gives tests a stand-in for AWS to work on: the moto server that test/moto.sh starts.
//
// It owns the making of users and roles on it. It must not know what is tested. Start reading at Moto.
package awstest

import (
	"encoding/xml"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/ident"
)

// Variable names the environment variable with the URL of a moto server, in it the key of an administrator; test/moto.sh starts one.
const Variable = "NEAP_TEST_MOTO"

// Account is the account that the server's users live in.
const Account = "123456789012"

// Server is a running stand-in. It checks signatures, permissions and trust policies, and is shared with other tests: what is made on it gets names of its own.
type Server struct {
	Endpoint string // of all its services
	admin    Key
}

// Key is a pair of long-lived credentials.
type Key struct{ ID, Secret string }

// User is somebody with a key.
type User struct {
	ARN string
	Key Key
}

// Moto is the server that Variable names; it skips the test when that is not set.
func Moto(t testing.TB) Server {
	t.Helper()
	given := os.Getenv(Variable)
	if given == "" {
		t.Skipf("%s is not set: nothing is tested against AWS's stand-in; run: test/moto.sh run go test ./internal/cloud/aws/...", Variable)
	}
	at, err := url.Parse(given)
	if err != nil || at.User == nil {
		t.Fatalf("%s is to be of the form http://KEY:SECRET@127.0.0.1:PORT", Variable)
	}
	secret, _ := at.User.Password()
	return Server{Endpoint: "http://" + at.Host, admin: Key{at.User.Username(), secret}}
}

// Be makes the key the one that Neap's own AWS tools find in the environment, and hides all other sources, until the end of the test.
func Be(t testing.TB, key Key) {
	t.Helper()
	nowhere := t.TempDir()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": key.Secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE": nowhere + "/config", "AWS_SHARED_CREDENTIALS_FILE": nowhere + "/credentials", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_STS": "",
	} {
		t.Setenv(name, value)
	}
}

// User makes a user with a key and one policy, a JSON document.
func (s Server) User(t testing.TB, policy string) User {
	t.Helper()
	name := "user-" + ident.Hex(6)
	made := s.iam(t, url.Values{"Action": {"CreateUser"}, "UserName": {name}})
	s.iam(t, url.Values{"Action": {"PutUserPolicy"}, "UserName": {name}, "PolicyName": {"own"}, "PolicyDocument": {policy}})
	key := s.iam(t, url.Values{"Action": {"CreateAccessKey"}, "UserName": {name}})
	return User{ARN: made.User, Key: Key{key.KeyID, key.Secret}}
}

// Allow is a policy that allows actions on everything.
func Allow(actions ...string) string {
	return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["` + strings.Join(actions, `", "`) + `"], "Resource": "*"}]}`
}

// Role makes a role with a trust policy, a JSON document, and returns its ARN.
func (s Server) Role(t testing.TB, trust string) string {
	t.Helper()
	return s.iam(t, url.Values{"Action": {"CreateRole"}, "RoleName": {"role-" + ident.Hex(6)}, "AssumeRolePolicyDocument": {trust}}).Role
}

// Permit gives a role, by its ARN, its one policy, a JSON document.
func (s Server) Permit(t testing.TB, role, policy string) {
	t.Helper()
	s.iam(t, url.Values{"Action": {"PutRolePolicy"}, "RoleName": {role[strings.LastIndex(role, "/")+1:]}, "PolicyName": {"own"}, "PolicyDocument": {policy}})
}

// made is what matters of IAM's answers.
type made struct {
	User   string `xml:"CreateUserResult>User>Arn"`
	Role   string `xml:"CreateRoleResult>Role>Arn"`
	KeyID  string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
	Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
}

// iam makes one call as the administrator. The SDK's client for IAM would be a large dependency for three operations.
func (s Server) iam(t testing.TB, form url.Values) (answer made) {
	t.Helper()
	form.Set("Version", "2010-05-08")
	if err := xml.Unmarshal(s.Query(t, "iam", "us-east-1", form), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// EC2 makes one call as the administrator, past any Front, and returns the XML of its answer. Tests prepare networks with it, and look at what is left over.
func (s Server) EC2(t testing.TB, region string, form url.Values) []byte {
	t.Helper()
	form.Set("Version", "2016-11-15")
	return s.Query(t, "ec2", region, form)
}
