package internal_test

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room is one row of the table of who may import whom.
type room struct {
	path   string   // below internal/; it stands for the folders below it too, unless they have a row of their own
	layer  int      // imports go to lower layers
	beside []string // rooms of the same layer that may be imported all the same
	only   []string // when given, the only rooms and layers ("layer 0") that may be imported, whatever the layers say
	users  []string // when given, the only rooms that may import this one
	why    string   // the reason behind only and users
}

const (
	backEnd = "back ends are wired by app; everyone else speaks to the contract"
	harm    = "what goes wrong on purpose is for tests; app alone puts it around a cloud"
	wire    = "a dialect translates: rules live in domain rooms, and neither store nor back end may leak into a wire format"
	outward = "an address that a user names is connected to through one guard only, which knows nothing of what is sent"
	drawn   = "what a simulated world draws follows from its seed alone, and only that world and the laboratory may know it: an engine that did would see the future"
	pure    = "the pure core knows only its own nouns, so that the same inputs give the same answer"
)

// rooms is the table of the architecture.
func rooms() []room {
	foundation := []string{"fault", "clock", "money", "ident", "catalog"}
	books := []string{"journal", "ledger", "identity"}
	fleets := append([]string{"fleet"}, books...)
	domain := []string{"layer 0", "op", "identity", "journal", "ledger", "market", "fleet", "fleet/experiment", "cluster", "batch", "database", "delivery", "spark"}
	return []room{
		{path: "fault", layer: 0, beside: foundation},
		{path: "clock", layer: 0, beside: foundation},
		{path: "money", layer: 0, beside: foundation},
		{path: "ident", layer: 0, beside: foundation},
		{path: "catalog", layer: 0, beside: foundation},
		{path: "dial", layer: 0, beside: foundation, only: foundation, users: []string{"journal", "app"}, why: outward},
		{path: "fleet/plan", layer: 0, beside: foundation, only: foundation, why: pure},
		{path: "market/model", layer: 0, beside: foundation, only: foundation, why: pure},
		{path: "cluster/pack", layer: 0, beside: foundation, only: foundation, why: pure},
		{path: "fleet/experiment/protocol", layer: 0, beside: append([]string{"fleet/plan"}, foundation...), only: append([]string{"fleet/plan"}, foundation...), why: pure},
		{path: "identity/policy", layer: 0, beside: foundation, only: foundation, why: pure},
		{path: "journal/chain", layer: 0, beside: foundation, only: foundation, why: pure},

		{path: "store", layer: 1},
		{path: "workflow", layer: 1, beside: []string{"store"}},
		{path: "op", layer: 1, beside: []string{"store"}},
		{path: "cloud", layer: 1},
		{path: "cloud/budget", layer: 1, beside: []string{"cloud"}},
		{path: "cloud/mishap", layer: 1, beside: []string{"cloud"}, users: []string{"app", "lab"}, why: harm},
		{path: "cloud/sim", layer: 1, beside: []string{"cloud", "store", "cloud/sim/physics"}, users: []string{"app", "lab"}, why: backEnd},
		{path: "cloud/sim/physics", layer: 1, only: []string{"layer 0", "cloud"}, users: []string{"cloud/sim", "lab"}, why: drawn},
		{path: "cloud/aws", layer: 1, beside: []string{"cloud"}, users: []string{"app", "lab"}, why: backEnd},
		{path: "cloud/gcp", layer: 1, beside: []string{"cloud"}, users: []string{"app", "lab"}, why: backEnd},
		{path: "cloud/azure", layer: 1, beside: []string{"cloud"}, users: []string{"app", "lab"}, why: backEnd},
		{path: "cloud/cloudtest", layer: 1, beside: []string{"cloud"}},
		{path: "orchestrator", layer: 1},
		{path: "orchestrator/sim", layer: 1, beside: []string{"orchestrator", "store"}, users: []string{"app", "lab"}, why: backEnd},
		{path: "orchestrator/kubernetes", layer: 1, beside: []string{"orchestrator"}, users: []string{"app"}, why: backEnd},
		{path: "orchestrator/ecs", layer: 1, beside: []string{"orchestrator"}, users: []string{"app"}, why: backEnd},
		{path: "runtime", layer: 1},
		{path: "runtime/process", layer: 1, beside: []string{"runtime"}, users: []string{"app"}, why: backEnd},
		{path: "runtime/docker", layer: 1, beside: []string{"runtime"}, users: []string{"app"}, why: backEnd},
		{path: "runtime/kubernetes", layer: 1, beside: []string{"runtime"}, users: []string{"app"}, why: backEnd},

		{path: "journal", layer: 2},
		{path: "identity", layer: 2, beside: []string{"journal"}},
		{path: "market", layer: 2, beside: []string{"journal", "identity"}}, // the ledger prices with the market, never the reverse
		{path: "ledger", layer: 2, beside: []string{"journal", "identity", "market"}},
		{path: "fleet", layer: 2, beside: append([]string{"market", "fleet/offer"}, books...)},
		{path: "fleet/offer", layer: 2, only: []string{"layer 0", "cloud", "market"}, why: pure},
		{path: "fleet/experiment", layer: 2, beside: fleets},
		{path: "fleet/survey", layer: 2, only: []string{"layer 0", "cloud", "market", "fleet/offer"}, why: pure},
		{path: "cluster", layer: 2, beside: fleets},
		{path: "batch", layer: 2, beside: append([]string{"market"}, fleets...)}, // whether a job waits for spot is weighed by what the market offers
		{path: "spark", layer: 2, beside: fleets},
		{path: "database", layer: 2, beside: books},
		{path: "delivery", layer: 2, beside: books},

		{path: "dialect", layer: 3, only: domain, why: wire},
		{path: "dialect/spot", layer: 3, only: domain, why: wire},
		{path: "dialect/cmpute", layer: 3, only: domain, why: wire},
		{path: "dialect/compose", layer: 3, only: domain, why: wire},
		{path: "dialect/launch", layer: 3, only: domain, why: wire},
		{path: "dialect/mapsor", layer: 3, only: domain, why: wire},
		{path: "dialect/neap", layer: 3, only: domain, why: wire},
		{path: "console", layer: 3, only: []string{"layer 0", "op"}, why: "the console is a client of the operations, like everybody else"},
		{path: "cli", layer: 3, only: []string{"layer 0"}, why: "the command line is a plain client; what needs a room is handed in by app"},
		{path: "lab", layer: 3},

		{path: "app", layer: 4},
		{path: "apptest", layer: 5},
	}
}

// find gives the row that a folder below internal/ belongs to: the longest path that leads to it.
func find(name string) (room, bool) {
	var found room
	for _, r := range rooms() {
		if (name == r.path || strings.HasPrefix(name, r.path+"/")) && len(r.path) > len(found.path) {
			found = r
		}
	}
	return found, found.path != ""
}

// isForTests says that a package exists for tests: cloudtest, workflowtest, apptest.
func isForTests(name string) bool { return strings.HasSuffix(path.Base(name), "test") }

// refusal is why one folder below internal/ may not import another, "" when it may.
func refusal(from, to string) string {
	importer, ok := find(from)
	if !ok {
		return fmt.Sprintf("%s is no room of the architecture; give it a row", from)
	}
	imported, ok := find(to)
	switch {
	case !ok:
		return fmt.Sprintf("%s is no room of the architecture; give it a row", to)
	case isForTests(to) && !isForTests(from):
		return to + " exists for tests only"
	case importer.path == imported.path:
		return ""
	case imported.users != nil && !slices.Contains(imported.users, importer.path) && !isForTests(from):
		return imported.why
	case importer.only != nil:
		if slices.Contains(importer.only, imported.path) || slices.Contains(importer.only, fmt.Sprintf("layer %d", imported.layer)) {
			return ""
		}
		return importer.why
	case imported.layer < importer.layer:
		return ""
	case imported.layer > importer.layer:
		return fmt.Sprintf("imports go downward: %s is in layer %d, %s in layer %d", from, importer.layer, to, imported.layer)
	case slices.Contains(importer.beside, imported.path):
		return ""
	}
	return fmt.Sprintf("both are in layer %d, and %s may only use %q beside it", importer.layer, importer.path, importer.beside)
}

// library is other people's code, with the rooms that may know it.
type library struct {
	prefix string
	users  []string
	why    string
}

func libraries() []library {
	const http = "op owns HTTP, documents and limits"
	const sql = "store owns SQL; workflow speaks it for River, and the simulated cloud because its database is its own, as another party's would be"
	const commands = "the command line alone reads flags, settings and YAML"
	const vendors = "a cloud's own SDK and sign-in are its back end's business"
	return []library{
		{"github.com/danielgtaylor/huma", []string{"op"}, http},
		{"github.com/go-chi/chi", []string{"op"}, http},
		{"github.com/santhosh-tekuri/jsonschema", []string{"op"}, http},
		{"github.com/prometheus", []string{"op", "app"}, "metrics are served by op and put together by app"},
		{"github.com/riverqueue/river", []string{"workflow"}, "River is how workflow works, nobody else's business"},
		{"github.com/pressly/goose", []string{"store"}, sql},
		{"github.com/jackc/pgx", []string{"store", "workflow", "cloud/sim"}, sql},
		{"modernc.org/sqlite", []string{"store", "workflow", "cloud/sim"}, sql},
		{"database/sql", []string{"store", "workflow", "cloud/sim"}, sql},
		{"github.com/go-json-experiment/json", []string{"store", "cloud/sim"}, "encoding/json does, where documents are not read by the thousand a second"},
		{"github.com/klauspost/compress", []string{"journal", "runtime/process"}, "compress/flate does, where nothing is packed by the hundred a second, and no image has zstd layers"},
		{"github.com/spf13", []string{"cli"}, commands},
		{"github.com/knadh/koanf", []string{"cli"}, commands},
		{"go.yaml.in/yaml", []string{"cli"}, commands},
		{"golang.org/x/crypto", []string{"identity"}, "identity alone hashes passwords"},
		{"github.com/aws", []string{"cloud/aws"}, vendors},
		{"github.com/moby/moby", []string{"runtime/docker"}, "Docker's own client is its back end's business"},
		{"github.com/containerd/errdefs", []string{"runtime/docker"}, "Docker's own client says with it what went wrong"},
		{"github.com/distribution/reference", []string{"runtime/docker"}, "it reads names of images, which nobody else interprets"},
		{"golang.org/x/oauth2", []string{"cloud/gcp", "cloud/azure"}, vendors},
		{"golang.org/x/sys", []string{"runtime/process"}, "tasks are held by what only Linux has; everything else runs everywhere"},
		{"golang.org/x/sync", []string{"store", "workflow", "op", "cloud", "fleet", "market", "app"}, "layer 0 stands on the standard library alone"},
	}
}

// foreign is why a folder below internal/ may not import a package that is not ours, "" when it may.
func foreign(from, imported string) string {
	importer, ok := find(from)
	if !ok {
		return fmt.Sprintf("%s is no room of the architecture; give it a row", from)
	}
	for _, l := range libraries() {
		if imported != l.prefix && !strings.HasPrefix(imported, l.prefix+"/") {
			continue
		}
		top, _, _ := strings.Cut(importer.path, "/")
		if importer.layer > 0 && (slices.Contains(l.users, top) || slices.Contains(l.users, importer.path)) {
			return ""
		}
		return l.why
	}
	if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
		return "no room is known to need this library; give it a row"
	}
	return ""
}

// outside is why a folder outside internal/ may not import one of ours.
func outside(from, to string) string {
	switch {
	case strings.HasPrefix(from, "test/"):
		return ""
	case strings.HasPrefix(from, "cmd/") && slices.Contains([]string{"app", "cli"}, to):
		return ""
	}
	return "a command only hands over to app and cli"
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, s := range repository(t).all {
		if s.isTest() || s.nested {
			continue
		}
		for _, spec := range s.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if reason := judge(s.dir(), imported); reason != "" {
				t.Errorf("%s imports %s: %s", s.path, imported, reason)
			}
		}
	}
}

// judge weighs one import of one folder below the root.
func judge(dir, imported string) string {
	from, inside := strings.CutPrefix(dir, "internal/")
	to, ours := strings.CutPrefix(imported, module+"/internal/")
	switch {
	case strings.HasPrefix(imported, module) && !ours:
		return "only rooms below internal/ are imported"
	case inside && ours:
		return refusal(from, to)
	case inside:
		return foreign(from, imported)
	case ours:
		return outside(dir, to)
	}
	return ""
}

func TestTheTableRefusesWhatTheArchitectureForbids(t *testing.T) {
	const internal = module + "/internal/"
	for _, c := range []struct {
		dir, imported string
		allowed       bool
	}{
		{"internal/fleet", internal + "store", true},
		{"internal/fleet", internal + "fleet/plan", true},
		{"internal/fleet", internal + "market", true},
		{"internal/ledger", internal + "market", true},
		{"internal/market", internal + "ledger", false},
		{"internal/journal", internal + "identity", false},
		{"internal/identity", internal + "journal", true},
		{"internal/fleet/plan", internal + "money", true},
		{"internal/fleet/plan", internal + "fleet", false},
		{"internal/fleet/plan", internal + "cloud", false},
		{"internal/fleet/plan", "github.com/jackc/pgx/v5", false},
		{"internal/money", "golang.org/x/sync/errgroup", false},
		{"internal/money", internal + "fault", true},
		{"internal/fault", internal + "fleet/plan", false},
		{"internal/store", internal + "op", false},
		{"internal/store", internal + "workflow", false},
		{"internal/workflow", internal + "store", true},
		{"internal/op", internal + "journal", false},
		{"internal/cloud", internal + "store", false},
		{"internal/cloud/sim", internal + "store", true},
		{"internal/cloud/sim", internal + "cloud/sim/physics", true},
		{"internal/cloud/sim/physics", internal + "cloud", true},
		{"internal/cloud/sim/physics", internal + "store", false},
		{"internal/cloud/sim/physics", internal + "cloud/sim", false},
		{"internal/lab/world", internal + "cloud/sim/physics", true},
		{"internal/app", internal + "cloud/sim/physics", false},
		{"internal/fleet", internal + "cloud/sim/physics", false},
		{"internal/cloud/aws", internal + "store", false},
		{"internal/cloud/aws", internal + "cloud/sim", false},
		{"internal/fleet", internal + "cloud", true},
		{"internal/fleet", internal + "cloud/sim", false},
		{"internal/fleet", internal + "cluster", false},
		{"internal/fleet", internal + "fleet/experiment", false},
		{"internal/fleet/experiment", internal + "fleet", true},
		{"internal/fleet/experiment/protocol", internal + "fleet/plan", true},
		{"internal/fleet/experiment/protocol", internal + "ledger", false},
		{"internal/fleet/survey", internal + "fleet/plan", true},
		{"internal/fleet/survey", internal + "fleet", false},
		{"internal/fleet/survey", internal + "store", false},
		{"internal/cluster", internal + "fleet", true},
		{"internal/database", internal + "fleet", false},
		{"internal/fleet", internal + "dialect/spot", false},
		{"internal/dialect/spot/elastigroup", internal + "dialect/spot", true},
		{"internal/dialect/spot", internal + "fleet", true},
		{"internal/dialect/spot", internal + "fleet/plan", true},
		{"internal/dialect/spot", internal + "store", false},
		{"internal/dialect/spot", internal + "cloud", false},
		{"internal/dialect/spot", internal + "workflow", false},
		{"internal/dialect/neap", internal + "dialect/spot", false},
		{"internal/dialect/neap", "github.com/danielgtaylor/huma/v2", false},
		{"internal/cli", internal + "clock", true},
		{"internal/cli", internal + "op", false},
		{"internal/cli", internal + "app", false},
		{"internal/app", internal + "dialect/spot", true},
		{"internal/app", internal + "cloud/sim", true},
		{"internal/app", internal + "cloud/cloudtest", false},
		{"internal/app", internal + "apptest", false},
		{"internal/apptest", internal + "app", true},
		{"internal/op", "github.com/go-chi/chi/v5", true},
		{"internal/fleet", "database/sql", false},
		{"internal/cloud", "database/sql", false},
		{"internal/cloud/sim", "database/sql", true},
		{"internal/fleet", "github.com/riverqueue/river", false},
		{"internal/workflow", "github.com/riverqueue/river", true},
		{"internal/cloud/aws", "github.com/aws/aws-sdk-go-v2/service/sts", true},
		{"internal/cloud/gcp", "github.com/aws/aws-sdk-go-v2/service/sts", false},
		{"internal/app", "github.com/aws/aws-sdk-go-v2/aws", false},
		{"internal/cloud/azure", "golang.org/x/oauth2/clientcredentials", true},
		{"internal/fleet", "example.com/anything", false},
		{"internal/helpers", internal + "fault", false},
		{"internal/fleet", internal + "helpers", false},
		{"cmd/neap", internal + "app", true},
		{"cmd/neap", internal + "fleet", false},
		{"internal/fleet", module + "/test/report", false},
	} {
		if reason := judge(c.dir, c.imported); (reason == "") != c.allowed {
			t.Errorf("%s importing %s: allowed is to be %v, and the table says %q", c.dir, c.imported, c.allowed, reason)
		}
	}
}
