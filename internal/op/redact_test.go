package op

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const canary = "canary0815"

func secretNames() []string {
	return []string{"password", "clientSecret", "private_key", "privateKey", "secretKey", "secret", "token", "aclToken", "apiKey", "authorization", "userData", "shutdownScript",
		"PASSWORD", "client-secret", "Private-Key", "api_key", "x.token", "login[password]", "refresh_token", "personalAccessToken", "oldPassword"}
}

// planted draws a JSON value that holds the canary under secret names only, and in tokens.
func planted(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return rapid.StringMatching(`[a-z ]{0,9}`).Draw(t, "text")
	case 1:
		return rapid.Int().Draw(t, "number")
	case 2:
		return map[string]any{rapid.SampledFrom(secretNames()).Draw(t, "secret"): canary}
	case 3:
		return "see neap_0123abcd_" + canary + " there, and neapsec_" + canary
	case 4:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, planted(t, depth-1))
		}
		return list
	case 7:
		return map[string]any{"env": map[string]any{rapid.StringMatching(`[A-Z]{1,5}`).Draw(t, "variable"): canary, "keep": planted(t, depth-1)}}
	case 5:
		return map[string]any{rapid.SampledFrom(secretNames()).Draw(t, "secret"): map[string]any{"value": []any{canary, planted(t, depth-1)}}}
	}
	return map[string]any{
		rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "name"): planted(t, depth-1), "neap_0123abcd_" + canary: planted(t, depth-1), "keep": "kept",
	}
}

func TestNoSecretSurvivesAtAnyDepth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, err := json.Marshal(map[string]any{"keep": "kept", "in": planted(t, 6)})
		if err != nil {
			t.Fatal(err)
		}
		query := url.Values{"keep": {"kept"}}
		for range rapid.IntRange(0, 3).Draw(t, "parameters") {
			query.Add(rapid.SampledFrom(secretNames()).Draw(t, "parameter"), canary)
		}
		query.Add("x", "neap_0123abcd_"+canary)
		address := &url.URL{Path: "/neap_0123abcd_" + canary + "/aws", RawQuery: query.Encode()}
		text, err := contextOf(address, body)
		if err != nil {
			t.Fatal(err)
		}
		var kept auditedRequest
		if err := json.Unmarshal([]byte(text), &kept); err != nil || strings.Contains(text, canary) {
			t.Fatalf("%s leaves %s (%v)", body, text, err)
		}
		if kept.Query["keep"][0] != "kept" || len(body) <= longestBody && kept.Body.(map[string]any)["keep"] != "kept" {
			t.Fatalf("what is no secret is gone: %s", text)
		}
	})
}

func TestWhatIsKeptOfARequest(t *testing.T) {
	for _, c := range []struct{ url, body, want string }{
		{"/a", "", `{"body":null,"url":"/a","query":{}}`},
		{"/a?b=1&b=2&c", `{"n":1.50,"big":12345678901234567890}`, `{"body":{"big":12345678901234567890,"n":1.50},"url":"/a?b=1&b=2&c=","query":{"b":["1","2"],"c":[""]}}`},
		{"/a%2Fb?q=%20<", `{"html":"<&>"}`, `{"body":{"html":"<&>"},"url":"/a/b?q=+%3C","query":{"q":[" <"]}}`},
		{"/a?token=t&client-secret=s", `{"token":{"x":1},"list":[{"PASS_WORD":"x"}]}`, `{"body":{"list":[{"PASS_WORD":"***"}],"token":"***"},"url":"/a?token=***&client-secret=***","query":{"client-secret":["***"],"token":["***"]}}`},
		{"/a?env=x&environment=y", `{"env":{"A":"secret","token":{"a":1},"neap_0123abcd_x":1},"ENV":"secret","list":[{"env":["secret"]}],"environment":"test"}`,
			`{"body":{"ENV":"***","env":{"***":"***","A":"***","token":"***"},"environment":"test","list":[{"env":"***"}]},"url":"/a?env=***&environment=y","query":{"env":["***"],"environment":["y"]}}`},
		{"/a?b=%zz&c=1", "", `{"body":null,"url":"/a?***&c=1","query":{"c":["1"]}}`},
		{"/a", `{"x":"` + strings.Repeat("y", longestBody) + `"}`, `{"body":"left out: 16392 bytes","url":"/a","query":{}}`},
		{"/a?b=" + strings.Repeat("c", longestURL), "", `{"body":null,"url":"/a?left out: 4098 bytes","query":{}}`},
	} {
		path, query, _ := strings.Cut(c.url, "?")
		plain, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := contextOf(&url.URL{Path: plain, RawQuery: query}, []byte(c.body)); got != c.want || err != nil {
			t.Errorf("%.80s: %s, %v\nwant %s", c.url, got, err, c.want)
		}
	}
}

func TestNamesThatOnlyResembleSecretsAreKept(t *testing.T) {
	for _, name := range []string{"tokens", "secretName", "passwordPolicy", "user", "data", "key", "", "tokenId"} {
		if isSecret(name) {
			t.Errorf("%q counts as secret", name)
		}
	}
}

func FuzzContext(f *testing.F) {
	f.Add("/a", "b=1&token=x", `{"a":[1]}`)
	f.Add("/neap_00000000_a", "%zz;", `{}`)
	f.Fuzz(func(t *testing.T, path, query, body string) {
		if _, err := parseDocument([]byte(body), 64); err != nil {
			body = ""
		}
		text, err := contextOf(&url.URL{Path: path, RawQuery: query}, []byte(body))
		if err != nil || !json.Valid([]byte(text)) {
			t.Errorf("%q, %v", text, err)
		}
	})
}
