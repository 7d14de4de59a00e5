package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/suggest"
)

// callInput is what the command line says about one call.
type callInput struct {
	operation  string
	parameters []string // "name=value"
	file, data string
	dryRun     bool
}

func (s *shell) call() *cobra.Command {
	var in callInput
	cmd := &cobra.Command{
		Use:   "call OPERATION [NAME=VALUE…]",
		Short: "Call any operation by its id, as listed by `neap operations`",
		Long: "Call any operation by its id, as listed by `neap operations`; the dialect in front may be left out where the rest is unique.\n\n" +
			"A NAME that stands in the operation's path fills it, every other one becomes a query parameter.",
		Example: "  neap call spot.elastigroup.aws.scaleUp groupId=sig-1a2b3c4d adjustment=2\n" +
			"  neap call elastigroup.aws.createElastigroup -f group.json --dry-run",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.operation, in.parameters = args[0], args[1:]
			return s.runCall(cmd, in)
		},
		ValidArgsFunction: s.completeOperation,
	}
	cmd.Flags().StringVarP(&in.file, "file", "f", "", "file with the body, - for standard input")
	cmd.Flags().StringVarP(&in.data, "body", "d", "", "the body itself, as JSON")
	cmd.Flags().BoolVar(&in.dryRun, "dry-run", false, "say what would happen, and change nothing")
	return cmd
}

func (s *shell) runCall(cmd *cobra.Command, in callInput) error {
	if err := s.checkOutput(); err != nil {
		return err
	}
	if in.file != "" && in.data != "" {
		return usagef("--file and --body both give the body; leave one of them out.")
	}
	if s.watch && in.file == "-" {
		return usagef("--watch cannot read the body from standard input again and again; name a file.")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	known, err := c.operations(cmd.Context())
	if err != nil {
		return err
	}
	operation, err := find(known, in.operation)
	if err != nil {
		return err
	}
	if s.watch && operation.Mutates {
		return usagef("%s changes things, so it is not repeated; leave --watch out.", operation.ID)
	}
	r, err := bind(operation, in.parameters)
	if err != nil {
		return err
	}
	if r.body, err = s.body(in); err != nil {
		return err
	}
	r.dryRun = in.dryRun
	return s.show(cmd, func(ctx context.Context) (page, error) {
		a, err := c.do(ctx, r)
		if err != nil {
			return page{}, err
		}
		if in.dryRun {
			noteDryRun(cmd.ErrOrStderr(), a, parameter(in.parameters, "groupId"))
		}
		return page{raw: a.body, text: func(w io.Writer, _ bool) error {
			return (&shell{output: "json"}).write(w, page{raw: a.body})
		}}, nil
	})
}

// noteDryRun goes to the error stream, so that the answer stays what a program can read.
func noteDryRun(w io.Writer, a answer, group string) {
	fmt.Fprint(w, "dry run: nothing was changed.")
	if a.decision != "" && group != "" { // of a group that is yet to be made there is nothing to explain
		fmt.Fprintf(w, " The plan is %s; see it with neap explain %s %s.", a.decision, group, a.decision)
	}
	fmt.Fprintln(w)
}

// parameter is the value of one NAME=VALUE, "" when it is not given.
func parameter(parameters []string, name string) string {
	for _, p := range parameters {
		if value, ok := strings.CutPrefix(p, name+"="); ok {
			return value
		}
	}
	return ""
}

// operations asks the server for its table.
func (c *client) operations(ctx context.Context) ([]Operation, error) {
	a, err := c.do(ctx, get("/neap/v1/operations", nil))
	if err != nil {
		return nil, err
	}
	items, err := a.items()
	if err != nil {
		return nil, err
	}
	return decode[Operation](items)
}

// find takes a full id, or the part behind the dialect where only one operation has it.
func find(known []Operation, id string) (Operation, error) {
	var ids []string
	var short []Operation
	for _, operation := range known {
		if operation.ID == id {
			return operation, nil
		}
		ids = append(ids, operation.ID)
		if strings.TrimPrefix(operation.ID, operation.Dialect+".") == id {
			short = append(short, operation)
		}
	}
	switch len(short) {
	case 1:
		return short[0], nil
	case 0:
		return Operation{}, usagef("This Neap has no operation %q%s (neap operations lists them)", id, suggest.Clause(id, ids))
	}
	return Operation{}, usagef("%q stands for %s and %s alike; put the dialect in front.", id, short[0].ID, short[1].ID)
}

var placeholder = regexp.MustCompile(`\{([^{}]+)\}`)

// bind puts parameters into an operation's path and query.
func bind(operation Operation, parameters []string) (request, error) {
	values := url.Values{}
	for _, parameter := range parameters {
		name, value, ok := strings.Cut(parameter, "=")
		if !ok || name == "" {
			return request{}, usagef("%q is not NAME=VALUE.", parameter)
		}
		values.Add(name, value)
	}
	var missing []string
	path := placeholder.ReplaceAllStringFunc(operation.Path, func(match string) string {
		name := match[1 : len(match)-1]
		value := values.Get(name)
		if value == "" {
			missing = append(missing, name+"=…")
		}
		values.Del(name)
		return url.PathEscape(value)
	})
	if len(missing) > 0 {
		return request{}, usagef("%s is %s %s and needs %s.", operation.ID, operation.Method, operation.Path, strings.Join(missing, " "))
	}
	return request{method: operation.Method, path: path, query: values}, nil
}

// body is sent as it is written: whether it is right is for the server to say.
func (s *shell) body(in callInput) ([]byte, error) {
	switch in.file {
	case "":
		return []byte(in.data), nil
	case "-":
		return io.ReadAll(s.world.In)
	}
	content, err := os.ReadFile(in.file)
	if err != nil {
		return nil, usagef("The body cannot be read: %v", err)
	}
	return content, nil
}

func (s *shell) completeOperation(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if s.hooks.Operations == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if len(args) > 0 {
		return completeParameters(s.hooks.Operations(), args[0]), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	var ids []string
	for _, operation := range s.hooks.Operations() {
		ids = append(ids, operation.ID+"\t"+operation.Title)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

func completeParameters(known []Operation, id string) []string {
	operation, err := find(known, id)
	if err != nil {
		return nil
	}
	var names []string
	for _, match := range placeholder.FindAllStringSubmatch(operation.Path, -1) {
		names = append(names, match[1]+"=")
	}
	return names
}

func (s *shell) interrupt() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "interrupt INSTANCE…",
		Short: "Take spot instances away as the cloud would, notice first",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			r, err := post("/aws/ec2/instance/interruption", map[string]any{"instancesToInterrupt": args})
			if err != nil {
				return err
			}
			r.dryRun = dryRun
			a, err := c.do(cmd.Context(), r)
			if err != nil {
				return err
			}
			if dryRun {
				noteDryRun(cmd.ErrOrStderr(), a, "GROUP")
			}
			return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error {
				if dryRun {
					return nil
				}
				_, err := fmt.Fprintf(w, "Interruption of %s is under way; watch with neap get instances GROUP --watch.\n", strings.Join(args, ", "))
				return err
			}})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only check, and interrupt nothing")
	return cmd
}

func (s *shell) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what the server says of itself",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			return s.show(cmd, func(ctx context.Context) (page, error) {
				a, err := c.do(ctx, request{method: http.MethodGet, path: "/neap/v1/status"})
				if err != nil {
					return page{}, err
				}
				items, err := a.items()
				if err != nil {
					return page{}, err
				}
				if len(items) != 1 {
					return page{}, fmt.Errorf("the server's answer holds no status: %s", excerpt(a.body))
				}
				return page{raw: items[0], text: func(w io.Writer, wide bool) error { return statusText(w, items[0], wide, s.world.Clock.Now()) }}, nil
			})
		},
	}
}
