package plan

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestThePageTellsTheWeightsOfTheRules(t *testing.T) {
	page, err := os.ReadFile("../../../docs/market.md")
	if err != nil {
		t.Fatal(err)
	}
	share := func(thousandths int64) string {
		if thousandths == 0 {
			return "0"
		}
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(thousandths)/10), ".0") + " %"
	}
	for _, rule := range []Rule{Cheapest, CostOriented, Balanced, AvailabilityOriented} {
		w := weigh(rule, 0)
		bother := fmt.Sprintf("%.0f min", w.bother.Minutes())
		switch {
		case w.bother == 0:
			bother = "0"
		case w.bother.Hours() >= 1:
			bother = fmt.Sprintf("%.0f h", w.bother.Hours())
		}
		if row := fmt.Sprintf("| %s | %s | %s | %s |", rule, share(w.care), share(w.spread), bother); !strings.Contains(string(page), row) {
			t.Errorf("docs/market.md lacks the row %s", row)
		}
	}
}
