package dial

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestWhatIsInsideIsRefusedHoweverItIsWritten(t *testing.T) {
	g := New(Config{})
	for _, text := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
		"100.64.0.1", "100.127.255.255", "169.254.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "192.0.0.1",
		"192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fdff::1", "ff02::1", "ff0e::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:192.168.1.1", "::127.0.0.1", "::a9fe:a9fe", "::ffff:0:127.0.0.1",
		"2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1", "2002:808:808::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::808:808",
		"2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "100::1", "2600::5efe:a00:1", "2600::200:5efe:7f00:1",
		"2606:4700::1%eth0", "4000::1", "5f00::1",
	} {
		if g.Judge(netip.MustParseAddr(text)) == "" {
			t.Errorf("%s passes", text)
		}
	}
	if g.Judge(netip.Addr{}) == "" {
		t.Error("no address at all passes")
	}
}

func TestPublicAddressesPass(t *testing.T) {
	g := New(Config{})
	for _, text := range []string{
		"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2606:4700:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2600::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
	} {
		if why := g.Judge(netip.MustParseAddr(text)); why != "" {
			t.Errorf("%s is refused as %s", text, why)
		}
	}
}

func TestAllowedNetworksPassButMetadataNeverDoes(t *testing.T) {
	g := New(Config{Allow: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("::ffff:10.1.0.0/112"),
	}})
	for text, passes := range map[string]bool{
		"127.0.0.1": true, "::ffff:127.0.0.1": true, "64:ff9b::7f00:1": true, "169.254.1.1": true, "fd12::1": true, "10.1.2.3": true,
		"10.2.0.1": false, "::1": false, "169.254.169.254": false, "::ffff:169.254.169.254": false, "64:ff9b::a9fe:a9fe": false, "fd00:ec2::254": false, "192.168.1.1": false,
	} {
		if why := g.Judge(netip.MustParseAddr(text)); (why == "") != passes {
			t.Errorf("%s: passes is to be %v, judged %q", text, passes, why)
		}
	}
	all := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}})
	for _, m := range metadata() {
		if all.Judge(netip.MustParseAddr(m)) == "" {
			t.Errorf("%s passes when everything is allowed", m)
		}
	}
}

// Whatever the number, the standard library's own opinion of what is inside is never overruled.
func TestNothingPassesThatTheStandardLibraryKnowsAsInside(t *testing.T) {
	g := New(Config{})
	rapid.Check(t, func(t *rapid.T) {
		var addr netip.Addr
		if rapid.Bool().Draw(t, "IPv4") {
			addr = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
			if rapid.Bool().Draw(t, "mapped") {
				addr = netip.AddrFrom16(addr.As16())
			}
		} else {
			addr = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
		}
		if g.Judge(addr) != "" {
			return
		}
		a := addr.Unmap()
		if a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.IsInterfaceLocalMulticast() || !a.IsGlobalUnicast() {
			t.Fatalf("%s passes", addr)
		}
	})
}
