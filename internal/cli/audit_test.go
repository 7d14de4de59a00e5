package cli

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/journal/chain"
)

// exported is a small audit as a server exports it; every third entry is another organisation's.
func exported(t *testing.T, n int64) (preface chain.Preface, lines []chain.Line, public string) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	verifies := key.Public().(ed25519.PublicKey)
	sign := func(m chain.Mark) chain.Mark {
		m.At, m.Key = noon(), chain.KeyMark(verifies)
		m.Signature = ed25519.Sign(key, m.Message())
		return m
	}
	var before chain.Hash
	for seq := int64(1); seq <= n; seq++ {
		e := chain.Entry{Seq: seq, ID: fmt.Sprint("e", seq), Account: "act-1", Resource: "606000000001", Kind: "done", At: noon().Add(time.Duration(seq) * time.Second).UnixMicro(), Doc: `{"method":"PUT"}`}
		hash := chain.Link(before, new(chain.Digester).Digest(&e))
		lines = append(lines, chain.NewLine(e, &hash, before, seq%3 != 0))
		before = hash
	}
	public = hex.EncodeToString(verifies)
	return chain.Preface{Format: chain.Format, PublicKey: public, Begin: sign(chain.Mark{Kind: chain.Began}), Head: sign(chain.Mark{Kind: chain.Sealed, Seq: n, Hash: before})}, lines, public
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func fileOf(t *testing.T, preface chain.Preface, lines []chain.Line) string {
	t.Helper()
	text := jsonOf(t, preface) + "\n"
	for _, l := range lines {
		text += jsonOf(t, l) + "\n"
	}
	return text
}

func written(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAnExportIsFetchedPageByPageUpToTheFirstPagesHeadAndVerifiesOffline(t *testing.T) {
	preface, lines, public := exported(t, 5)
	page := func(items []chain.Line, next string) reply {
		return reply{body: strings.TrimSuffix(jsonOf(t, preface), "}") + `,"items":` + jsonOf(t, items) + `,"next":"` + next + `"}`}
	}
	s := serve(t, nil)
	s.answers = map[string]reply{"GET /neap/v1/audit/export": page(lines[:3], "3")}
	s.then = map[string]reply{"GET /neap/v1/audit/export": page(lines[3:], "")}
	got := neap(t, s, Hooks{}, "audit", "export")
	if got.code != ExitDone || got.out != fileOf(t, preface, lines) || got.err != "Exported up to the head 5:"+preface.Head.Hash.String()+"\n" {
		t.Fatalf("%+v", got)
	}
	if asked := s.requests(); asked[0].line != "GET /neap/v1/audit/export?after=0&limit=1000" || asked[1].line != "GET /neap/v1/audit/export?after=3&limit=1000&until=5" {
		t.Errorf("%+v", asked)
	}
	file := written(t, got.out)
	for _, args := range [][]string{{}, {"--key", public}, {"--head", "5:" + preface.Head.Hash.String()}, {"--head", "2:" + lines[1].Hash.String()}} {
		if got := neap(t, nil, Hooks{}, append([]string{"audit", "verify", "--file", file}, args...)...); got.code != ExitDone || !strings.HasPrefix(got.out, "5 entries are as they were sealed.\n") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	var report auditReport
	if got := neap(t, nil, Hooks{}, "audit", "verify", "--file", file, "-o", "json"); json.Unmarshal([]byte(got.out), &report) != nil || !report.Verified || report.Others != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAFileThatWasChangedIsRefusedWithThePlace(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *chain.Preface, lines []chain.Line) []chain.Line
		want   string
	}{
		"text":     {func(_ *chain.Preface, l []chain.Line) []chain.Line { l[3].Doc += " "; return l }, "4      changed    e4"},
		"account":  {func(_ *chain.Preface, l []chain.Line) []chain.Line { l[3].Account = "act-2"; return l }, "4      changed    e4"},
		"date":     {func(_ *chain.Preface, l []chain.Line) []chain.Line { l[3].At++; return l }, "4      changed    e4"},
		"previous": {func(_ *chain.Preface, l []chain.Line) []chain.Line { l[3].Previous[0] ^= 1; return l }, "4      changed    e4"},
		"hash": {func(_ *chain.Preface, l []chain.Line) []chain.Line {
			h := *l[3].Hash
			h[9] ^= 8
			l[3].Hash = &h
			return l
		}, "4      changed    e4"},
		"digest":  {func(_ *chain.Preface, l []chain.Line) []chain.Line { l[2].Digest[9] ^= 8; return l }, "3      changed    -"},
		"removed": {func(_ *chain.Preface, l []chain.Line) []chain.Line { return append(l[:3:3], l[4:]...) }, "4      missing    -"},
		"swapped": {func(_ *chain.Preface, l []chain.Line) []chain.Line {
			l[3], l[4] = l[4], l[3]
			l[3].Seq, l[4].Seq = 4, 5
			return l
		}, "4      reordered  e5"},
		"cut off":     {func(_ *chain.Preface, l []chain.Line) []chain.Line { return l[:6] }, "7-8    cutOff     -"},
		"head":        {func(p *chain.Preface, l []chain.Line) []chain.Line { p.Head.Seq--; return l[:7] }, "7      signature  -"},
		"other key":   {func(p *chain.Preface, l []chain.Line) []chain.Line { p.PublicKey = strings.Repeat("0", 64); return l }, "8      signature  -"},
		"no begin":    {func(p *chain.Preface, l []chain.Line) []chain.Line { p.Begin = p.Head; return l }, "8      signature  -"},
		"put in":      {func(_ *chain.Preface, l []chain.Line) []chain.Line { return append(l[:4:4], l[3:]...) }, "4      added      e4"},
		"its own end": {func(p *chain.Preface, l []chain.Line) []chain.Line { p.Head = p.Begin; return l[:0] }, "0      signature  -"},
	} {
		t.Run(name, func(t *testing.T) {
			preface, lines, _ := exported(t, 8)
			lines = c.change(&preface, lines)
			got := neap(t, nil, Hooks{}, "audit", "verify", "--file", written(t, fileOf(t, preface, lines)))
			if got.code != ExitRefused || !strings.Contains(got.out, c.want) && !strings.Contains(strings.Join(strings.Fields(got.out), " "), strings.Join(strings.Fields(c.want), " ")) || !strings.Contains(got.err, "not as it was written") {
				t.Errorf("%q is not said:\n%s%s", c.want, got.out, got.err)
			}
		})
	}
}

func TestAFileFromTheMiddleSaysWhatItDoesNotShow(t *testing.T) {
	preface, lines, public := exported(t, 8)
	file := written(t, fileOf(t, preface, lines[4:]))
	got := neap(t, nil, Hooks{}, "audit", "verify", "--file", file, "--key", public)
	if got.code != ExitDone || !strings.Contains(got.out, "begins with entry 5") || strings.Contains(got.out, "file's own") {
		t.Errorf("%+v", got)
	}
	if got := neap(t, nil, Hooks{}, "audit", "verify", "--file", file); !strings.Contains(got.out, "file's own") {
		t.Errorf("%+v", got)
	}
	if got := neap(t, nil, Hooks{}, "audit", "verify", "--file", file, "--key", strings.Repeat("ab", 32)); got.code != ExitRefused || !strings.Contains(got.out, "signature") {
		t.Errorf("%+v", got)
	}
	if got := neap(t, nil, Hooks{}, "audit", "verify", "--file", file, "--head", "9:"+preface.Head.Hash.String()); got.code != ExitRefused || !strings.Contains(got.out, "before the head that was kept") {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsNoExportOrNoKeyIsSaidToBeNone(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--file", written(t, `{"format":"zip"}`)}, ExitRefused, "not that of an exported audit"},
		{[]string{"--file", written(t, "hello")}, ExitRefused, "not that of an exported audit"},
		{[]string{"--file", filepath.Join(t.TempDir(), "none")}, ExitRefused, "no such file"},
		{[]string{"--file", "-", "--key", "abc"}, ExitUsage, "is no public key"},
		{[]string{"--file", "-", "--head", "abc"}, ExitUsage, "SEQ:HASH"},
		{[]string{"--key", strings.Repeat("ab", 32)}, ExitUsage, "--key is for --file"},
	} {
		if got := neap(t, nil, Hooks{}, append([]string{"audit", "verify"}, c.args...)...); got.code != c.code || !strings.Contains(got.err, c.want) {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
}

func TestTheServersVerdictIsShownAndDecidesTheExitCode(t *testing.T) {
	preface, _, public := exported(t, 8)
	body := func(problems string) reply {
		return reply{body: `{"verified":` + fmt.Sprint(problems == "[]") + `,"entries":8,"before":20,"unhashed":3,"unhashedStretches":[{"first":21,"last":23}],"waiting":1,"begin":` + jsonOf(t, preface.Begin) +
			`,"head":` + jsonOf(t, preface.Head) + `,"publicKey":"` + public + `","problems":` + problems + `,"seconds":0.1}`}
	}
	s := serve(t, map[string]reply{"GET /neap/v1/audit/verify": body("[]")})
	got := neap(t, s, Hooks{Version: "v1"}, "audit", "verify", "--head", "3:ab")
	golden(t, "audit-verified.txt", got.out)
	if got.code != ExitDone || s.requests()[0].line != "GET /neap/v1/audit/verify?head=3%3Aab" || s.agent != "neap-cli/v1" {
		t.Errorf("%+v, asked %+v", got, s.requests())
	}
	s = serve(t, map[string]reply{"GET /neap/v1/audit/verify": body(`[{"kind":"changed","seq":5,"last":5,"id":"e5","message":"It was changed."},{"kind":"missing","seq":7,"last":8,"message":"They are gone."}]`)})
	got = neap(t, s, Hooks{}, "audit", "verify")
	golden(t, "audit-changed.txt", got.out)
	if got.code != ExitRefused || got.err != "neap: The audit is not as it was written: 2 problems.\n" {
		t.Errorf("%+v", got)
	}
}

func TestTheAuditIsListedWithItsFilters(t *testing.T) {
	s := serve(t, map[string]reply{"GET /neap/v1/audit": {body: `{"items":[{"id":"1a","seq":7,"at":"2026-03-01T11:00:00Z","subject":"tok-1","name":"ci","remote":"192.0.2.1","source":"CLI",` +
		`"operation":"spot.elastigroup.aws.scaleUp","object":"sig-1","outcome":"refused","status":404,"message":"There is no group \"sig-1\"."}]}`}})
	got := neap(t, s, Hooks{}, "audit", "list", "--subject", "tok-1", "--outcome", "refused,failed", "--newer-than", "2026-03-01T00:00:00Z", "--account", "act-1")
	want := "AT                    WHO  OPERATION                    OBJECT  OUTCOME  STATUS  MESSAGE\n2026-03-01 11:00:00Z  ci   spot.elastigroup.aws.scaleUp  sig-1   refused  404     There is no group \"sig-1\".\n"
	if strings.Join(strings.Fields(got.out), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("%+v", got)
	}
	if line := s.requests()[0].line; line != "GET /neap/v1/audit?accountId=act-1&limit=50&newerThan=2026-03-01T00%3A00%3A00Z&outcome=refused%2Cfailed&subject=tok-1" {
		t.Error(line)
	}
	if got := neap(t, s, Hooks{}, "audit", "list", "-o", "wide"); !strings.Contains(got.out, "192.0.2.1") || !strings.Contains(got.out, "CLI") {
		t.Errorf("%+v", got)
	}
}
