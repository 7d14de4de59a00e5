package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
	"github.com/neap-cloud/neap/internal/fault"
)

// usageError is a command line or configuration that cannot be carried out as written.
type usageError struct{ cause error }

func (e *usageError) Error() string { return e.cause.Error() }
func (e *usageError) Unwrap() error { return e.cause }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// refusal is a server's answer that is no success.
type refusal struct {
	status  int
	request string // the server's id of the request, for its log
	faults  []remoteFault
	hint    string
}

type remoteFault struct {
	Code    text   `json:"code"` // in the Spot envelope
	Kind    text   `json:"kind"` // in Neap's own
	Message string `json:"message"`
	Field   string `json:"field"`
}

func (e *refusal) Error() string {
	lines := make([]string, 0, len(e.faults))
	for _, f := range e.faults {
		lines = append(lines, f.Message)
	}
	return strings.Join(lines, " ")
}

// report writes err for a person and returns the exit code it stands for.
func report(w io.Writer, command *cobra.Command, err error) int {
	var own session.Code
	if errors.As(err, &own) {
		return int(own)
	}
	var refused *refusal
	if errors.As(err, &refused) {
		fmt.Fprint(w, refused.render())
		return ExitRefused
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(w, "neap: %s\n", sentence(usage.cause))
		fmt.Fprintf(w, "      See %s --help.\n", command.CommandPath())
		return ExitUsage
	}
	fmt.Fprintf(w, "neap: %s\n", sentence(err))
	return ExitRefused
}

// render gives every fault its sentence and, below it, what a program would match on.
func (e *refusal) render() string {
	var out strings.Builder
	for _, f := range e.faults {
		fmt.Fprintf(&out, "neap: %s\n", f.Message)
		var facts []string
		if f.Field != "" {
			facts = append(facts, "field "+f.Field)
		}
		if code := f.Code + f.Kind; code != "" {
			facts = append(facts, "code "+string(code))
		}
		facts = append(facts, fmt.Sprintf("status %d", e.status))
		if e.request != "" {
			facts = append(facts, "request "+e.request)
		}
		fmt.Fprintf(&out, "      %s\n", strings.Join(facts, ", "))
	}
	if e.hint != "" {
		fmt.Fprintf(&out, "      %s\n", e.hint)
	}
	return out.String()
}

// sentence is what a person is told of an error: with the field, without the cause that only a log should hold.
func sentence(err error) string {
	var known *fault.Error
	if !errors.As(err, &known) {
		return err.Error()
	}
	lines := []string{}
	for _, f := range append([]*fault.Error{known}, known.Others...) {
		line := f.Message
		if f.Field != "" {
			line = f.Field + ": " + line
		}
		if known.Kind == fault.Internal && f.Cause != nil {
			line += " (" + f.Cause.Error() + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n      ")
}
