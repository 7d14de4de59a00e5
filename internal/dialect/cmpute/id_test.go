package cmpute

import "testing"

func TestIdsHaveOneSpellingOnTheWire(t *testing.T) {
	for ours, wire := range map[string]string{"act-4c1d09e2": "A-4C1D09E2", "act-00000000": "A-00000000"} {
		if got := toWire(accountLetter, accountPrefix, ours); got != wire {
			t.Errorf("%s is shown as %s", ours, got)
		}
		if got, is := fromWire(accountLetter, accountPrefix, wire); !is || got != ours {
			t.Errorf("%s is taken for %s", wire, got)
		}
	}
	if got := toWire(teamLetter, teamPrefix, "ugr-7ea3af3d"); got != "Z-7EA3AF3D" {
		t.Errorf("a team is shown as %s", got)
	}
	for _, wire := range []string{"a-4c1d09e2", "A-4c1d09e2", "Z-4C1D09E2", "A-4C1D09E", "A-4C1D09E22", "A-4C1D09EG", "act-4c1d09e2", "'A-4C1D09E2", ""} {
		if got, is := fromWire(accountLetter, accountPrefix, wire); is {
			t.Errorf("%q is taken for %s", wire, got)
		}
	}
	for _, ours := range []string{"ugr-7ea3af3d", "act-7EA3AF3D", "act", ""} {
		if got := toWire(accountLetter, accountPrefix, ours); got != "" {
			t.Errorf("%q is shown as account %s", ours, got)
		}
	}
	const said, shown = "Account act-4c1d09e2 is in team ugr-7ea3af3d, not in sig-7ea3af3d.", "Account A-4C1D09E2 is in team Z-7EA3AF3D, not in sig-7ea3af3d."
	if got := respelled(said); got != shown {
		t.Errorf("got %s", got)
	}
}
