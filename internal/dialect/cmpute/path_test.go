package cmpute

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/op"
)

// published are the routes of the whole table, built or not.
func published(t testing.TB) []route {
	t.Helper()
	file, err := os.Open("testdata/operations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows []op.Row
	for scan := bufio.NewScanner(file); scan.Scan(); {
		if cells := strings.Split(scan.Text(), "\t"); cells[0] != "n" {
			rows = append(rows, op.Row{Route: cells[3] + " " + cells[4]})
		}
	}
	return routesOf(rows)
}

func TestAddressesAreBroughtToTheSpellingOfTheirRow(t *testing.T) {
	routes := published(t)
	for sent, want := range map[string]string{
		"GET /api/accounts":                                         "GET /api/accounts",
		"GET /API/Accounts":                                         "GET /api/accounts",
		"GET //api///accounts//":                                    "GET /api/accounts",
		"GET /api/api/accounts/":                                    "GET /api/accounts",
		"GET /api/API/api/Caches/Regions":                           "GET /api/caches/regions",
		"GET /api/Accounts/A-4C1D09E2":                              "GET /api/accounts/A-4C1D09E2",
		"GET /api/accounts/a-4c1d09e2":                              "GET /api/accounts/a-4c1d09e2",
		"GET /api/A-4C1D09E2":                                       "GET /api/accounts/A-4C1D09E2",
		"PUT /api/A-4C1D09E2/":                                      "PUT /api/accounts/A-4C1D09E2",
		"DELETE /api/'A-4C1D09E2'":                                  "DELETE /api/accounts/A-4C1D09E2",
		"GET /api/A-4C1D09E2/autoscalinggroups":                     "GET /api/Accounts/A-4C1D09E2/AutoScalingGroups",
		"GET /api/accounts/A-4C1D09E2/AutoScalingGroups/Web%2F1":    "GET /api/Accounts/A-4C1D09E2/AutoScalingGroups/Web%2F1",
		"POST /api/CloudFrontAWS":                                   "POST /api/accounts/CloudFrontAWS",
		"POST /api/Accounts/cloudfrontaws":                          "POST /api/accounts/CloudFrontAWS",
		"GET /api/CloudFrontAWS":                                    "GET /api/CloudFrontAWS",
		"POST /api/users/":                                          "POST /api/users",
		"GET /api/users/89%22":                                      "GET /api/users/89",
		"GET /api/V2/users/teams":                                   "GET /api/v2/Users/Teams",
		"GET /api/v2/teams/Z-7EA3AF3D%7D":                           "GET /api/v2/Teams/Z-7EA3AF3D",
		"ADD /api/v2/Teams/Test%20Teams/Users":                      "POST /api/v2/Teams/Test%20Teams/Users",
		"PUT /api/v2/teams/Test%20Teams/users":                      "POST /api/v2/Teams/Test%20Teams/Users",
		"GET /api/v2/Teams/The%20%22A%22/Users":                     "GET /api/v2/Teams/The%20%22A%22/Users",
		"DELETE /api/v2/teams/Crew/users":                           "DELETE /api/v2/Teams/Crew/Users",
		"POST /api/api/v2/apps/AutoScalingGroup/W-00000001/Execute": "POST /api/v2/apps/AutoScalingGroup/W-00000001/execute",
		"POST /api/v2/apps/autoscalinggroup/add":                    "POST /api/v2/apps/AutoScalingGroup/Add",
		"POST /api/v2/apps/Ami/Add%22":                              "POST /api/v2/apps/Ami/Add",
		"GET /api/runs/Check/%27%7B0b06%7D":                         "GET /api/runs/Check/0b06",
		"PUT /api/runs/R-AFD84C58%22":                               "PUT /api/runs/R-AFD84C58",
		"GET /api/v2/runs/R-AFD84C58%7d/summary%22":                 "GET /api/v2/runs/R-AFD84C58/summary",
		"GET /api/v2/runs/%22%7D/summary":                           "GET /api/v2/runs/%22%7D/summary",
		"PATCH /api/Accounts":                                       "PATCH /api/accounts",
		"GET /api//Nothing/":                                        "GET /api/Nothing",
		"GET /api/":                                                 "GET /api",
	} {
		method, path, _ := strings.Cut(sent, " ")
		verb, canonical, ours := canonical(routes, method, path)
		if got := verb + " " + canonical; !ours || got != want {
			t.Errorf("%s becomes %s, want %s", sent, got, want)
		}
	}
	for _, path := range []string{"", "/", "/apis/accounts", "/setup/user", "/neap/v1/status", "/x/api/accounts"} {
		if _, got, ours := canonical(routes, "GET", path); ours {
			t.Errorf("%q is taken for %q", path, got)
		}
	}
}

func TestRewritingLeavesTheRequestAsItWasSent(t *testing.T) {
	rewrite := rewriter(Dialect(Deps{}).Rows)
	sent := httptest.NewRequest("ADD", "/Api//v2/teams/A%2FB%20C/users?x=1", nil)
	got := rewrite(sent)
	if got.Method != http.MethodPost || got.URL.Path != "/api/v2/Teams/A/B C/Users" || got.URL.RawPath != "/api/v2/Teams/A%2FB%20C/Users" || got.URL.RawQuery != "x=1" {
		t.Errorf("rewritten to %s %+v", got.Method, got.URL)
	}
	if sent.Method != "ADD" || sent.URL.Path != "/Api//v2/teams/A/B C/users" || asSent(got) != sent || asSent(sent) != sent {
		t.Errorf("the request itself is %s %+v", sent.Method, sent.URL)
	}
	if rewrite(httptest.NewRequest("GET", "/setup/user", nil)) != nil {
		t.Error("another dialect's address is rewritten")
	}
}

func FuzzRewritingTwiceIsRewritingOnce(f *testing.F) {
	for _, seed := range []string{"/api/A-1", "//API/api/users/'", "/api/%27%22/%7d", "/api/v2/Teams/%/Users", "/api/api", "/api/accounts/%27A-1%27", "/api/runs/Check/''"} {
		f.Add("GET", seed)
		f.Add("ADD", seed)
		f.Add("POST", seed)
	}
	routes := published(f)
	f.Fuzz(func(t *testing.T, method, path string) {
		verb, once, ours := canonical(routes, method, path)
		if !ours {
			return
		}
		if once != "/api" && !strings.HasPrefix(once, "/api/") || strings.Contains(once, "//") || strings.HasSuffix(once, "/") {
			t.Errorf("%q becomes %q", path, once)
		}
		if again, twice, _ := canonical(routes, verb, once); again != verb || twice != once {
			t.Errorf("%s %q becomes %s %q, and that %s %q", method, path, verb, once, again, twice)
		}
		if _, err := url.PathUnescape(path); err == nil {
			if _, err := url.PathUnescape(once); err != nil {
				t.Errorf("%q becomes %q: %v", path, once, err)
			}
		}
	})
}
