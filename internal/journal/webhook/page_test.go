package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/journal"
)

var update = flag.Bool("update", false, "write the documentation page anew")

const page = "../../../docs/alerts.md"

// isFromNeap reports whether a delivery was signed with the webhook's secret within five minutes of now.
func isFromNeap(secret, signature string, body []byte, now time.Time) bool {
	stamp, v1, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	given, err := hex.DecodeString(v1)
	seconds, wrong := strconv.ParseInt(stamp, 10, 64)
	return err == nil && wrong == nil && hmac.Equal(given, mac.Sum(nil)) && now.Sub(time.Unix(seconds, 0)).Abs() < 5*time.Minute
}

// between is what stands between two marks, without them.
func between(t *testing.T, text, from, to string) (before, found, after string) {
	t.Helper()
	before, rest, ok := strings.Cut(text, from)
	found, after, also := strings.Cut(rest, to)
	if !ok || !also {
		t.Fatalf("%s has no %q … %q", page, from, to)
	}
	return before + from, found, to + after
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestThePageHoldsTheTableOfKindsAndTheCodeThatIsTestedHere(t *testing.T) {
	stored := read(t, page)
	var table strings.Builder
	table.WriteString("\n| Kind | What it means | What to do |\n|---|---|---|\n")
	for _, k := range journal.AlertKinds() {
		table.WriteString("| `" + string(k.Kind) + "` | " + k.Meaning + " | " + k.Advice + " |\n")
	}
	before, _, after := between(t, stored, "<!-- kinds -->", "<!-- end of kinds -->")
	wanted := before + table.String() + after
	_, code, end := between(t, read(t, "page_test.go"), "// isFromNeap", "\n}\n")
	before, _, after = between(t, wanted, "```go\n", "```\n")
	wanted = before + "// isFromNeap" + code + end[:3] + after
	if *update {
		if err := os.WriteFile(page, []byte(wanted), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if stored != wanted {
		t.Error("docs/alerts.md is out of date: run the test with -update")
	}
}

// example is the delivery that the page shows.
func example(t *testing.T) (secret, signature, body string) {
	t.Helper()
	text := read(t, page)
	one := func(form string) string {
		found := regexp.MustCompile(form).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("%s has nothing like %s", page, form)
		}
		return found[1]
	}
	return one(`(?m)^(whsec_[0-9a-f]+)$`), one(`(?m)^Neap-Signature: (.+)$`), one(`(?m)^(\{"id":"dlv-.+\})$`)
}

func TestTheExampleOfThePageIsSignedAsThePageSays(t *testing.T) {
	secret, signature, body := example(t)
	stamp, digits, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	must(t, err)
	at := time.Unix(seconds, 0)
	check(t, "signature", Sign([]byte(secret), at, []byte(body)), signature)
	check(t, "the page's code, in time", isFromNeap(secret, signature, []byte(body), at.Add(time.Minute)), true)
	check(t, "too late", isFromNeap(secret, signature, []byte(body), at.Add(time.Hour)), false)
	check(t, "another body", isFromNeap(secret, signature, []byte(body+" "), at), false)
	check(t, "another secret", isFromNeap(secret+"0", signature, []byte(body), at), false)
	check(t, "the shell's output", strings.Contains(read(t, page), "\n"+digits+" *stdin\n"), true)

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("openssl is not here: its line of the page is compared, not run")
		return
	}
	shell := exec.Command(openssl, "dgst", "-sha256", "-hmac", secret, "-r")
	shell.Stdin = strings.NewReader(stamp + "." + body)
	out, err := shell.Output()
	must(t, err)
	check(t, "openssl", string(out), digits+" *stdin\n")
}
