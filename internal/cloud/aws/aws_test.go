package aws_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/fault"
)

const (
	role   = "arn:aws:iam::111122223333:role/Neap"
	secret = "wJalrXUtnFEMI-the-secret"
)

// standIn answers every call with a status and a body.
func standIn(t *testing.T, status int, body string) aws.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		if _, err := io.WriteString(w, body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return aws.Config{Endpoint: server.URL}
}

// refusal is how STS says no.
func refusal(code, message string) string {
	return fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, code, message)
}

func TestWhatCannotBeARoleOrAnExternalIDIsRefusedWithoutACall(t *testing.T) {
	awstest.Be(t, awstest.Key{})
	here, china := open(t, aws.Config{}), open(t, aws.Config{Region: "cn-north-1"})
	for _, c := range []struct {
		a        *aws.AWS
		role, id string
		fields   string
	}{
		{here, "", "id-1", "iamRole"},
		{here, "", "", "iamRole externalId"},
		{here, role, "x", "externalId"},
		{here, role, "white space", "externalId"},
		{here, role, strings.Repeat("x", 1225), "externalId"},
		{here, role + " ", "id-1", "iamRole"},
		{here, role + "\n", "id-1", "iamRole"},
		{here, "arn:aws:iam::11112222333:role/Neap", "id-1", "iamRole"},
		{here, "arn:aws:iam::111122223333:user/Neap", "id-1", "iamRole"},
		{here, "arn:aws:iam::111122223333:role/", "id-1", "iamRole"},
		{here, "arn:aws:iam::111122223333:role//Neap", "id-1", "iamRole"},
		{here, "arn:aws:iam::111122223333:role/" + strings.Repeat("n", 65), "id-1", "iamRole"},
		{here, "arn:aws:sts::111122223333:role/Neap", "id-1", "iamRole"},
		{here, "arn:aws-iso:iam::111122223333:role/Neap", "id-1", "iamRole"},
		{here, "arn:aws-cn:iam::111122223333:role/Neap", "id-1", "iamRole"},
		{here, "arn:aws-us-gov:iam::111122223333:role/Neap", "id-1", "iamRole"},
		{china, role, "id-1", "iamRole"},
	} {
		account, err := c.a.AssumeRole(t.Context(), c.role, c.id)
		if account != "" || !fault.Is(err, fault.Invalid) || fields(err) != c.fields {
			t.Errorf("%q %q: %q, %v", c.role, c.id, account, err)
		}
	}
	if _, err := china.AssumeRole(t.Context(), "arn:aws-cn:iam::111122223333:role/a/b/Neap", "id-1"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a good form in China ends at the missing credentials, not at %v", err)
	}
}

func fields(err error) string {
	f := fault.As(err)
	if f == nil {
		return ""
	}
	all := []string{f.Field}
	for _, other := range f.Others {
		all = append(all, other.Field)
	}
	return strings.Join(all, " ")
}

func TestWithoutCredentialsOfItsOwnNeapSaysHowToGiveItSome(t *testing.T) {
	awstest.Be(t, awstest.Key{})
	a := open(t, standIn(t, http.StatusOK, ""))
	_, principal := a.Principal(t.Context())
	_, assume := a.AssumeRole(t.Context(), role, "id-1")
	for _, err := range []error{principal, assume} {
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Sentence(), "AWS_ACCESS_KEY_ID") {
			t.Error(err)
		}
	}
}

func TestRefusalsThatTheUserCannotMendAreUnavailable(t *testing.T) {
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	for code, word := range map[string]string{
		"Throttling": "slower", "ExpiredToken": "AWS_PROFILE", "RegionDisabledException": "region", "InternalFailure": "InternalFailure",
	} {
		_, err := open(t, standIn(t, http.StatusForbidden, refusal(code, "no"))).AssumeRole(t.Context(), role, "id-1")
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Sentence(), word) || !strings.Contains(err.Error(), "request r-1") {
			t.Errorf("%s: %v", code, err)
		}
	}
	_, err := open(t, standIn(t, http.StatusBadRequest, refusal("ValidationError", "no"))).AssumeRole(t.Context(), role, "id-1")
	if !fault.Is(err, fault.Invalid) || fields(err) != aws.FieldRole {
		t.Error(err)
	}
}

func TestARefusalWithoutAnIdentityStillNamesThePrincipal(t *testing.T) {
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	_, err := open(t, standIn(t, http.StatusForbidden, refusal("AccessDenied", "no"))).AssumeRole(t.Context(), role, "id-1")
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.As(err).Sentence(), "Neap's principal") {
		t.Error(err)
	}
}

func TestWhatAWSQuotesOfARequestIsNeitherToldNorLogged(t *testing.T) {
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	t.Setenv("AWS_SESSION_TOKEN", "the-session-token")
	quoted := "The Canonical String should have been 'POST x-amz-security-token:the-session-token'"
	var log bytes.Buffer
	for _, code := range []string{"SignatureDoesNotMatch", "AccessDenied", "Throttling", "Unheard"} {
		c := standIn(t, http.StatusForbidden, refusal(code, quoted))
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		_, err := open(t, c).AssumeRole(t.Context(), role, "id-1")
		if err == nil || strings.Contains(err.Error(), "session-token") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", code, err)
		}
	}
	if strings.Contains(log.String(), "session-token") || strings.Contains(log.String(), secret) {
		t.Error(log.String())
	}
}

func TestASilentAWSIsUnavailable(t *testing.T) {
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	defer server.Close()
	defer close(ended)
	a := open(t, aws.Config{Endpoint: server.URL})
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.AssumeRole(soon, role, "id-1"); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Sentence(), "no answer") {
		t.Error(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := a.Principal(gone); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Sentence(), "broken off") {
		t.Error(err)
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	soon, cancel = context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := open(t, aws.Config{Endpoint: closed.URL}).Principal(soon); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if _, err := open(t, aws.Config{Endpoint: server.URL}).Principal(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestASessionIsTrustedAsItsRole(t *testing.T) {
	awstest.Be(t, awstest.Key{ID: "AKIA", Secret: secret})
	for identity, want := range map[string]string{
		"arn:aws:sts::123456789012:assumed-role/NeapHost/i-0abc": "arn:aws:iam::123456789012:role/NeapHost",
		"arn:aws:iam::123456789012:user/neap":                    "arn:aws:iam::123456789012:user/neap",
		"arn:aws:sts::123456789012:federated-user/bob":           "arn:aws:sts::123456789012:federated-user/bob",
	} {
		answer := `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>` + identity + `</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
		if arn, err := open(t, standIn(t, http.StatusOK, answer)).Principal(t.Context()); err != nil || arn != want {
			t.Errorf("%q, %v; want %q", arn, err, want)
		}
	}
}

func TestAnEndpointThatIsNoAddressIsRefused(t *testing.T) {
	awstest.Be(t, awstest.Key{})
	for _, endpoint := range []string{"sts", "ftp://127.0.0.1", "http://", "http://user:pass@127.0.0.1:1", "http://127.0.0.1:%zz"} {
		if _, err := aws.New(t.Context(), aws.Config{Endpoint: endpoint}); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "pass") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
