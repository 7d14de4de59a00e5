package runtimetest

import (
	"maps"
	"testing"
)

// RunBut is Run without some cases. gaps are those that what stands behind the runtime cannot show, by name, each with the reason: they have to be tested otherwise.
func RunBut(t *testing.T, gaps map[string]string, fresh func(t *testing.T) Harness) {
	claims, left := fresh(t), maps.Clone(gaps)
	for _, c := range cases() {
		if _, is := left[c.name]; is {
			delete(left, c.name)
			continue
		}
		if c.when(claims) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(newSuite(t, fresh(t)))
			})
		}
	}
	for name := range left {
		t.Errorf("there is no case %q to leave out", name)
	}
}
