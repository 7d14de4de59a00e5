package gcp

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"regexp"

	"github.com/neap-cloud/neap/internal/fault"
)

const longestFile = 64 << 10 // Google's are 2.4 KB

var (
	projectForm = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`) // the part before the colon is a domain's, in old projects
	emailForm   = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

// serviceAccount is what is read of a key's file.
type serviceAccount struct {
	Type         string `json:"type"`
	ProjectID    string `json:"project_id"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`
	ClientEmail  string `json:"client_email"`
	TokenURI     string `json:"token_uri"`
}

// read checks the forms of a key's file. What the parsers say of it is not passed on: they quote.
func (g *GCP) read(file []byte) (serviceAccount, error) {
	var account serviceAccount
	if len(file) > longestFile || json.Unmarshal(file, &account) != nil {
		return account, fault.Field("", "This is no service account's key; hand in the JSON file that Google gives out when a key is made.")
	}
	if account.Type != "service_account" {
		return account, fault.Field("type", "must be service_account; other credentials of Google, such as a person's, end with a session")
	}
	if account.TokenURI == "" {
		account.TokenURI = googleTokens()[0]
	}
	var faults []*fault.Error
	wrong := func(field, message string) { faults = append(faults, fault.Field(field, "%s", message)) }
	switch {
	case account.ProjectID == "":
		wrong("project_id", "is required")
	case !projectForm.MatchString(account.ProjectID):
		wrong("project_id", "This is no project's id, such as my-project-123456; it is neither its name nor its number.")
	}
	switch {
	case account.ClientEmail == "":
		wrong("client_email", "is required")
	case !emailForm.MatchString(account.ClientEmail):
		wrong("client_email", "This is no service account's address, such as neap@my-project-123456.iam.gserviceaccount.com.")
	}
	switch {
	case account.PrivateKey == "":
		wrong("private_key", "is required")
	case !isPrivateKey(account.PrivateKey):
		wrong("private_key", "This is no RSA private key in PEM form; take the member over whole, with its line ends written as \\n.")
	}
	if !g.isGoogles(account.TokenURI) {
		wrong("token_uri", "This is not Google's address for tokens, "+googleTokens()[0]+"; Neap sends signed requests nowhere else.")
	}
	return account, fault.All(faults)
}

func isPrivateKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return true
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, isRSA := key.(*rsa.PrivateKey)
	return err == nil && isRSA
}
