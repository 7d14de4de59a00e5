package job

import "testing"

func TestDollarsShowWhatEvenTheShortestJobCosts(t *testing.T) {
	for amount, want := range map[float64]string{0: "$0.000000", 0.000000089: "$0.000000089", 0.00002: "$0.000020", 1.5: "$1.500000"} {
		if got := dollars(amount); got != want {
			t.Errorf("%v is shown as %s, want %s", amount, got, want)
		}
	}
}
