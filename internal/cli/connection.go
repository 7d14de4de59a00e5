package cli

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/neap-cloud/neap/internal/cli/settings"
)

// connection says which Neap is asked, and on whose behalf. Flags win over the environment.
type connection struct{ url, token, account, data string }

func (c *connection) bind(flags *pflag.FlagSet) {
	flags.StringVar(&c.url, "url", "", "address of the Neap to ask (NEAP_URL; default http://127.0.0.1:8080)")
	flags.StringVar(&c.token, "token", "", "token to ask with (NEAP_TOKEN; default: the file admin-token of the data folder)")
	flags.StringVar(&c.account, "account", "", "account to ask about (NEAP_ACCOUNT; default: the token's own)")
	flags.StringVar(&c.data, "data", "", "data folder of a Neap on this machine (NEAP_DATA; default ./neap-data)")
}

// client opens the connection. A missing token is left to the server to refuse.
func (s *shell) client() (*client, error) {
	setting := func(flag, name, otherwise string) string {
		for _, value := range []string{flag, settings.Lookup(s.world.Environ, settings.Prefix+name), otherwise} {
			if value != "" {
				return value
			}
		}
		return ""
	}
	address := setting(s.connect.url, "URL", "http://127.0.0.1:8080")
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, usagef("%q is not an address such as http://127.0.0.1:8080; see --url and NEAP_URL.", address)
	}
	token := setting(s.connect.token, "TOKEN", "")
	if token == "" {
		token, err = readToken(setting(s.connect.data, "DATA", "./neap-data"))
		if err != nil {
			return nil, err
		}
	}
	return newClient(base, token, setting(s.connect.account, "ACCOUNT", ""), s.hooks.Version), nil
}

// readToken reads what `neap up` left for its own machine; a folder without the file gives "".
func readToken(data string) (string, error) {
	content, err := os.ReadFile(filepath.Join(data, "admin-token"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(content)), err
}
