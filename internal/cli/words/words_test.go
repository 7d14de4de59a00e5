package words

import (
	"testing"
	"time"
)

func TestAgesAreShortAndRightAtTheirEdges(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "0s", 119 * time.Second: "119s", 2 * time.Minute: "2m00s", 10*time.Minute - time.Second: "9m59s", 10 * time.Minute: "10m",
		2 * time.Hour: "2h00m", 47*time.Hour + 59*time.Minute: "47h59m", 50 * time.Hour: "2d02h", -5 * time.Second: "in 5s",
	} {
		if got := Age(noon, noon.Add(-d)); got != want {
			t.Errorf("%v: %q, not %q", d, got, want)
		}
	}
	if Age(noon, time.Time{}) != "" || Stamp(time.Time{}) != "" {
		t.Error("an unknown time is told")
	}
	if got := Stamp(noon.In(time.FixedZone("", 3600))); got != "2026-03-01 12:00:00Z" {
		t.Error(got)
	}
}
