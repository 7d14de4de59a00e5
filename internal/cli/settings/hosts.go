package settings

import (
	"fmt"
	"strings"
)

// hosts is a flag's list of names: repeated, or several at once with commas between them.
type hosts []string

// String is pflag.Value's.
func (h *hosts) String() string { return strings.Join(*h, ",") }

// Set is pflag.Value's; it adds to what was there.
func (h *hosts) Set(text string) error {
	for _, name := range listed(text) {
		if strings.ContainsAny(name, "/:*@[]") {
			return fmt.Errorf("%q is not a host's name alone, such as neap.example.com", name)
		}
		*h = append(*h, name)
	}
	return nil
}

// Type is pflag.Value's.
func (h *hosts) Type() string { return "name" }
