package settings

import "testing"

func TestNetworksAreReadHoweverTheyAreListed(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.0.0/16": "10.1.0.0/16", "10.1.2.3/16": "10.1.0.0/16", "10.1.0.0/16,fd00::/8": "10.1.0.0/16,fd00::/8", "[10.1.0.0/16 fd00::/8]": "10.1.0.0/16,fd00::/8",
		"127.0.0.1": "127.0.0.1/32", "": "",
	} {
		var n networks
		if err := n.Set(text); err != nil || n.String() != want {
			t.Errorf("%q: %q, %v", text, n.String(), err)
		}
	}
	var n networks
	for _, text := range []string{"localhost", "10.0.0.0/99", "10.1.0.0/16,x"} {
		if err := n.Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
