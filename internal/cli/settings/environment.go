package settings

import (
	"encoding/hex"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// Lookup finds a variable; like the shell, the last of a name counts. "" = there is none.
func Lookup(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(environ[i], "="); ok && key == name {
			return value
		}
	}
	return ""
}

// readKeys takes the server key from the environment, where secrets are handed to a process without a file.
func (c *Up) readKeys(environ []string) (faults []*fault.Error) {
	for name, key := range map[string]*[]byte{"SERVER_KEY": &c.Key, "SERVER_KEY_NEXT": &c.NextKey} {
		text := Lookup(environ, Prefix+name)
		if text == "" {
			continue
		}
		read, err := hex.DecodeString(text)
		if err != nil || len(read) < 32 {
			faults = append(faults, fault.Field(Prefix+name, "must be at least 64 hexadecimal digits, such as `openssl rand -hex 32` prints"))
			continue
		}
		*key = read
	}
	if c.Key != nil && c.KeyFile != "" {
		faults = append(faults, fault.Field("key-file", "cannot be given beside %sSERVER_KEY: there is one server key", Prefix))
	}
	return faults
}
