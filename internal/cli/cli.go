// Package cli is the neap command line: a plain HTTP client of a running Neap, plus the few commands that start one or work on its data.
//
// It owns commands, flags, configuration and what people see on a terminal. It must not know any domain room, store or back end: what needs
// those is handed in as Hooks. Start reading at New and client.go.
package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/suggest"
	"github.com/neap-cloud/neap/internal/clock"
)

// Operation is one row of the table of operations, as the server lists it under /neap/v1/operations.
type Operation struct {
	Dialect string `json:"dialect"`
	ID      string `json:"id"` // with the dialect in front: "spot.elastigroup.aws.scaleUp"
	Method  string `json:"method"`
	Path    string `json:"path"`
	Need    string `json:"need"`
	N       int    `json:"n"` // row of the dialect's facts table; 0 = in none
	Title   string `json:"title"`
	Mutates bool   `json:"mutates"`
}

// Hooks are what the command line cannot do as a client. A command whose hook is nil does not exist.
type Hooks struct {
	Version    string // "" = what the build recorded
	Up         func(ctx context.Context, c UpConfig) error
	Operations func() []Operation
	// ResetToken makes a new admin token in the data of a Neap that is not running, and returns it.
	ResetToken func(ctx context.Context, c UpConfig) (token string, err error)
	// RotateKey replaces the server key in the data of a Neap that is not running.
	RotateKey func(ctx context.Context, c UpConfig) error
	// Backup writes a file ("" = in the data folder); Restore fills the data of a Neap that is not running. Both or neither are given.
	Backup  func(ctx context.Context, c UpConfig, to string, withKey bool) (CopyReport, error)
	Restore func(ctx context.Context, c UpConfig, from string, force bool) (CopyReport, error)
	// AWSInit writes the template with which an account of AWS is set up.
	AWSInit func(c AWSSetup) (string, error)
	// Observe reads a cloud account, and changes nothing.
	Observe func(ctx context.Context, c ObserveConfig) (Observed, error)
	// Replay compares policies in a recorded market; fault.Invalid is what was asked for wrongly.
	Replay func(ctx context.Context, c ReplayConfig) (Replayed, error)
}

// World is what surrounds the process.
type World struct {
	In          io.Reader
	Out, Err    io.Writer
	Environ     []string // "NAME=value"
	Clock       clock.Clock
	Terminal    bool // Out is a terminal: --watch redraws in place
	ErrTerminal bool // Err is one: what takes long says how far it is
}

// Exit codes of the command line.
const (
	ExitDone    = 0
	ExitRefused = 1 // the server, or this machine, said no
	ExitUsage   = 2 // the command line itself is wrong
)

// Main runs the command line of this process and returns its exit code. The first interrupt asks the command to stop, a second one ends the process.
func Main(hooks Hooks) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, hooks, World{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Environ: os.Environ(), Clock: clock.Wall{}, Terminal: isTerminal(os.Stdout), ErrTerminal: isTerminal(os.Stderr),
	}, os.Args[1:])
}

// Run runs one command line and returns its exit code; errors have been written to world.Err.
func Run(ctx context.Context, hooks Hooks, world World, args []string) int {
	s := &shell{hooks: hooks, world: world}
	root := s.root()
	root.SetArgs(args)
	root.SetIn(world.In)
	root.SetOut(world.Out)
	root.SetErr(world.Err)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitDone
	}
	if !s.entered {
		err = &usageError{err}
	}
	return report(world.Err, command, err)
}

// New is the tree of commands, for documentation.
func New(hooks Hooks) *cobra.Command {
	return (&shell{hooks: hooks, world: World{Clock: clock.Wall{}}}).root()
}

// shell is one run of the command line.
type shell struct {
	hooks   Hooks
	world   World
	connect connection
	output  string
	watch   bool
	entered bool // the command line was understood and its command has begun
}

func (s *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "neap",
		Short:         "Keeps workloads running on the cheapest capacity that is safe for them",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PersistentPreRun: func(*cobra.Command, []string) {
			s.entered = true
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	s.connect.bind(flags)
	flags.StringVarP(&s.output, "output", "o", "", "table, wide, json or yaml")
	flags.BoolVarP(&s.watch, "watch", "w", false, "show again every 2 seconds until interrupted")
	if s.hooks.Up != nil {
		root.AddCommand(s.up())
	}
	root.AddCommand(s.status(), s.get(), s.explain(), s.replay(), s.interrupt(), s.call())
	root.AddCommand(s.protect(true), s.protect(false), s.undelete(), s.accept())
	root.AddCommand(s.alerts(), s.webhook(), s.audit(), s.experiment())
	root.AddCommand(s.job())
	if s.hooks.Operations != nil {
		root.AddCommand(s.operations())
	}
	if s.hooks.Backup != nil {
		root.AddCommand(s.backup(), s.restore())
	}
	if s.hooks.AWSInit != nil {
		root.AddCommand(s.aws())
	}
	if s.hooks.Observe != nil {
		root.AddCommand(s.observe())
	}
	if s.hooks.Replay != nil {
		root.AddCommand(s.laboratory())
	}
	root.AddCommand(s.acceptGeneration())
	root.AddCommand(s.token(), s.version())
	if s.hooks.RotateKey != nil {
		root.AddCommand(s.key())
	}
	return root
}

// parent makes a command that only holds others: alone it shows its help, with an unknown word it refuses.
func parent(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, child := range cmd.Commands() {
			names = append(names, child.Name())
		}
		return usagef("%s knows no %q%s.", cmd.CommandPath(), args[0], suggest.Clause(args[0], names))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
