// Package setup writes down what an account of AWS needs for Neap: a role, and in each region a queue that hears of interruptions.
//
// It owns the templates for CloudFormation and Terraform; what the role may do is told by the package above, beside the calls. It calls nobody, and must not know
// accounts of ours. Start reading at Write.
package setup

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/feeds"
	"github.com/neap-cloud/neap/internal/fault"
)

// The formats that Write knows.
const (
	CloudFormation = "cloudformation"
	Terraform      = "terraform"
	Policy         = "policy"
)

// Formats lists them, the default first.
func Formats() []string { return []string{CloudFormation, Terraform, Policy} }

// Config says what is set up.
type Config struct {
	Format     string   // "" = CloudFormation
	Regions    []string // that Neap works in; the first one makes the role, which is the whole account's. None = us-east-1
	Principal  string   // the ARN of Neap's own identity, which the role trusts; "" = asked for when the template is used
	ExternalID string   // "" = asked for too
	Role       string   // its name; "" = "Neap"
	Queue      string   // its name; "" = aws.DefaultQueue
	ReadOnly   bool     // for looking on: no queue is made
	// AnyInstance lets Neap act on instances that it did not launch, too.
	AnyInstance bool
}

var (
	//go:embed cloudformation.yaml
	cloudFormation string
	//go:embed terraform.tf
	terraform string

	regionForm    = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	roleForm      = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
	queueForm     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	principalForm = regexp.MustCompile(`^arn:aws(-cn|-us-gov)?:(iam|sts)::[0-9]{12}:[A-Za-z0-9_+=,.@/-]{1,512}$`)
	externalForm  = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{2,1000}$`)
)

// Write gives the text, ready to be used as it is. What is wrong with the configuration is fault.Invalid, everything at once.
func Write(c Config) (string, error) {
	if err := c.complete(); err != nil {
		return "", err
	}
	granted, err := aws.Policy(aws.Grant{ReadOnly: c.ReadOnly, AnyInstance: c.AnyInstance, Queue: c.Queue, Partition: partition(c.Regions[0])})
	if err != nil {
		return "", err
	}
	var text string
	switch c.Format {
	case Policy:
		return granted + "\n", nil
	case Terraform:
		text = terraform
	default:
		text = cloudFormation
	}
	return c.fill(text, granted)
}

func (c *Config) complete() error {
	for _, d := range []struct {
		value    *string
		fallback string
	}{{&c.Format, CloudFormation}, {&c.Role, "Neap"}, {&c.Queue, aws.DefaultQueue}} {
		if *d.value == "" {
			*d.value = d.fallback
		}
	}
	if len(c.Regions) == 0 {
		c.Regions = []string{"us-east-1"}
	}
	var faults []*fault.Error
	check := func(ok bool, field, sentence string, args ...any) {
		if !ok {
			faults = append(faults, fault.Field(field, sentence, args...))
		}
	}
	check(slices.Contains(Formats(), c.Format), "format", "There is no format %q; use one of %s.", c.Format, strings.Join(Formats(), ", "))
	seen := map[string]bool{}
	for _, region := range c.Regions {
		check(regionForm.MatchString(region) && !seen[region], "region", "%q is no region of AWS, or is named twice; use names such as eu-west-1.", region)
		check(partition(region) == partition(c.Regions[0]), "region", "%s lies in another partition of AWS than %s; set it up on its own.", region, c.Regions[0])
		seen[region] = true
	}
	check(roleForm.MatchString(c.Role), "role-name", "A role's name is 1 to 64 letters, digits and signs of _+=,.@-")
	check(queueForm.MatchString(c.Queue), "queue", "A queue's name is 1 to 80 letters, digits, - and _")
	check(c.Principal == "" || principalForm.MatchString(c.Principal), "principal", "This is no ARN of a user or role, such as arn:aws:iam::123456789012:user/neap.")
	check(c.ExternalID == "" || externalForm.MatchString(c.ExternalID), "external-id", "must be 2 to 1000 letters, digits and signs of _+=,.@:/-")
	return fault.All(faults)
}

// partition is the separate part of AWS that a region belongs to.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (c *Config) fill(text, granted string) (string, error) {
	parsed, err := template.New(c.Format).Funcs(template.FuncMap{
		"indent": func(n int, text string) string { return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", n)) },
		"join":   func(list []string) string { return strings.Join(list, ", ") },
		"quote":  strconv.Quote, // what is quoted has passed the forms above: nothing in it needs more
		"label":  func(region string) string { return strings.ReplaceAll(region, "-", "_") },
	}).Parse(text)
	if err != nil {
		return "", fmt.Errorf("read the template for %s: %w", c.Format, err)
	}
	var out strings.Builder
	err = parsed.Execute(&out, struct {
		*Config
		Policy, Home string
		Events       []string
	}{c, granted, c.Regions[0], feeds.Events()})
	if err != nil {
		return "", fmt.Errorf("write the template for %s: %w", c.Format, err)
	}
	return out.String(), nil
}
