package cli

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/neap-cloud/neap/internal/fault"
)

// readKeys takes the server key from the environment, where secrets are handed to a process without a file.
func (c *UpConfig) readKeys(environ []string) (faults []*fault.Error) {
	for name, key := range map[string]*[]byte{"SERVER_KEY": &c.Key, "SERVER_KEY_NEXT": &c.NextKey} {
		text := lookup(environ, envPrefix+name)
		if text == "" {
			continue
		}
		read, err := hex.DecodeString(text)
		if err != nil || len(read) < 32 {
			faults = append(faults, fault.Field(envPrefix+name, "must be at least 64 hexadecimal digits, such as `openssl rand -hex 32` prints"))
			continue
		}
		*key = read
	}
	if c.Key != nil && c.KeyFile != "" {
		faults = append(faults, fault.Field("key-file", "cannot be given beside %sSERVER_KEY: there is one server key", envPrefix))
	}
	return faults
}

func (s *shell) key() *cobra.Command {
	return parent(&cobra.Command{Use: "key", Short: "Replace the server key"}, s.keyRotate())
}

func (s *shell) keyRotate() *cobra.Command {
	var config UpConfig
	settings := pflag.NewFlagSet("rotate", pflag.ContinueOnError)
	config.bind(settings)
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the server key in the data of a Neap that is not running; tokens stay valid",
		Long: "Makes a new server key, puts what the old one protected under it, and writes it over the old key file. All tokens, access keys and sealed secrets stay valid; " +
			"the old key opens nothing any more. Where the key stands in NEAP_SERVER_KEY, hand the new one over in NEAP_SERVER_KEY_NEXT, and start Neap with that from then on. " +
			"Replicas on PostgreSQL may go on running; give each the new key file before it starts again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.checkOutput("table", "json", "yaml"); err != nil {
				return err
			}
			if err := settle(settings, &config, lookup(s.world.Environ, envPrefix+"CONFIG"), s.world.Environ); err != nil {
				return err
			}
			if (config.Key == nil) != (config.NextKey == nil) {
				return usagef("Give both %sSERVER_KEY and %sSERVER_KEY_NEXT, or neither to replace the key file.", envPrefix, envPrefix)
			}
			if err := s.hooks.RotateKey(cmd.Context(), config); err != nil {
				return err
			}
			return s.write(cmd.OutOrStdout(), page{raw: []byte(`{"rotated": true}`), text: func(w io.Writer, _ bool) error {
				_, err := fmt.Fprintln(w, "The server key is replaced; tokens stay valid. Keep a copy of the new key: backups made from now on need it.")
				return err
			}})
		},
	}
	for _, name := range []string{"data", "database", "key-file"} {
		cmd.Flags().AddFlag(settings.Lookup(name))
	}
	withoutClientFlags(cmd)
	return cmd
}
