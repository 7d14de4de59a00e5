package dial

import (
	"encoding/binary"
	"net/netip"
)

// special is a network that is not public, and what it is.
type special struct{ network, what string }

// metadata are addresses at which clouds hand out credentials to whoever asks from inside. No operator can allow them.
func metadata() []string {
	return []string{
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23", // AWS, and others after it
		"fd20:ce::254",    // Google
		"168.63.129.16",   // Azure; a public number
		"100.100.100.200", // Alibaba
		"192.0.0.192",     // Oracle
	}
}

// closed are the special-purpose networks of IPv4.
func closed() []special {
	return []special{
		{"0.0.0.0/8", "no address of a host"},
		{"10.0.0.0/8", "private"},
		{"100.64.0.0/10", "shared inside a provider's network"},
		{"127.0.0.0/8", "this machine's own"},
		{"169.254.0.0/16", "link-local"},
		{"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "reserved"},
		{"192.0.2.0/24", "for documentation"},
		{"192.88.99.0/24", "reserved"},
		{"192.168.0.0/16", "private"},
		{"198.18.0.0/15", "for benchmarks"},
		{"198.51.100.0/24", "for documentation"},
		{"203.0.113.0/24", "for documentation"},
		{"224.0.0.0/4", "multicast"},
		{"240.0.0.0/4", "reserved"},
	}
}

// public is where IPv6 hosts of the internet are; within it some networks are special all the same.
const public = "2000::/3"

func closedWithinPublic() []special {
	return []special{
		{"2001::/23", "reserved"}, // with Teredo, which hides an IPv4 address
		{"2001:db8::/32", "for documentation"},
		{"2002::/16", "6to4, which hides another address"},
		{"3fff::/20", "for documentation"},
	}
}

// beyond are networks outside of public that deserve their own words.
func beyond() []special {
	return []special{
		{"::/128", "no address of a host"},
		{"::1/128", "this machine's own"},
		{"fc00::/7", "private"},
		{"fe80::/10", "link-local"},
		{"ff00::/8", "multicast"},
	}
}

// Judge says what an address is when it is not for users to reach, "" when it is.
func (g *Guard) Judge(addr netip.Addr) string {
	if addr.Zone() != "" {
		return "bound to one of this machine's networks"
	}
	addr = inner(addr)
	if !addr.IsValid() {
		return "no address of a host"
	}
	for _, m := range metadata() {
		if addr == netip.MustParseAddr(m) {
			return "a metadata service's"
		}
	}
	for _, allowed := range g.allow {
		if allowed.Contains(addr) {
			return ""
		}
	}
	if addr.Is4() {
		return within(addr, closed())
	}
	if netip.MustParsePrefix(public).Contains(addr) {
		if hidesIPv4(addr) {
			return "of a form that hides another address"
		}
		return within(addr, closedWithinPublic())
	}
	if what := within(addr, beyond()); what != "" {
		return what
	}
	return "not public"
}

func within(addr netip.Addr, networks []special) string {
	for _, n := range networks {
		if netip.MustParsePrefix(n.network).Contains(addr) {
			return n.what
		}
	}
	return ""
}

// inner is the IPv4 address that a mapped or a NAT64 address stands for; others stay as they are.
func inner(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if addr.Is6() && netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		bytes := addr.As16()
		return netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return addr
}

// hidesIPv4 recognises ISATAP: the last 64 bits are 00-00-5e-fe or 02-00-5e-fe and an IPv4 address.
func hidesIPv4(addr netip.Addr) bool {
	bytes := addr.As16()
	return binary.BigEndian.Uint32(bytes[8:])&^0x02000000 == 0x00005efe
}
