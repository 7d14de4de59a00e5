package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/settings"
)

func (s *shell) key() *cobra.Command {
	return parent(&cobra.Command{Use: "key", Short: "Replace the server key"}, s.keyRotate())
}

func (s *shell) keyRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the server key in the data of a Neap that is not running; tokens stay valid",
		Long: "Makes a new server key, puts what the old one protected under it, and writes it over the old key file. All tokens, access keys and sealed secrets stay valid; " +
			"the old key opens nothing any more. Where the key stands in NEAP_SERVER_KEY, hand the new one over in NEAP_SERVER_KEY_NEXT, and start Neap with that from then on. " +
			"Replicas on PostgreSQL may go on running; give each the new key file before it starts again.",
		Args: cobra.NoArgs,
	}
	config, read := s.place(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := read(); err != nil {
			return err
		}
		if (config.Key == nil) != (config.NextKey == nil) {
			return usagef("Give both %sSERVER_KEY and %sSERVER_KEY_NEXT, or neither to replace the key file.", settings.Prefix, settings.Prefix)
		}
		if err := s.hooks.RotateKey(cmd.Context(), *config); err != nil {
			return err
		}
		return s.write(cmd.OutOrStdout(), page{raw: []byte(`{"rotated": true}`), text: func(w io.Writer, _ bool) error {
			_, err := fmt.Fprintln(w, "The server key is replaced; tokens stay valid. Keep a copy of the new key: backups made from now on need it.")
			return err
		}})
	}
	return cmd
}
