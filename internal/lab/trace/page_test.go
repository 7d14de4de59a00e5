package trace_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/lab/trace"
)

func TestTheExamplesOfThePageAreRead(t *testing.T) {
	page, err := os.ReadFile(filepath.FromSlash("../../../docs/traces.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, example := range regexp.MustCompile("(?s)```csv\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		text := example[1]
		header, _, _ := strings.Cut(strings.TrimPrefix(text, "# simulated\n"), "\n")
		if seen[header+"\n"]++; strings.HasPrefix(header, "trace,") {
			if _, err := trace.ReadAvailability("docs/traces.md", strings.NewReader(text)); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			continue
		}
		if p, err := trace.ReadPrices("docs/traces.md", strings.NewReader(text)); err != nil || p.Simulated != strings.HasPrefix(text, "#") {
			t.Errorf("%v, simulated %v\n%s", err, p.Simulated, text)
		}
	}
	for _, header := range []string{byZone, byDate, byAzure, upDown} {
		if seen[header] == 0 {
			t.Errorf("the page has no example of %s", header)
		}
	}
}
