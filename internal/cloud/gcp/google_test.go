package gcp_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	email  = "neap@my-project-123456.iam.gserviceaccount.com"
	google = "https://oauth2.googleapis.com/token"
)

// account is the file of a key that Google would give out.
type account map[string]any

func newAccount(t *testing.T) (account, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return account{
		"type": "service_account", "project_id": "my-project-123456", "private_key_id": "k1", "client_email": email, "token_uri": google,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}, key
}

// file is the account as JSON, with some members changed; nil leaves one out.
func (a account) file(t *testing.T, changed account) []byte {
	t.Helper()
	all := account{}
	for name, value := range a {
		all[name] = value
	}
	for name, value := range changed {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	file, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// standIn is Google's token address: it gives a token for an assertion that is signed with the key and says what it has to say. Without an audience it is
// its own.
func standIn(t *testing.T, key *rsa.PublicKey, audience string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assertion := r.PostFormValue("assertion")
		if r.Method != http.MethodPost || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			t.Errorf("%s with grant type %q", r.Method, r.PostFormValue("grant_type"))
		}
		w.Header().Set("Content-Type", "application/json")
		answer := `{"access_token": "ya29.token", "token_type": "Bearer", "expires_in": 3599}`
		if !isSigned(t, key, assertion) {
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"error": "invalid_grant", "error_description": "Invalid JWT Signature. ` + assertion + `"}`
		}
		if audience == "" {
			audience = "http://" + r.Host
		}
		checkClaims(t, assertion, audience)
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func isSigned(t *testing.T, key *rsa.PublicKey, assertion string) bool {
	t.Helper()
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		t.Fatalf("the assertion has %d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], signature) == nil
}

func checkClaims(t *testing.T, assertion, audience string) {
	t.Helper()
	var claims struct {
		Issuer   string `json:"iss"`
		Scope    string `json:"scope"`
		Audience string `json:"aud"`
		From     int64  `json:"iat"`
		Until    int64  `json:"exp"`
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(assertion, ".")[1])
	if err != nil {
		t.Error(err)
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&claims); err != nil {
		t.Error(err)
	}
	now := time.Now().Unix()
	if claims.Issuer != email || claims.Audience != audience || !strings.HasPrefix(claims.Scope, "https://www.googleapis.com/auth/") ||
		claims.From > now || claims.Until < now || claims.Until > claims.From+3600 {
		t.Errorf("claims %+v", claims)
	}
}
