package disasters

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the one rehearsal to repeat; 0 = the usual ones")
	manyFlag  = flag.Int("many", 8, "how many random disasters, from -first on")
	firstFlag = flag.Uint64("first", 1, "seed of the first random disaster")
	// Not the launches that are granted in part: a restart after the end of all mishaps would ask for them in full, under the same token.
	mishapsFlag = flag.Float64("mishaps", 0, "share of the cloud's calls that go wrong in each way until the day is over, e.g. 0.05")
	allFlag     = flag.Bool("all", false, "rehearse the days too whose promise is known not to hold yet")
)

// workshop is where the binaries are made, once for all rehearsals.
type workshop struct {
	folder string
	usual  func() (string, error)
	next   func() (string, error)
}

var shop workshop

func TestMain(m *testing.M) {
	flag.Parse()
	folder, err := os.MkdirTemp("", "neap-disasters-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shop = workshop{folder: folder, usual: sync.OnceValues(makeUsual), next: sync.OnceValues(makeNext)}
	code := m.Run()
	if err := os.RemoveAll(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// build gives the binary with the knobs for rehearsals in it.
func build(t *testing.T) string {
	t.Helper()
	binary, err := shop.usual()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// buildNext gives the binary of a release after this one: its database has one column more.
func buildNext(t *testing.T) string {
	t.Helper()
	binary, err := shop.next()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func compile(name string, more ...string) (string, error) {
	binary := filepath.Join(shop.folder, name)
	args := append([]string{"build", "-tags", "crash", "-buildvcs=false", "-o", binary}, more...)
	if out, err := exec.Command("go", append(args, "../../cmd/neap")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
}

func makeUsual() (string, error) { return compile("neap") }

// postgres is the server that the tests may use.
func postgres(t *testing.T) string {
	t.Helper()
	url := os.Getenv("NEAP_TEST_POSTGRES")
	if url == "" {
		t.Skip("NEAP_TEST_POSTGRES names no PostgreSQL; start one with: export NEAP_TEST_POSTGRES=$(test/postgres.sh start)")
	}
	return url
}
