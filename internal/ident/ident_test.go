package ident_test

import (
	"regexp"
	"testing"

	"github.com/neap-cloud/neap/internal/ident"
)

func TestIdsHaveTheirShapeAndDiffer(t *testing.T) {
	for name, c := range map[string]struct {
		make  func() string
		shape string
	}{
		"id":   {func() string { return ident.New("sig") }, `^sig-[0-9a-f]{8}$`},
		"hex":  {func() string { return ident.Hex(8) }, `^[0-9a-f]{16}$`},
		"uuid": {ident.UUID, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
	} {
		shape := regexp.MustCompile(c.shape)
		seen := map[string]bool{}
		for range 100 {
			id := c.make()
			if !shape.MatchString(id) {
				t.Fatalf("%s %q has not the shape %s", name, id, c.shape)
			}
			seen[id] = true
		}
		if len(seen) != 100 {
			t.Errorf("%s: %d different ones of 100", name, len(seen))
		}
	}
}
