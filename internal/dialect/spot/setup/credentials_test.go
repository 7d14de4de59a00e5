package setup_test

import (
	"strings"
	"testing"
)

const role = "arn:aws:iam::123456789012:role/Neap"

func TestAnAccountOfAWSIsConnectedByARoleThatNamesTheExternalID(t *testing.T) {
	w := begin(t)
	at := "?accountId=" + w.second
	set := object{"credentials": object{"iamRole": role}}
	w.refused("nothing is set", "Account_DOESNT_EXIST", "", w.Call("GET", "/setup/credentials/aws"+at, nil))
	w.refused("no external id is there", "Account_DOESNT_EXIST", "", w.Call("GET", "/setup/credentials/aws/externalId/"+w.second, nil))
	w.refused("without an external id", "INVALID_EXTERNAL_ID", "ask for a new one", w.Call("POST", "/setup/credentials/aws"+at, set))

	older := w.text("externalId", "POST", "/setup/credentials/aws/externalId"+at, nil)
	newer := w.text("externalId", "POST", "/setup/credentials/aws/externalId"+at, nil)
	shown := w.Must("GET", "/setup/credentials/aws/externalId/"+w.second, nil).Items()[0]
	if older == newer || shown["externalId"] != newer || shown["maxValidUntil"] == nil || shown["accountId"] != w.second {
		t.Errorf("of %s and %s is shown %v", older, newer, shown)
	}
	w.refused("an external id is no role", "Account_DOESNT_EXIST", "", w.Call("GET", "/setup/credentials/aws"+at, nil))
	w.refused("no ARN", "credentials.iamRole", "ARN", w.Call("POST", "/setup/credentials/aws"+at, object{"credentials": object{"iamRole": "Neap"}}))
	w.refused("no role", "credentials.iamRole", "required", w.Call("POST", "/setup/credentials/aws"+at, object{"credentials": object{}}))
	w.Must("POST", "/setup/credentials/aws"+at, set)
	if got := w.text("iamRole", "GET", "/setup/credentials/aws"+at, nil); got != role {
		t.Errorf("the role is %s", got)
	}
	if shown := w.Must("GET", "/setup/credentials/aws/externalId/"+w.second, nil).Items()[0]; shown["externalId"] != newer {
		t.Errorf("the external id of the role is %v", shown)
	}
	w.refused("it was used up", "INVALID_EXTERNAL_ID", "", w.Call("POST", "/setup/credentials/aws"+at, set))
	found := w.Must("GET", "/setup/account?cloudAccountId=123456789012", nil).Items()
	if len(found) != 1 || found[0]["accountId"] != w.second || found[0]["providerExternalId"] != "123456789012" || found[0]["cloudProvider"] != "AWS" {
		t.Errorf("by the cloud's own id is found %v", found)
	}
	w.refused("another cloud", "ServiceAccount_DOESNT_EXIST", "", w.Call("GET", "/gcp/setup/credentials"+at, nil))
}

func TestAServiceAccountIsKeptWithoutItsKeyBeingShown(t *testing.T) {
	w := begin(t)
	at := "?accountId=" + w.second
	key := object{"type": "service_account", "project_id": "lab", "private_key": "very-private", "client_email": "neap@lab.example.com"}
	set := object{"serviceAccount": key}
	w.refused("nothing is set", "ServiceAccount_DOESNT_EXIST", "", w.Call("GET", "/gcp/setup/credentials"+at, nil))
	w.Must("POST", "/gcp/setup/credentials/validation"+at, set)
	w.refused("a validation keeps nothing", "ServiceAccount_DOESNT_EXIST", "", w.Call("GET", "/gcp/setup/credentials"+at, nil))
	w.Must("POST", "/gcp/setup/credentials"+at, set)
	shown := w.Must("GET", "/gcp/setup/credentials"+at, nil)
	if item := shown.Items()[0]; item["serviceAccount"].(object)["project_id"] != "lab" || item["project_id"] != "lab" || item["client_email"] != "neap@lab.example.com" || strings.Contains(string(shown.Raw), "very-private") {
		t.Errorf("shown is %s", shown.Raw)
	}
	for _, path := range []string{"/gcp/setup/credentials", "/gcp/setup/credentials/validation"} {
		w.refused("a user's key", "serviceAccount.type", "service_account", w.Call("POST", path+at, object{"serviceAccount": object{"type": "authorized_user"}}))
		w.refused("no key", "serviceAccount", "", w.Call("POST", path+at, object{}))
	}
}

func TestAnAppOfAzureIsKeptWithoutItsSecretBeingShown(t *testing.T) {
	w := begin(t)
	at := "?accountId=" + w.second
	with := func(name string, value any) object {
		app := object{"clientId": "c-1", "clientSecret": "very-secret", "tenantId": "t-1", "subscriptionId": "s-1", "expirationDate": "2099-01-01T00:00:00Z"}
		if app[name] = value; value == nil {
			delete(app, name)
		}
		return app
	}
	good := with("x", 1)
	w.refused("nothing is set", "Account_DOESNT_EXIST", "", w.Call("GET", "/azure/setup/credentials"+at, nil))
	w.Must("POST", "/azure/setup/credentials/validation"+at, with("expirationDate", nil))
	w.refused("a validation keeps nothing", "Account_DOESNT_EXIST", "", w.Call("GET", "/azure/setup/credentials"+at, nil))
	for name, value := range map[string]any{"clientId": nil, "clientSecret": nil, "tenantId": nil, "subscriptionId": nil, "expirationDate": nil} {
		w.refused("without "+name, name, "required", w.Call("POST", "/azure/setup/credentials"+at, with(name, value)))
	}
	w.refused("an ended secret", "expirationDate", "past", w.Call("POST", "/azure/setup/credentials"+at, with("expirationDate", "2020-01-01T00:00:00Z")))
	w.refused("no date", "expirationDate", "date", w.Call("POST", "/azure/setup/credentials"+at, with("expirationDate", "soon")))
	w.Must("POST", "/azure/setup/credentials"+at, good)
	shown := w.Must("GET", "/azure/setup/credentials"+at, nil)
	if item := shown.Items()[0]; len(item) != 3 || item["clientId"] != "c-1" || item["tenantId"] != "t-1" || item["subscriptionId"] != "s-1" || strings.Contains(string(shown.Raw), "very-secret") {
		t.Errorf("shown is %s", shown.Raw)
	}

	tenant := object{"clientId": "c-2", "clientSecret": "very-secret", "tenantId": "t-2"}
	w.Must("POST", "/azure/setup/tenant/credentials/validation"+at, tenant)
	if got := w.text("clientId", "GET", "/azure/setup/credentials"+at, nil); got != "c-1" {
		t.Errorf("a validation changed the app to %s", got)
	}
	w.Must("POST", "/azure/setup/tenant/credentials"+at, tenant)
	if item := w.Must("GET", "/azure/setup/credentials"+at, nil).Items()[0]; item["clientId"] != "c-2" || item["subscriptionId"] != "" {
		t.Errorf("the tenant's app is %v", item)
	}
	w.refused("without a tenant", "tenantId", "", w.Call("POST", "/azure/setup/tenant/credentials"+at, object{"clientId": "c", "clientSecret": "s"}))
}
