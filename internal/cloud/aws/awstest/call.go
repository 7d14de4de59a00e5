package awstest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Query makes a call of a service that takes forms ("cloudformation", "sqs"), as the administrator, and returns the answer's XML.
func (s Server) Query(t testing.TB, service, region string, form url.Values) []byte {
	t.Helper()
	return s.send(t, service, region, "/", form.Get("Action"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
}

// JSON makes a call of a service that takes JSON ("AWSEvents.PutEvents"), as the administrator, and returns the answer.
func (s Server) JSON(t testing.TB, service, region, target string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return s.send(t, service, region, "/", target, http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}, string(text))
}

// send makes one call. The SDK's clients would be large dependencies for a few operations.
func (s Server) send(t testing.TB, service, region, path, what string, header http.Header, body string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second) // clean-ups call too
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	hash := sha256.Sum256([]byte(body))
	admin := aws.Credentials{AccessKeyID: s.admin.ID, SecretAccessKey: s.admin.Secret}
	if err := v4.NewSigner().SignHTTP(ctx, admin, request, hex.EncodeToString(hash[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("the server at %s does not answer: %v", Variable, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s %v: %s", what, response.Status, err, content)
	}
	return content
}

// Admin is the key of somebody who may do everything.
func (s Server) Admin() Key { return s.admin }

// ActionsOnly is a policy without its conditions and resources, neither of which the server can weigh: it refuses what they are about. To the server an operation
// on many messages has a name of its own, which AWS's policies do not know.
func ActionsOnly(t testing.TB, policy string) string {
	t.Helper()
	var given struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(policy), &given); err != nil {
		t.Fatal(err)
	}
	actions := []string{"sqs:DeleteMessageBatch"}
	for _, s := range given.Statement {
		actions = append(actions, s.Action...)
	}
	return Allow(actions...)
}
