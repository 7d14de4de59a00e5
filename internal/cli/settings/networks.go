package settings

import (
	"fmt"
	"net/netip"
	"strings"
)

// networks is a flag's list of networks: repeated, or several at once with commas between them. A lone address is a network of one.
type networks []netip.Prefix

// String is pflag.Value's.
func (n *networks) String() string {
	words := make([]string, len(*n))
	for i, p := range *n {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// Set is pflag.Value's; it adds to what was there.
func (n *networks) Set(text string) error {
	for _, word := range listed(text) {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			addr, wrong := netip.ParseAddr(word)
			if wrong != nil {
				return fmt.Errorf("%q is no network such as 10.1.0.0/16", word)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		*n = append(*n, p.Masked())
	}
	return nil
}

// Type is pflag.Value's.
func (n *networks) Type() string { return "CIDR" }
