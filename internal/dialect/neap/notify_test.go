package neap_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/journal/webhook"
)

// outbound lets webhooks reach this machine, where tests listen.
func outbound(c *app.Config) { c.AllowOutbound = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func TestAWebhookIsToldSignedOfWhatTheEngineDoes(t *testing.T) {
	n := apptest.Start(t, outbound)
	var mu sync.Mutex
	var secret string
	var taken []webhook.Letter
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		var l webhook.Letter
		if err != nil || webhook.Verify([]byte(secret), r.Header.Get(webhook.HeaderSignature), body, time.Now(), time.Minute) != nil || json.Unmarshal(body, &l) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		taken = append(taken, l)
	}))
	defer receiver.Close()
	mu.Lock()
	made := n.Must("POST", "/neap/v1/webhooks", map[string]any{"url": receiver.URL, "kinds": []string{"*"}}).Body
	secret = made["secret"].(string)
	mu.Unlock()
	group := n.Must("POST", "/aws/ec2/group", smallGroup).Items()[0]["id"]
	n.Until("the webhook is told", 10*time.Minute, func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range taken {
			if l.Resource == group && l.Account == n.Account.ID {
				return true
			}
		}
		return false
	})
	path := "/neap/v1/webhooks/" + made["id"].(string)
	for _, show := range []string{"/neap/v1/webhooks", path, path + "/dead"} {
		if answer := n.Must("GET", show, nil); strings.Contains(string(answer.Raw), secret) {
			t.Errorf("%s shows the secret: %s", show, answer.Raw)
		}
	}
	n.Must("POST", path+"/redeliver", nil)
	n.Must("DELETE", path, nil)
	if got := n.Call("GET", path, nil); got.Status != http.StatusNotFound {
		t.Errorf("after its end: %d %s", got.Status, got.Raw)
	}
}

const smallGroup = `{"group":{"name":"told","region":"us-east-1","capacity":{"target":1,"minimum":1,"maximum":1,"unit":"instance"},
	"strategy":{"risk":100,"availabilityVsCost":"balanced","fallbackToOd":true},
	"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large"]},
	"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0abcdef1234567890"]}],"launchSpecification":{"imageId":"ami-0abcdef1234567890","securityGroupIds":["sg-0abcdef1234567890"]}}}}`

func TestAWebhookToTheInsideIsRefusedUnlessTheOperatorAllowsIt(t *testing.T) {
	n := apptest.Start(t)
	for _, address := range []string{"http://127.0.0.1:9/", "http://169.254.169.254/", "http://[::1]/", "http://2130706433/", "https://user:pw@example.com/", "nonsense"} {
		answer := n.Call("POST", "/neap/v1/webhooks", map[string]any{"url": address, "kinds": []string{"*"}})
		if answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Raw), `"field":"url"`) {
			t.Errorf("%s: %d %s", address, answer.Status, answer.Raw)
		}
	}
	for _, body := range []string{`{"url":"https://example.com/"}`, `{"url":7}`} {
		if answer := n.Call("POST", "/neap/v1/webhooks", body); answer.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, answer.Status, answer.Raw)
		}
	}
}

func TestAlertsAreListedAndInTheStatus(t *testing.T) {
	n := apptest.Start(t)
	if status := n.Must("GET", "/neap/v1/status", nil).Body; status["alerts"] == nil {
		t.Errorf("status without alerts: %v", status)
	}
	if items, is := n.Must("GET", "/neap/v1/alerts?all=true", nil).Body["items"].([]any); !is || len(items) != 0 {
		t.Errorf("alerts: %v", items)
	}
}
