package sim

import (
	"encoding/json"
	"regexp"

	"github.com/neap-cloud/neap/internal/fault"
)

var roleForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]{1,512}$`)

// AssumeRole is what the simulated cloud says of a role: whatever is written like one can be assumed, and belongs to the account that it names.
func AssumeRole(role string) (account string, err error) {
	found := roleForm.FindStringSubmatch(role)
	if found == nil {
		return "", fault.Field("iamRole", "must be the ARN of a role, such as arn:aws:iam::123456789012:role/Neap, not %.80q", role)
	}
	return found[1], nil
}

// ServiceAccount is what the simulated cloud says of a service account's key file: it reads the names in it, and believes the rest.
func ServiceAccount(key []byte) (project, email string, err error) {
	var file struct {
		Type    string `json:"type"`
		Project string `json:"project_id"`
		Email   string `json:"client_email"`
		Key     string `json:"private_key"`
	}
	if err := json.Unmarshal(key, &file); err != nil {
		return "", "", fault.Field("serviceAccount", "is no JSON object").With(err)
	}
	var faults []*fault.Error
	if file.Type != "service_account" {
		faults = append(faults, fault.Field("serviceAccount.type", "must be service_account, not %.40q", file.Type))
	}
	for _, member := range []struct{ name, value string }{{"project_id", file.Project}, {"client_email", file.Email}, {"private_key", file.Key}} {
		if member.value == "" {
			faults = append(faults, fault.Field("serviceAccount."+member.name, "is required"))
		}
	}
	return file.Project, file.Email, fault.All(faults)
}

// App is what the simulated cloud says of an app registration: it believes one that has everything.
func App(client, secret, tenant string) error {
	var faults []*fault.Error
	for _, member := range []struct{ name, value string }{{"clientId", client}, {"clientSecret", secret}, {"tenantId", tenant}} {
		if member.value == "" {
			faults = append(faults, fault.Field(member.name, "is required"))
		}
	}
	return fault.All(faults)
}
