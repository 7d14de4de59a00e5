package cmpute_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/identity"
)

// attempt is a request with what is to come of it.
type attempt struct {
	as           client
	method, path string
	body         string
	status       int
	says         string // somewhere in the answer
}

func try(t *testing.T, attempts ...attempt) {
	t.Helper()
	for _, a := range attempts {
		var body any
		if a.body != "" {
			body = a.body
		}
		got := a.as.call(a.method, a.path, body)
		if got.Status != a.status || !strings.Contains(string(got.Raw), a.says) {
			t.Errorf("%s: %s %s %s: %d %s, want %d with %q", a.as.id.Email, a.method, a.path, a.body, got.Status, got.Raw, a.status, a.says)
		}
		if strings.Contains(string(got.Raw), "act-") || strings.Contains(string(got.Raw), "ugr-") {
			t.Errorf("%s %s shows an id of ours: %s", a.method, a.path, got.Raw)
		}
	}
}

func TestAccountsAreSeenByTheirTeamsAndManagedByAdministrators(t *testing.T) {
	ana := start(t)
	una, rob, zoe := ana.join(t, "una@acme.example", identity.TeamEditor), ana.join(t, "rob@acme.example", identity.TeamViewer), ana.join(t, "zoe@acme.example", identity.TeamEditor)
	ana.crew("Crew", una, rob)
	secret, open := ana.attach("Secret", "Crew"), ana.attach("Open")
	for _, c := range []struct {
		as    client
		names string
	}{{ana, "Open Secret demo"}, {una, "Open Secret demo"}, {rob, "Open Secret demo"}, {zoe, "Open demo"}} {
		if got := column(c.as.must("GET", "/api/accounts", nil), "Data", "Name"); got != c.names {
			t.Errorf("%s sees %s, want %s", c.as.id.Email, got, c.names)
		}
	}
	const attach = `{"Name":"New","BaseRegion":"us-east-1","RoleArn":"` + roleArn + `"}`
	try(t,
		attempt{una, "GET", "/api/accounts/" + secret, "", 200, `"Teams":["Crew"]`},
		attempt{rob, "GET", "/api/" + secret, "", 200, `"Name":"Secret"`},
		attempt{zoe, "GET", "/api/accounts/" + open, "", 200, `"Teams":["Organization"]`},
		attempt{zoe, "GET", "/api/accounts/" + secret, "", 404, "Account not found"},
		attempt{zoe, "PUT", "/api/accounts/" + secret, `{"Name":"Mine"}`, 404, "Account not found"},
		attempt{zoe, "DELETE", "/api/accounts/" + secret, "", 404, "Account not found"},
		attempt{una, "PUT", "/api/accounts/" + secret, `{"Name":"Mine"}`, 403, "right"},
		attempt{una, "DELETE", "/api/accounts/" + secret, "", 403, "right"},
		attempt{rob, "DELETE", "/api/accounts/" + open, "", 403, "right"},
		attempt{una, "POST", "/api/accounts/CloudFrontAWS", attach, 403, "right"},
		attempt{ana, "GET", "/api/accounts/" + strings.ToLower(open), "", 404, "Account not found"},
		attempt{ana, "GET", "/api/accounts/A-00000000", "", 404, "Account not found"},
		attempt{ana, "PATCH", "/api/Accounts/" + open, "{}", 405, "DELETE"},
		attempt{ana, "GET", "/api/accounts/" + open + "/nothing", "", 404, "Route not found"},
	)
	ana.must("DELETE", "/api/v2/Teams/Crew", nil)
	try(t, attempt{zoe, "GET", "/api/accounts/" + secret, "", 200, `"Teams":["Organization"]`})
}

func TestAttachingSaysEverythingThatIsWrong(t *testing.T) {
	ana := start(t)
	ana.attach("Taken")
	whole := func(field, value string) string {
		return `{"Name":"New","BaseRegion":"us-east-1","RoleArn":"` + roleArn + `","` + field + `":` + value + `}`
	}
	const address = "/api/CloudFrontAWS"
	try(t,
		attempt{ana, "POST", address, `{}`, 400, `"Errors":{"BaseRegion":["BaseRegion is required"],"Name":["Name is required"],"RoleArn":["RoleArn is required"]}`},
		attempt{ana, "POST", address, "", 400, `"ModelState":{"BaseRegion":{"$values":["BaseRegion is required"]}`},
		attempt{ana, "POST", address, `{"Name":"New","BaseRegion":"moon-1","RoleArn":"arn:aws:s3:::x","Teams":["Nobody"],"MaxRIPercentageToUse":"much"}`, 400, `"MaxRIPercentageToUse"`},
		attempt{ana, "POST", address, `{"Name":"New","BaseRegion":"moon-1","RoleArn":"` + roleArn + `"}`, 400, `"BaseRegion":["BaseRegion must be a region`},
		attempt{ana, "POST", address, `{"Name":"New","BaseRegion":"us-east-1","RoleArn":"arn:aws:s3:::x"}`, 400, `"RoleArn"`},
		attempt{ana, "POST", address, whole("Teams", `["Nobody"]`), 400, `"Teams":[`},
		attempt{ana, "POST", address, whole("Teams", `[7]`), 400, `"Teams"`},
		attempt{ana, "POST", address, whole("MaxRIPercentageToUse", "101"), 400, `"MaxRIPercentageToUse"`},
		attempt{ana, "POST", address, whole("name", `"Other"`), 400, "given twice"},
		attempt{ana, "POST", address, `{"Name":"Taken","BaseRegion":"us-east-1","RoleArn":"` + roleArn + `"}`, 409, `"Errors":{"Name":[`},
		attempt{ana, "POST", address, `{"Name":`, 400, `"Body"`},
		attempt{ana, "POST", address, whole("MaxRIPercentageToUse", "12.5"), 200, `"MaxRIPercentageToUse":12.5`},
		attempt{ana, "POST", address + "?name=Query&base_region=eu-west-1&RoleARN=" + url.QueryEscape(roleArn) + "&Teams=Organization&max%20RI%20percentage%20to%20use=7", "", 200, `"MaxRIPercentageToUse":7.0`},
		attempt{ana, "POST", address + "?Name=Query2&Teams=Nobody", `{"NAME":"Body","Base Region":"eu-west-1","role_arn":"` + roleArn + `","Teams":"Organization"}`, 200, `"Name":"Body"`},
	)
}

func TestChangingAnAccountLeavesAloneWhatIsNotSaid(t *testing.T) {
	ana := start(t)
	ana.crew("Crew")
	address := "/api/accounts/" + ana.attach("First", "Crew")
	ana.attach("Second")
	try(t,
		attempt{ana, "PUT", address, `{"Name":"Renamed","Teams":null}`, 200, `"Teams":["Crew"]`},
		attempt{ana, "PUT", address, `{"BaseRegion":"eu-west-1"}`, 200, `"Name":"Renamed"`},
		attempt{ana, "PUT", address, `{"RoleArn":"ignored","MaxRIPercentageToUse":9}`, 200, `"MaxRIPercentageToUse":0.0`},
		attempt{ana, "PUT", address + "?Teams=Crew,Organization", "", 200, `"Teams":["Organization","Crew"]`},
		attempt{ana, "PUT", address, `{"Teams":[]}`, 200, `"Teams":["Organization"]`},
		attempt{ana, "GET", address, "", 200, `"BaseRegion":"eu-west-1"`},
		attempt{ana, "PUT", address, `{"Name":"Second"}`, 409, `"Name"`},
		attempt{ana, "PUT", address, `{"Name":""}`, 400, `"Name"`},
		attempt{ana, "PUT", address, `{"BaseRegion":"moon-1"}`, 400, `"BaseRegion"`},
		attempt{ana, "PUT", address, `{"Teams":["Nobody"]}`, 400, `"Teams"`},
		attempt{ana, "PUT", address, `{"Name":{}}`, 400, `"Name"`},
	)
}

func TestTheDefaultAccountAndForeignCloudsStay(t *testing.T) {
	ana := start(t)
	standard := "A" + strings.ToUpper(strings.TrimPrefix(ana.n.Account.ID, "act"))
	google, err := ana.n.Identity.AddAccount(t.Context(), identity.Account{Organisation: ana.org, Name: "google", Cloud: "sim", Provider: "GCP"})
	if err != nil {
		t.Fatal(err)
	}
	foreign := "/api/accounts/A" + strings.ToUpper(strings.TrimPrefix(google.ID, "act"))
	try(t,
		attempt{ana, "DELETE", "/api/accounts/" + standard, "", 409, "default account"},
		attempt{ana, "GET", foreign, "", 404, "Account not found"},
		attempt{ana, "PUT", foreign, `{"Name":"x"}`, 404, "Account not found"},
		attempt{ana, "DELETE", foreign, "", 404, "Account not found"},
	)
	if got := column(ana.must("GET", "/api/accounts", nil), "Data", "Name"); got != "demo" {
		t.Errorf("accounts: %s", got)
	}
}

func TestListsComeInPagesOfAHundred(t *testing.T) {
	ana := start(t)
	for n := range 104 {
		a := identity.Account{Organisation: ana.org, Name: fmt.Sprintf("a%03d", n), Cloud: "sim", Provider: "AWS", Region: "eu-west-1"}
		if _, err := ana.n.Identity.AddAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	first := ana.must("GET", "/api/accounts", nil)
	token, _ := first.Body["ContinuationToken"].(string)
	if got := strings.Fields(column(first, "Data", "Name")); len(got) != 100 || got[0] != "a000" || got[99] != "a099" {
		t.Fatalf("the first page has %d: %v", len(got), got)
	}
	second := ana.must("GET", "/api/accounts?request.continuationToken="+token, nil)
	if got := column(second, "Data", "Name"); got != "a100 a101 a102 a103 demo" || second.Body["ContinuationToken"] != nil {
		t.Errorf("the second page has %s and goes on at %v", got, second.Body["ContinuationToken"])
	}
	for filters, want := range map[string]string{
		`[{"Name":"Name","Operation":"In","Values":["a001","demo"]}]`:                                                                           "a001 demo",
		`[{"Name":"name","Operation":3,"Values":["a001"]}]`:                                                                                     "a001",
		`[{"Name":"Name","Operation":"LessThan","Values":["a002"]},{"Name":"base region","Operation":"Equals","Values":"eu-west-1"}]`:           "a000 a001",
		`[{"Name":"Name","Operation":"GreaterThan","Values":["a102"]}]`:                                                                         "a103 demo",
		`[{"Name":"BaseRegion","Operation":"NotEquals","Values":["eu-west-1"]}]`:                                                                "demo",
		`[{"Name":"BaseRegion","Operation":"None"},{"Name":"Name","Operation":"equals","Values":["demo"]}]`:                                     "demo",
		`[{"Name":"Teams","Operation":"Equals","Values":["Organization"]},{"Name":"MaxRIPercentageToUse","Operation":"LessThan","Values":[0]}]`: "",
	} {
		if got := column(ana.must("GET", "/api/accounts?request.filters="+url.QueryEscape(filters), nil), "Data", "Name"); got != want {
			t.Errorf("%s lets through %s, want %s", filters, got, want)
		}
	}
	for _, filters := range []string{`[{"Name":"Colour","Operation":"Equals","Values":["red"]}]`, `[{"Name":"Name","Operation":"Like","Values":["a"]}]`, `{}`, `x`} {
		try(t, attempt{ana, "GET", "/api/accounts?request.filters=" + url.QueryEscape(filters), "", 400, `"request.filters":[`})
	}
	try(t, attempt{ana, "GET", "/api/accounts?request.continuationToken=%21", "", 400, `"request.continuationToken":[`})
	var raw struct{ Data []json.RawMessage }
	if empty := ana.must("GET", "/api/accounts?request.filters="+url.QueryEscape(`[{"Name":"Name","Operation":"In","Values":[]}]`), nil); json.Unmarshal(empty.Raw, &raw) != nil || raw.Data == nil {
		t.Errorf("an empty list is %s", empty.Raw)
	}
}
