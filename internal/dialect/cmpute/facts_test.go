package cmpute_test

import (
	"flag"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/cmpute"
	"github.com/neap-cloud/neap/internal/dialect/dialecttest"
)

var update = flag.Bool("update", false, "drop the operations that are built now from uncovered.txt")

func TestRowsAgreeWithTheFactsBothWays(t *testing.T) {
	dialecttest.Facts(t, cmpute.Dialect(cmpute.Deps{}).Rows, *update)
}
