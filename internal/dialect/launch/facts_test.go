package launch

import (
	"flag"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
)

var update = flag.Bool("update", false, "drop the operations that are built now from uncovered.txt")

func TestRowsAgreeWithTheFactsBothWays(t *testing.T) {
	dialecttest.Facts(t, Deps{}.rows(), *update)
}
