package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/neap-cloud/neap/internal/cli/settings"
)

// UpConfig is how a Neap is started.
type UpConfig = settings.Up

// settle completes a configuration from the file at path and from the world's variables.
func (s *shell) settle(config *UpConfig, flags *pflag.FlagSet, path string) error {
	if err := config.Settle(flags, path, s.world.Environ); err != nil {
		return &usageError{err}
	}
	return nil
}

func (s *shell) up() *cobra.Command {
	var config UpConfig
	var path string
	flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
	config.Bind(flags)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start Neap: API, engine and simulated cloud in one process",
		Long: "Start Neap: API, engine and simulated cloud in one process.\n\n" +
			"Every flag can also be set by an environment variable (--log-format is NEAP_LOG_FORMAT) or by a key of a YAML file (log-format: json).\n" +
			"A flag wins over the environment, the environment over the file, the file over the default.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.settle(&config, flags, path); err != nil {
				return err
			}
			return s.hooks.Up(cmd.Context(), config)
		},
	}
	cmd.Flags().AddFlagSet(flags)
	cmd.Flags().StringVar(&path, "config", "", "YAML file with settings")
	withoutClientFlags(cmd)
	return cmd
}

func (s *shell) version() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show which Neap this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			version, commit := s.hooks.Version, ""
			if info, ok := debug.ReadBuildInfo(); ok {
				if version == "" {
					version = info.Main.Version
				}
				for _, setting := range info.Settings {
					if setting.Key == "vcs.revision" {
						commit = setting.Value
					}
				}
			}
			return s.print(cmd, one(versionView{version, commit, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}), "table", "json", "yaml")
		},
	}
	withoutClientFlags(cmd)
	return cmd
}

type versionView struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// withoutClientFlags hides, in the help, the flags that only make sense for a client.
func withoutClientFlags(cmd *cobra.Command) {
	show := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		for _, name := range []string{"url", "token", "account", "watch"} {
			if f := cmd.InheritedFlags().Lookup(name); f != nil {
				f.Hidden = true
			}
		}
		show(cmd, args)
	})
}
