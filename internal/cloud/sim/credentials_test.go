package sim

import (
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestTheSimulatedCloudBelievesWhatIsWellFormed(t *testing.T) {
	account, err := AssumeRole("arn:aws:iam::123456789012:role/path/Neap")
	if err != nil || account != "123456789012" {
		t.Errorf("%q, %v", account, err)
	}
	for _, role := range []string{"", "Neap", "arn:aws:iam::123:role/Neap", "arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:role/"} {
		if _, err := AssumeRole(role); fault.As(err).Field != "iamRole" {
			t.Errorf("%q: %v", role, err)
		}
	}
	project, email, err := ServiceAccount([]byte(`{"type": "service_account", "project_id": "p", "client_email": "e", "private_key": "k"}`))
	if err != nil || project+email != "pe" {
		t.Errorf("%s %s %v", project, email, err)
	}
	for text, field := range map[string]string{"{": "serviceAccount", `{"type": "user"}`: "serviceAccount.type", `{"type": "service_account"}`: "serviceAccount.project_id"} {
		if _, _, err := ServiceAccount([]byte(text)); fault.As(err).Field != field {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := App("c", "", ""); !strings.Contains(err.Error(), "clientSecret") || len(fault.As(err).Others) != 1 {
		t.Errorf("%v", err)
	}
	if err := App("c", "s", "t"); err != nil {
		t.Error(err)
	}
}
