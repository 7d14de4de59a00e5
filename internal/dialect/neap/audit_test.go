package neap_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal/chain"
)

// sealed waits until the installation's audit has n entries that are signed for.
func sealed(t *testing.T, n *apptest.Neap, entries float64) map[string]any {
	t.Helper()
	var report map[string]any
	n.Until("the audit is sealed", time.Minute, func() bool {
		report = n.Must("GET", "/neap/v1/audit/verify", nil).Body
		return report["entries"].(float64) >= entries
	})
	return report
}

func token(n *apptest.Neap, name string) {
	n.T.Helper()
	n.Must("POST", "/neap/v1/tokens", `{"name":"`+name+`"}`, "User-Agent", "neap-cli/test")
}

func TestTheAuditIsListedPageByPageAndSaysWhatWasSentWithoutSecrets(t *testing.T) {
	n := apptest.Start(t)
	for i := range 5 {
		token(n, fmt.Sprint("ci-", i))
	}
	n.Call("POST", "/neap/v1/tokens", `{"name":"","secret":"hush","nested":[{"API_KEY":"hush"}]}`)
	var names []string
	var last map[string]any
	for after := ""; ; {
		answer := n.Must("GET", "/neap/v1/audit?limit=2&after="+after, nil).Body
		for _, i := range answer["items"].([]any) {
			last = i.(map[string]any)
			names = append(names, fmt.Sprint(last["outcome"], " ", last["status"], " ", last["source"]))
		}
		if after, _ = answer["next"].(string); after == "" {
			break
		}
	}
	if got := strings.Join(names, ", "); got != "refused 400 API"+strings.Repeat(", done 200 CLI", 5) {
		t.Errorf("listed: %s", got)
	}
	one := n.Must("GET", "/neap/v1/audit/"+last["id"].(string), nil).Body
	content, _ := json.Marshal(one["context"])
	if one["remote"] != "127.0.0.1" || one["operation"] != "neap.tokens.create" || string(content) != `{"body":{"name":"ci-0"},"query":{},"url":"/neap/v1/tokens"}` {
		t.Errorf("%v", one)
	}
	if refused := n.Must("GET", "/neap/v1/audit?outcome=refused,failed", nil); strings.Contains(string(refused.Raw), "hush") || len(refused.Body["items"].([]any)) != 1 {
		t.Errorf("%s", refused.Raw)
	}
	at := last["at"].(string)
	if got := n.Must("GET", "/neap/v1/audit?newerThan="+at, nil).Body["items"].([]any); len(got) != 5 {
		t.Errorf("%d are newer than the first", len(got))
	}
	if got := n.Must("GET", "/neap/v1/audit?olderThan="+at, nil).Body["items"].([]any); len(got) != 0 {
		t.Errorf("%d are older than the first", len(got))
	}
	for _, wrong := range []string{"?outcome=won", "?newerThan=noon", "?limit=0", "?after=none", "/none", "/verify?head=1", "/export?after=-1"} {
		if got := n.Call("GET", "/neap/v1/audit"+wrong, nil); got.Status != http.StatusBadRequest && got.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", wrong, got.Status, got.Raw)
		}
	}
}

func TestAnExportVerifiesWithoutTheServer(t *testing.T) {
	n := apptest.Start(t)
	if got := n.Call("GET", "/neap/v1/audit/export", nil); got.Status != http.StatusNotFound {
		t.Errorf("with nothing sealed: %d", got.Status)
	}
	for i := range 5 {
		token(n, fmt.Sprint("ci-", i))
	}
	report := sealed(t, n, 5)
	if report["verified"] != true || len(report["problems"].([]any)) != 0 {
		t.Errorf("%v", report)
	}
	var file bytes.Buffer
	for after := "0"; after != ""; {
		first := after == "0"
		page := n.Must("GET", "/neap/v1/audit/export?limit=2&until=5&after="+after, nil)
		var part struct {
			chain.Preface
			Items []json.RawMessage
			Next  string
		}
		if err := json.Unmarshal(page.Raw, &part); err != nil {
			t.Fatal(err)
		}
		if first {
			preface, err := json.Marshal(part.Preface)
			if err != nil {
				t.Fatal(err)
			}
			file.Write(preface)
		}
		for _, item := range part.Items {
			file.Write(item)
		}
		after = part.Next
	}
	public, err := chain.ReadKey(report["publicKey"].(string))
	if err != nil {
		t.Fatal(err)
	}
	head := report["head"].(map[string]any)
	kept := n.Call("GET", fmt.Sprintf("/neap/v1/audit/verify?head=%v:%v", head["seq"], head["hash"]), nil)
	if kept.Body["verified"] != true {
		t.Errorf("with a head that was kept: %s", kept.Raw)
	}
	if got := n.Must("GET", "/neap/v1/audit/verify?head=900:"+head["hash"].(string), nil); got.Body["verified"] != false {
		t.Errorf("with a head that is not there: %s", got.Raw)
	}
	v, err := chain.VerifyFile(&file, public, nil)
	if err != nil || len(v.Problems) > 0 || v.Entries != 5 || !v.Whole {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestAnotherOrganisationReadsAndExportsItsOwnOnlyAndMayNotVerify(t *testing.T) {
	n := apptest.Start(t)
	other, err := n.Identity.AddOrganisation(t.Context(), n.Account.Organisation, "Other")
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := n.Identity.CreateToken(t.Context(), other.ID, identity.NewToken{Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	as := func(method, path, body string) apptest.Answer {
		return n.Call(method, path, body, "Authorization", "Bearer "+secret)
	}
	token(n, "ours")
	if got := as("POST", "/neap/v1/tokens", `{"name":"theirs"}`); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Raw)
	}
	sealed(t, n, 2)
	ours := n.Must("GET", "/neap/v1/audit", nil)
	list, export := as("GET", "/neap/v1/audit", ""), as("GET", "/neap/v1/audit/export", "")
	for name, got := range map[string]apptest.Answer{"list": list, "export": export} {
		if got.Status != http.StatusOK || strings.Contains(string(got.Raw), "ours") || !strings.Contains(string(got.Raw), "theirs") {
			t.Errorf("their %s: %d %s", name, got.Status, got.Raw)
		}
	}
	if strings.Contains(string(ours.Raw), "theirs") || len(export.Body["items"].([]any)) != 2 {
		t.Errorf("ours: %s, their export: %s", ours.Raw, export.Raw)
	}
	id := ours.Body["items"].([]any)[0].(map[string]any)["id"].(string)
	if got := as("GET", "/neap/v1/audit/"+id, ""); got.Status != http.StatusNotFound {
		t.Errorf("our entry: %d", got.Status)
	}
	if got := as("GET", "/neap/v1/audit/verify", ""); got.Status != http.StatusForbidden || !strings.Contains(string(got.Raw), "neap audit export") {
		t.Errorf("they verify: %d %s", got.Status, got.Raw)
	}
}
