package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// CopyReport tells what a backup or a restore was about.
type CopyReport struct {
	File    string    `json:"file"`
	Release string    `json:"release"` // of the Neap that took the backup
	Schema  int64     `json:"schema"`
	Driver  string    `json:"driver"` // of the database that was backed up
	Taken   time.Time `json:"taken"`
	Rows    int64     `json:"rows"`
	Key     bool      `json:"key"` // the server key was copied too
}

// place adds the flags that say where a Neap's data is, and returns how to read them.
func (s *shell) place(cmd *cobra.Command) (config *UpConfig, read func() error) {
	config = &UpConfig{}
	flags := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	config.Bind(flags)
	for _, name := range []string{"data", "database", "key-file"} {
		cmd.Flags().AddFlag(flags.Lookup(name))
	}
	withoutClientFlags(cmd)
	return config, func() error {
		if err := s.checkOutput("table", "json", "yaml"); err != nil {
			return err
		}
		return s.settle(config, flags, "")
	}
}

func (s *shell) backup() *cobra.Command {
	var to string
	var withKey bool
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Write one moment of the database to a file, whether Neap runs or not",
		Long: "Write one moment of the database to a file, whether Neap runs or not.\n\n" +
			"Run it on a machine that reaches the database: beside the data folder, or with --database. The file is a zip of plain texts with checksums; it restores into SQLite\n" +
			"and PostgreSQL alike. It holds hashes of tokens, no token, and without --with-key not the server key either: keep that apart.",
		Args: cobra.NoArgs,
	}
	config, read := s.place(cmd)
	cmd.Flags().StringVar(&to, "to", "", "file to write (default: a new one in the data folder's backups)")
	cmd.Flags().BoolVar(&withKey, "with-key", false, "put the server key into the backup too: guard the file like the key")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := read(); err != nil {
			return err
		}
		done, err := s.hooks.Backup(cmd.Context(), *config, to, withKey)
		if err != nil {
			return err
		}
		return s.copyReport(cmd, done, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Backed up %d rows (%s, form %d) to %s\n", done.Rows, done.Driver, done.Schema, done.File)
			return err
		})
	}
	return cmd
}

func (s *shell) restore() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill the database of a Neap that is not running with a backup",
		Long: "Fill the database of a Neap that is not running with a backup: all of it, or nothing.\n\n" +
			"Every byte of the backup is checked first. A database that holds something is refused without --force; with it, a SQLite file is put aside, not deleted.\n" +
			"Started on it, Neap only observes, because the clouds may have moved on since: neap accept-generation lets it work again.",
		Args: cobra.ExactArgs(1),
	}
	config, read := s.place(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "replace a database that holds something")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := read(); err != nil {
			return err
		}
		done, err := s.hooks.Restore(cmd.Context(), *config, args[0], force)
		if err != nil {
			return err
		}
		return s.copyReport(cmd, done, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Restored %d rows as of %s (%s).\nNext: neap up, look at what it observes, then neap accept-generation.\n",
				done.Rows, done.Taken.Format(time.RFC3339), done.File)
			return err
		})
	}
	return cmd
}

func (s *shell) copyReport(cmd *cobra.Command, done CopyReport, text func(io.Writer) error) error {
	raw, err := json.Marshal(done)
	if err != nil {
		return err
	}
	return s.write(cmd.OutOrStdout(), page{raw: raw, text: func(w io.Writer, _ bool) error { return text(w) }})
}
