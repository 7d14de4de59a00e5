package app_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
)

func TestRequestsToNamesThatAreNotOursAreTurnedAway(t *testing.T) {
	n := apptest.Start(t, func(c *app.Config) {
		c.PublicURL, c.Domain, c.Hosts = "https://neap.example.com:8443", "tenants.example.org", []string{"Inside.Example.Net"}
	})
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, known := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8080": true, "[::1]:8080": true, "[::1]": true, "192.0.2.7:80": true, "": true,
		"localhost": true, "LOCALHOST:99": true, "localhost.": true, "tool.localhost:8080": true, own: true, own + ":8080": true,
		"neap.example.com": true, "neap.example.com:8443": true, "inside.example.net:1": true, "tenants.example.org": true, "acme-1.tenants.example.org:8080": true,
		"example.com": false, "evil.example": false, "evil.example:8080": false, "localhost.evil.example": false, "notlocalhost": false, "127.0.0.1.evil.example": false,
		"xtenants.example.org": false, "sub.neap.example.com": false, "sub.inside.example.net": false, "127.0.0.1.": true, "0x7f.1": false,
	} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi/", "/neap/v1/status", "/aws/ec2/group", "/api/users", "/2016-07/user", "/v1/launch", "/nothing"} {
			r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			n.Handler.ServeHTTP(w, r)
			if (w.Code != http.StatusMisdirectedRequest) != known {
				t.Errorf("%q %s: %d, known %v", host, path, w.Code, known)
			}
			if !known && !strings.Contains(w.Body.String(), "--host") {
				t.Errorf("%q: %s does not say what to do", host, w.Body)
			}
		}
	}
}

func TestPagesOfOthersAreTurnedAway(t *testing.T) {
	n := apptest.Start(t, func(c *app.Config) { c.PublicURL, c.Domain = "https://neap.example.com", "tenants.example.org" })
	for _, c := range []struct {
		host, origin string
		own          bool
	}{
		{"127.0.0.1:8080", "", true}, {"127.0.0.1:8080", "http://127.0.0.1:8080", true}, {"localhost", "http://localhost", true}, {"localhost:80", "http://localhost", true},
		{"127.0.0.1:8080", "https://neap.example.com", true}, {"neap.example.com", "https://neap.example.com:443", true}, {"tenants.example.org", "https://acme-1.tenants.example.org", true},
		{"127.0.0.1:8080", "http://127.0.0.1:3000", false}, {"localhost:8080", "http://127.0.0.1:8080", false}, {"127.0.0.1:8080", "https://evil.example", false},
		{"127.0.0.1:8080", "null", false}, {"127.0.0.1:8080", "http://neap.example.com", false}, {"127.0.0.1:8080", "file://", false}, {"localhost", "http://tool.localhost", false},
		{"127.0.0.1:8080", "%zz", false},
	} {
		for method, path := range map[string]string{http.MethodGet: "/healthz", http.MethodPut: "/v1/launch", http.MethodPost: "/aws/ec2/group", http.MethodOptions: "/v1/launch"} {
			r := httptest.NewRequest(method, "http://localhost"+path, nil)
			if r.Host = c.host; c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			n.Handler.ServeHTTP(w, r)
			if refused := strings.Contains(w.Body.String(), "Pages from"); refused == c.own || refused && w.Code != http.StatusForbidden {
				t.Errorf("%+v %s %s: %d %s", c, method, path, w.Code, w.Body)
			}
		}
	}
}

// lounge serves an app to guests, as a listener on this machine does.
func lounge(t *testing.T, a *app.App, bound string) string {
	t.Helper()
	listener, err := net.Listen("tcp", bound)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(a.Handler)
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener, server.Config.BaseContext = listener, a.Base
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + port
}

// visit sends a request without a token.
func visit(t *testing.T, method, address string, headers ...string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n+1 < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text.String()
}

const launching = "/v1/launch?ami=ami-0a1b2c3d&instance_type=t1.micro"

func TestGuestsAreLetInFromThisMachineAlone(t *testing.T) {
	n := apptest.Start(t)
	local, wide := lounge(t, n.App, "127.0.0.1:0"), lounge(t, n.App, "0.0.0.0:0")
	status, body := visit(t, "PUT", local+launching)
	id := regexp.MustCompile(`^\["(i-[0-9a-f]{17})"\]`).FindStringSubmatch(body)
	if status != http.StatusOK || id == nil {
		t.Fatalf("%d %s", status, body)
	}
	for what, c := range map[string]struct {
		address string
		headers []string
	}{
		"a listener that others reach": {wide, nil},
		"a listener of a test":         {n.URL, nil},
		"a wrong token":                {local, []string{"Authorization", "Bearer wrong"}},
		"a proxy":                      {local, []string{"X-Forwarded-For", "192.0.2.1"}},
		"a proxy that says its host":   {local, []string{"X-Forwarded-Host", "neap.example.com"}},
		"a proxy by the standard":      {local, []string{"Forwarded", "for=192.0.2.1"}},
		"a proxy that says its name":   {local, []string{"Via", "1.1 proxy"}},
		"a proxy of another habit":     {local, []string{"X-Real-IP", "192.0.2.1"}},
		"a proxy far away":             {local, []string{"CF-Connecting-IP", "192.0.2.1"}},
		"a load balancer":              {local, []string{"True-Client-IP", "192.0.2.1"}},
	} {
		for method, path := range map[string]string{"PUT": launching, "GET": "/v1/" + id[1] + "/attributes"} {
			if status, body := visit(t, method, c.address+path, c.headers...); status != http.StatusUnauthorized || !strings.Contains(body, `"error":"`) {
				t.Errorf("%s: %s %d %s", what, method, status, body)
			}
		}
	}
	for _, path := range []string{"/neap/v1/status", "/aws/ec2/group", "/2016-07/user", "/neap/v1/audit"} {
		if status, body := visit(t, "GET", local+path); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if kept := string(n.Must("GET", "/neap/v1/audit", nil).Raw); !strings.Contains(kept, "launch.instances.launch") || !strings.Contains(kept, `"subject":"guest"`) {
		t.Errorf("the audit does not know the guest: %s", kept)
	}
}

func TestGuestsReachNoAccountButTheFirst(t *testing.T) {
	m := &matrix{Neap: apptest.Start(t, runsJobs(t))}
	m.north = m.tenant("north")
	local := lounge(t, m.App, "127.0.0.1:0")
	if status, body := visit(t, "PUT", local+launching+"&accountId="+m.north.accounts[0]); status != http.StatusForbidden {
		t.Errorf("%d %s", status, body)
	}
	if status, body := visit(t, "PUT", local+"/v1/"+m.north.ids["instance"]+"/terminate"); status != http.StatusNotFound {
		t.Errorf("%d %s", status, body)
	}
	if status, body := visit(t, "PUT", local+launching+"&accountId="+m.Account.ID); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

func TestTheLaunchAPICanHaveAnAddressOfItsOwn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := config(t.TempDir())
	c.Launch.Listen = "127.0.0.1:0"
	ended := make(chan error, 1)
	go func() {
		err := app.Up(ctx, c, "127.0.0.1:0", write)
		ended <- errors.Join(err, write.Close())
	}()
	var out bytes.Buffer
	at := regexp.MustCompile(`API alone is at (http://127\.0\.0\.1:\d+)/v1/`)
	for buffer := make([]byte, 4096); at.FindStringSubmatch(out.String()) == nil; {
		n, err := read.Read(buffer)
		if err != nil {
			t.Fatalf("it ended early: %v\n%s", err, out.String())
		}
		out.Write(buffer[:n])
	}
	alone := at.FindStringSubmatch(out.String())[1]
	if status, body := visit(t, "PUT", alone+launching); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	for path, want := range map[string]int{"/v1/nothing": 404, "/neap/v1/status": 404, "/metrics": 404, "/v1x/launch": 404, "/": 404} {
		if status, body := visit(t, "GET", alone+path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	cancel()
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = out.ReadFrom(read) }()
	if err := <-ended; err != nil {
		t.Errorf("it did not stop gracefully: %v", err)
	}
	<-drained
}

func TestAnAddressThatIsTakenIsNamedWithItsFlag(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := config(t.TempDir())
	c.Launch.Listen = taken.Addr().String()
	if err := app.Up(t.Context(), c, "127.0.0.1:0", &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "--launch-listen") {
		t.Errorf("%v", err)
	}
}
