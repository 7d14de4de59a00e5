package pubnub_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/identity"
)

func TestTheSamplesAreAnsweredAsPublished(t *testing.T) {
	w := start(t)
	begin := w.begin()
	keys := []string{"<pub key>", w.pub, "<sub key>", w.sub, "15694056600000000", begin}
	for _, title := range []string{"publish", "subscribe v1 first call", "subscribe v1 with a message", "subscribe v2"} {
		s := dialecttest.Find(t, "pubnub", title, keys...)
		a := w.get(s.Request.Path)
		switch title {
		case "subscribe v2":
			s.Agrees(t, a.Status, a.Raw, "t")
		default: // the tokens of arrays
			var want, got []any
			if err := json.Unmarshal(s.Response.Body, &want); err != nil {
				t.Fatal(err)
			}
			if got = w.list(a); len(got) != len(want) || !reflect.DeepEqual(got[0], want[0]) || len(got[len(got)-1].(string)) != 17 {
				t.Errorf("%s: %s", title, a.Raw)
			}
		}
	}
}

func TestPayloadsArriveAsTheyWereSentWhateverTheyHold(t *testing.T) {
	w := start(t)
	base := "/publish/" + w.pub + "/" + w.sub + "/"
	for n, c := range []struct{ path, body, want string }{
		{"0/c/0/%7B%22a%22%3A%22b%2Fc%3Fd%23e%25%26%22%7D", "", `{"a":"b/c?d#e%&"}`},
		{"0/c/0/%22%2F%22", "", `"/"`},
		{`0/c/0/"a/b//c/"`, "", `"a/b//c/"`},
		{"0/c/0/%22%252F%22", "", `"%2F"`},
		{"0/c/0/%22%E5%B0%8F%F0%9F%8C%8A%22", "", `"小🌊"`},
		{"signature/c/0/1.50", "", `1.50`},
		{"0/c/0/null/", "", `null`},
		{"0/c/0/[1,%20[2],%0A%22x+y%22]", "", `[1,[2],"x+y"]`},
		{"0/c/0", `{"in": "the body/?"}`, `{"in":"the body/?"}`},
		{"x/c/0", ` "text" `, `"text"`},
		{"0/c/0", `12345678901234567890`, `12345678901234567890`},
		{"0/c/0?seqn=7", `false`, `false`},
	} {
		begin := w.begin()
		if c.body == "" {
			w.sent(w.get(base + c.path))
		} else {
			w.sent(w.ask(http.MethodPost, base+c.path, c.body))
		}
		a := w.get("/v2/subscribe/" + w.sub + "/c/0?tt=" + begin)
		var out struct{ M []struct{ D json.RawMessage } }
		if err := json.Unmarshal(a.Raw, &out); err != nil || len(out.M) != 1 || string(out.M[0].D) != c.want {
			t.Errorf("%d: %s arrives as %s, want %s", n, c.path, a.Raw, c.want)
		}
	}
}

func TestPackedBodiesAreUnpacked(t *testing.T) {
	w := start(t)
	pack := func(encoding, text string) string {
		var packed bytes.Buffer
		var out io.WriteCloser = zlib.NewWriter(&packed)
		if encoding == "gzip" {
			out = gzip.NewWriter(&packed)
		}
		if _, err := io.WriteString(out, text); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		return packed.String()
	}
	path := "/publish/" + w.pub + "/" + w.sub + "/0/a/0"
	for _, encoding := range []string{"gzip", "deflate"} {
		for n := range 300 { // some of them end in a blank
			body := pack(encoding, fmt.Sprintf(`{"n":%d}`, n))
			if a := w.ask(http.MethodPost, path, body, "Content-Encoding", encoding); a.Status != 200 {
				t.Fatalf("%s, %d: %d %s", encoding, n, a.Status, a.Raw)
			}
		}
		for body, want := range map[string]string{
			"x": "Invalid JSON", pack(encoding, "{"): "Invalid JSON", pack(encoding, `"`+strings.Repeat(" ", 20<<20)+`"`): "Message Too Large", pack(encoding, `"`+strings.Repeat("x", 40<<10)+`"`): "Message Too Large",
		} {
			if a := w.ask(http.MethodPost, path, body, "Content-Encoding", encoding); a.Status < 400 || !strings.HasPrefix(string(a.Raw), `[0,"`+want) {
				t.Errorf("%s: %d %s, want %s", encoding, a.Status, a.Raw, want)
			}
		}
	}
	if a := w.ask(http.MethodPost, path, "1", "Content-Encoding", "br"); a.Status != 400 {
		t.Errorf("br: %d %s", a.Status, a.Raw)
	}
}

func TestChannelsMayHaveAnyName(t *testing.T) {
	w := start(t)
	for _, name := range []string{"a/b", "a b", "ü🌊", "a?b#c", "a%2Fb", "-._~!$&'()*+;=:@", "a.*", "0"} {
		begin := w.begin()
		w.publish(name, 1)
		a := w.get("/v2/subscribe/" + w.sub + "/" + url.PathEscape("other") + "," + url.PathEscape(name) + "/0?tt=" + begin)
		messages, _ := a.Body["m"].([]any)
		if len(messages) != 1 || messages[0].(map[string]any)["c"] != name {
			t.Errorf("%q: %s", name, a.Raw)
		}
	}
}

func TestTheOldFormNamesTheChannelsOfMessages(t *testing.T) {
	w := start(t)
	begin := w.begin()
	w.publish("a", "x")
	w.publish("b", 2)
	last := w.publish("a", nil)
	for channels, want := range map[string]string{
		"a":     `[["x",null],"` + last + `"]`,
		"a,b":   `[["x",2,null],"` + last + `","a,b,a"]`,
		"a%2Cb": `[["x",2,null],"` + last + `","a,b,a"]`,
	} {
		if a := w.get("/subscribe/" + w.sub + "/" + channels + "/0/" + begin); strings.TrimSpace(string(a.Raw)) != want {
			t.Errorf("%s: %s, want %s", channels, a.Raw, want)
		}
	}
}

func TestTheNewFormTellsWhoSentWhat(t *testing.T) {
	w := start(t)
	begin := w.begin()
	token := w.publish("a", 1, "?uuid=robot%2F1&seqn=42&meta=%7B%22k%22%3A1%7D&store=0&ttl=3&norep=true&pnsdk=x")
	a := w.get("/v2/subscribe/" + w.sub + "/a/0?uuid=me&heartbeat=300&tr=1&tt=" + begin)
	want := fmt.Sprintf(`{"t":{"t":"%s","r":1},"m":[{"a":"1","f":0,"i":"robot/1","s":42,"p":{"t":"%s","r":1},"k":"%s","c":"a","d":1,"u":{"k":1}}]}`, token, token, w.sub)
	if strings.TrimSpace(string(a.Raw)) != want {
		t.Errorf("got  %s\nwant %s", a.Raw, want)
	}
}

func TestASubscriptionWithoutATokenBegins(t *testing.T) {
	w := start(t)
	w.publish("a", "before")
	for _, query := range []string{"", "?tt=0", "?tt=0&tr=4"} {
		a := w.get("/v2/subscribe/" + w.sub + "/a/0" + query)
		if messages, _ := a.Body["m"].([]any); a.Status != 200 || messages == nil || len(messages) != 0 || a.Body["t"].(map[string]any)["r"] != 1.0 {
			t.Errorf("%q: %d %s", query, a.Status, a.Raw)
		}
	}
}

func TestALongPollEndsWithTheMessageOrTheClient(t *testing.T) {
	w := start(t)
	begin := w.begin()
	poll := func(ctx context.Context) chan string {
		answers := make(chan string, 1)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/v2/subscribe/"+w.sub+"/a/0?tt="+begin, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				answers <- "gone"
				return
			}
			defer response.Body.Close()
			text, err := bufio.NewReader(response.Body).ReadString('\n')
			if err != nil {
				text = err.Error()
			}
			answers <- text
		}()
		return answers
	}
	waiting := func(n string) {
		w.Until(n+" polls wait", time.Minute, func() bool {
			return strings.Contains(string(w.get("/metrics").Raw), "neap_http_in_flight "+n+"\n")
		})
	}
	ctx, leave := context.WithCancel(t.Context())
	gone, served := poll(ctx), poll(t.Context())
	waiting("2")
	leave()
	if text := <-gone; text != "gone" {
		t.Errorf("the client that left got %q", text)
	}
	waiting("1")
	w.publish("a", "x")
	if text := <-served; !strings.Contains(text, `"d":"x"`) {
		t.Errorf("the subscriber got %q", text)
	}
}

func TestWrongKeysAreRefusedInTheFormsThatClientsKnow(t *testing.T) {
	w := start(t)
	second, err := w.Identity.AddAccount(t.Context(), identity.Account{Organisation: w.Account.Organisation, Name: "second", Cloud: "sim", Provider: "AWS"})
	if err != nil {
		t.Fatal(err)
	}
	other := w.Must("GET", "/neap/v1/channels/keys?accountId="+second.ID, nil).Body
	otherPub, otherSub := other["publishKey"].(string), other["subscribeKey"].(string)
	large := strings.Repeat("x", 33<<10)
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/publish/" + otherPub + "/" + w.sub + "/0/a/0/1", 400, `[0,"Invalid Key","`},
		{"/publish/" + w.pub + "/" + otherSub + "/0/a/0/1", 400, `[0,"Invalid Key","`},
		{"/publish/demo/demo/0/a/0/1", 400, `[0,"Invalid Key","`},
		{"/publish/" + w.pub + "/" + w.sub + "/0/a/0/x", 400, `[0,"Invalid JSON","`},
		{"/publish/" + w.pub + "/" + w.sub + "/0/a/0/%22" + large + "%22", 413, `[0,"Message Too Large","`},
		{"/publish/" + w.pub + "/" + w.sub + "/0/a/0/1?meta=x", 400, `[0,"What is said`},
		{"/publish/" + w.pub + "/" + w.sub + "/0/a,b/0/1", 400, `[0,"A channel's name`},
		{"/publish/" + w.pub + "/" + w.sub + "/0/a/alert(1)/1", 400, `[0,"The callback`},
		{"/publish/demo/demo/0/a/f/1", 400, `f([0,"Invalid Key","`},
		{"/subscribe/demo/a/0/0", 400, `{"status":400,"error":true,"message":"Invalid Subscribe Key","service":"Neap"}`},
		{"/subscribe/demo/a/f/0", 400, `f({"status":400,"error":true,"message":"Invalid Subscribe Key","service":"Neap"})`},
		{"/subscribe/" + w.sub + "/a/0/yesterday", 400, `{"status":400,"error":true,"message":"A time token`},
		{"/subscribe/" + w.sub + "/a/0/-1", 400, `{"status":400,"error":true,"message":"A time token`},
		{"/subscribe/" + w.sub + "/,/0/0", 400, `{"status":400,"error":true,"message":"Name 1 to 100`},
		{"/v2/subscribe/" + w.pub + "/a/0?tt=0", 400, `{"status":400,"error":true,"message":"Invalid Subscribe Key"`},
		{"/v2/subscribe/" + w.sub + "/a/x-y?tt=0", 400, `{"status":400,"error":true,"message":"The callback`},
		{"/time/x-y", 400, `{"status":400,"error":true,"message":"The callback`},
		{"/v2/presence/sub-key/demo/channel/a/heartbeat", 400, `{"status":400,"error":true,"message":"Invalid Subscribe Key"`},
		{"/v2/presence/nothing", 404, `{"status":404,"error":true,"message":"There is no operation at this address`},
	} {
		if a := w.get(c.path); a.Status != c.status || !strings.HasPrefix(string(a.Raw), c.want) {
			t.Errorf("%.100s: %d %.200s, want %d %s", c.path, a.Status, a.Raw, c.status, c.want)
		}
	}
	for body, want := range map[string]string{"": "Invalid JSON", "{": "Invalid JSON", `1,"x":2`: "Invalid JSON", `"` + large + `"`: "Message Too Large"} {
		if a := w.ask(http.MethodPost, "/publish/"+w.pub+"/"+w.sub+"/0/a/0", body); a.Status < 400 || !strings.HasPrefix(string(a.Raw), `[0,"`+want) {
			t.Errorf("a body of %.20q: %d %s", body, a.Status, a.Raw)
		}
	}
	begin := w.begin()
	if a := w.get("/publish/" + otherPub + "/" + otherSub + "/0/a/0/1"); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	w.publish("a", "own")
	if got := w.list(w.get("/subscribe/" + w.sub + "/a/0/" + begin)); !reflect.DeepEqual(got[0], []any{"own"}) {
		t.Errorf("an account's channel holds %v", got[0])
	}
}

func TestJSONPIsForHarmlessNames(t *testing.T) {
	w := start(t)
	begin := w.begin()
	w.publish("a", "</script>\u2028")
	for path, want := range map[string]string{
		"/time/my.call_Back$1":                         "my.call_Back$1([17",
		"/subscribe/" + w.sub + "/a/f/" + begin:        `f([["`,
		"/v2/subscribe/" + w.sub + "/a/f?tt=" + begin:  `f({"t":{"t":"`,
		"/publish/" + w.pub + "/" + w.sub + "/0/a/f/1": `f([1,"Sent","`,
	} {
		a := w.get(path)
		if a.Status != 200 || a.Header.Get("Content-Type") != "application/javascript" || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(string(a.Raw), want) || !strings.HasSuffix(string(a.Raw), ")") || strings.Contains(string(a.Raw), "\u2028") {
			t.Errorf("%s: %d %s %s", path, a.Status, a.Header.Get("Content-Type"), a.Raw)
		}
	}
	if a := w.get("/time/0"); a.Header.Get("Content-Type") != "application/json" || len(bytes.TrimSpace(a.Raw)) != len("[17694056610000001]") {
		t.Errorf("%s %s", a.Header.Get("Content-Type"), a.Raw)
	}
}

func TestPresenceIsQuiet(t *testing.T) {
	w := start(t)
	for path, want := range map[string]string{
		"/v2/presence/sub-key/" + w.sub + "/channel/a,b/heartbeat?uuid=u&heartbeat=300": `{"message":"OK","service":"Presence","status":200}`,
		"/v2/presence/sub-key/" + w.sub + "/channel/a/leave":                            `{"action":"leave","message":"OK","service":"Presence","status":200}`,
		"/v2/presence/sub_key/" + w.sub + "/channel/a":                                  `{"message":"OK","occupancy":0,"service":"Presence","status":200,"uuids":[]}`,
		"/v2/presence/sub-key/" + w.sub + "/channel/a,b":                                `{"message":"OK","payload":{"channels":{},"total_channels":0,"total_occupancy":0},"service":"Presence","status":200}`,
		"/v2/presence/sub_key/" + w.sub:                                                 `{"message":"OK","payload":{"channels":{},"total_channels":0,"total_occupancy":0},"service":"Presence","status":200}`,
		"/v2/presence/sub-key/" + w.sub + "/uuid/u":                                     `{"message":"OK","payload":{"channels":[]},"service":"Presence","status":200}`,
		"/v2/presence/sub-key/" + w.sub + "/channel/a/uuid/u":                           `{"channel":"a","message":"OK","payload":{},"service":"Presence","status":200,"uuid":"u"}`,
		"/v2/presence/sub-key/" + w.sub + "/channel/a/uuid/u/data?state=%7B%7D":         `{"channel":"a","message":"OK","payload":{},"service":"Presence","status":200,"uuid":"u"}`,
	} {
		if a := w.get(path); a.Status != 200 || strings.TrimSpace(string(a.Raw)) != want {
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
}

func TestPagesFromAnywhereMayAskHereAndNowhereElse(t *testing.T) {
	w := start(t)
	const page = "https://dashboard.example"
	if a := w.get("/time/0", "Origin", page); a.Status != 200 || a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	a := w.ask(http.MethodOptions, "/publish/"+w.pub+"/"+w.sub+"/0/a/0", "", "Origin", page, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	if a.Status != 204 || !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "POST") || a.Header.Get("Access-Control-Allow-Headers") != "*" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	if a := w.ask(http.MethodHead, "/v2/subscribe/"+w.sub+"/a/0", "", "Origin", page); a.Status != 200 || len(a.Raw) != 0 || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("HEAD: %d %q", a.Status, a.Raw)
	}
	if a := w.get("/v2/subscribe/demo/a/0", "Origin", page); a.Status != 400 || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a page cannot read why it is refused: %d %v", a.Status, a.Header)
	}
	for _, path := range []string{"/neap/v1/channels/keys", "/timer", "/v2/other", "/aws/ec2/group"} {
		if a := w.get(path, "Origin", page); a.Status != 403 || a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", path, a.Status, a.Header)
		}
	}
}

// lines are what was logged; the engine logs beside the test.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is io.Writer's.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestNeitherKeysNorMessagesAreLoggedOrAudited(t *testing.T) {
	var log lines
	w := start(t, func(c *app.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	begin := w.begin()
	w.publish("channel-canary", "payload-canary")
	for range 2 {
		w.get("/v2/subscribe/" + w.sub + "/channel-canary/0?filter-expr=filter-canary&tt=" + begin)
	}
	for _, path := range []string{"/publish/" + w.pub, "/subscribe/" + w.sub, "/publish/" + w.pub + "/" + w.sub + "/0/channel-canary/0/{", "/v2/subscribe/" + w.sub + "/channel-canary/0?tt=x"} {
		w.get(path)
		w.ask(http.MethodOptions, path, "")
		w.ask(http.MethodDelete, path, "")
	}
	text := log.String()
	for _, secret := range []string{w.pub, w.sub, "canary"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	if !strings.Contains(text, "pubnub.publish") || strings.Count(text, "asked=filter-expr") != 1 {
		t.Error("the log lacks the operation, or does not say once that filters are not acted on")
	}
	if kept := string(w.Must("GET", "/neap/v1/audit", nil).Raw); strings.Contains(kept, "pubnub") || strings.Contains(kept, w.sub) {
		t.Errorf("the audit holds messages: %s", kept)
	}
}

func TestThePublishKeyIsForThoseWhoMayPublish(t *testing.T) {
	w := start(t)
	if again := w.Must("GET", "/neap/v1/channels/keys", nil).Body; again["publishKey"] != w.pub || again["subscribeKey"] != w.sub {
		t.Errorf("asked again, the keys are %v", again)
	}
	for policy, want := range map[string]int{"Account Viewer": 1, "Account Editor": 2} {
		made, token, err := w.Identity.CreateUser(t.Context(), identity.NewUser{User: identity.User{Organisation: w.Account.Organisation, Program: true, Name: strings.ReplaceAll(policy, " ", "-")}, Token: "bearer"})
		if err != nil {
			t.Fatal(err)
		}
		grant(t, w.Neap, made, policy)
		a := w.Call(http.MethodGet, "/neap/v1/channels/keys?accountId="+w.Account.ID, nil, "Authorization", "Bearer "+token)
		if a.Status != 200 || len(a.Body) != want {
			t.Errorf("%s: %d %d keys", policy, a.Status, len(a.Body))
		}
	}
}

// grant gives a user a standard policy in the account.
func grant(t *testing.T, n *apptest.Neap, u identity.User, policy string) {
	t.Helper()
	all, err := n.Identity.Policies(t.Context(), u.Organisation)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == policy {
			if _, err := n.Identity.UpdateUser(t.Context(), u.Organisation, u.ID, func(u *identity.User) error {
				u.Policies = append(u.Policies, identity.Mapping{Policy: p.ID, Accounts: []string{n.Account.ID}})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("there is no policy %q", policy)
}
