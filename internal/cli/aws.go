package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/fault"
)

// AWSSetup is what an account of AWS is to be set up with; zero values are the usual ones.
type AWSSetup struct {
	Format      string
	Regions     []string
	Principal   string
	ExternalID  string
	Role        string
	Queue       string
	ReadOnly    bool
	AnyInstance bool
}

func (s *shell) aws() *cobra.Command {
	return parent(&cobra.Command{Use: "aws", Short: "Prepare accounts of AWS"}, s.awsInit())
}

func (s *shell) awsInit() *cobra.Command {
	var c AWSSetup
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Print what an account of AWS needs for Neap, as a template",
		Long: "Print what an account of AWS needs for Neap, as a template: a role that trusts Neap with the account's external id and may do what Neap really does, and in each\n" +
			"region a queue that hears of interruptions. Nothing is called and nothing is changed: you look through it, and use it. The first region's template makes the role.",
		Example: "neap aws init --region eu-west-1,us-east-1 --principal arn:aws:iam::123456789012:user/neap --external-id ID > neap.yaml\n" +
			"neap aws init --format terraform > neap.tf\n" +
			"neap aws init --format policy --read-only",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := s.hooks.AWSInit(c)
			if fault.Is(err, fault.Invalid) {
				return &usageError{err}
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Format, "format", "cloudformation", "cloudformation, terraform or policy")
	flags.StringSliceVar(&c.Regions, "region", []string{"us-east-1"}, "region that Neap works in; may be repeated")
	flags.StringVar(&c.Principal, "principal", "", "ARN of Neap's own user or role (default: asked for when the template is used)")
	flags.StringVar(&c.ExternalID, "external-id", "", "external id that Neap gave the account (default: asked for when the template is used)")
	flags.StringVar(&c.Role, "role-name", "Neap", "name of the role")
	flags.StringVar(&c.Queue, "queue-name", "neap-notices", "name of the queue of notices")
	flags.BoolVar(&c.ReadOnly, "read-only", false, "for `neap observe`: the role may look, and no queue is made")
	flags.BoolVar(&c.AnyInstance, "any-instance", false, "the role may also stop, start, change and end instances that Neap did not launch")
	withoutClientFlags(cmd)
	return cmd
}
