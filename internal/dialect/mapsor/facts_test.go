package mapsor

import (
	"flag"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
	"github.com/neap-cloud/neap/internal/dialect/mapsor/pubnub"
)

var update = flag.Bool("update", false, "drop the operations that are built now from uncovered.txt")

func TestRowsAgreeWithTheFactsBothWays(t *testing.T) {
	dialecttest.Facts(t, append(Deps{}.rows(), pubnub.Rows()...), *update)
}
